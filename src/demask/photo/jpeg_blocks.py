"""The coefficients of a JPEG outside the hole, carried over from the photo's file into the output.

A JPEG that is decoded and encoded again differs a little everywhere, even with the same tables: colours are
rounded and chroma is scaled on the way. So only the blocks that the hole touches are taken from the new
encoding; all others keep the very numbers that the photo's file holds (ITU-T T.81, sec. A.3).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from demask.types import Hole

_logger = logging.getLogger(__name__)


def keep_blocks(encoded: bytes, source: bytes, changed: Hole, *, turn: int = 1) -> bytes:
    """Put the photo's own coefficients into an encoded result wherever the hole does not touch the block.

    Args:
        encoded: The result as a JPEG, upright, with the photo's tables and subsampling.
        source: The photo's file.
        changed: Pixels that differ from the photo, upright, bool [H, W].
        turn: The orientation that the photo's file asks for, 1 to 8 as in EXIF.

    Returns:
        The JPEG with all that `encoded` says about itself; or `encoded`, where the layouts do not allow it
        (other tables, another subsampling, an orientation that would cut blocks apart), and on systems where
        the binding to libjpeg is not to be had.
    """
    try:
        import jpegio
    except ImportError:
        return _whole(encoded, "pyjpegio is not installed")
    if not hasattr(os, "memfd_create"):
        return _whole(encoded, "this system has no files in memory, and photos are not written to disks")
    try:
        with _in_memory(encoded) as path:
            new = jpegio.read(path)
        with _in_memory(source) as path:
            old = jpegio.read(path)
        reason = _mismatch(new, old, changed, turn)
        if reason:
            return _whole(encoded, reason)
        for own, component, information in zip(old.coef_arrays, new.coef_arrays, new.comp_info, strict=True):
            blocks = _blocks(component)
            touched = _touched(changed, blocks.shape[:2], _reach(new, information))
            changed_blocks = blocks[touched]
            blocks[...] = turned_blocks(_blocks(own), turn)
            blocks[touched] = changed_blocks
        with _in_memory(b"") as path:
            new.write(path)
            return Path(path).read_bytes()
    except (RuntimeError, OSError, ValueError, IndexError, MemoryError) as error:
        return _whole(encoded, str(error))


def turned_blocks(blocks: npt.NDArray[np.int32], turn: int) -> npt.NDArray[np.int32]:
    """Turn coefficients as `exif.upright` turns pixels.

    A transposed block has transposed coefficients, a mirrored one the odd frequencies of that axis negated.

    Args:
        blocks: [rows, columns, 8, 8], frequencies down and across.
        turn: 1 to 8 as in EXIF.
    """
    odd = np.where(np.arange(8) % 2, -1, 1).astype(blocks.dtype)
    if turn in (5, 6, 7, 8):
        blocks = blocks.transpose(1, 0, 3, 2)
    if turn in (3, 4, 7, 8):
        blocks = blocks[::-1] * odd[:, None]
    if turn in (2, 3, 6, 7):
        blocks = blocks[:, ::-1] * odd
    return blocks


def _mismatch(new: Any, old: Any, changed: Hole, turn: int) -> str | None:
    """Why the coefficients of one file cannot stand in the other; None if they can."""
    across = turn in (5, 6, 7, 8)
    if new.num_components != old.num_components:
        return "the number of components differs"
    for ours, theirs in zip(new.comp_info, old.comp_info, strict=True):
        reach = _reach(old, theirs)
        if _reach(new, ours) != (reach[::-1] if across else reach):
            return "the subsampling differs"
        table = old.quant_tables[theirs.quant_tbl_no]
        if not np.array_equal(new.quant_tables[ours.quant_tbl_no], table.T if across else table):
            return "the quantisation tables differ"
    for ours, theirs in zip(new.coef_arrays, old.coef_arrays, strict=True):
        if ours.shape != (theirs.shape[::-1] if across else theirs.shape):
            return "the sizes differ"
    height, width = changed.shape
    if turn in (3, 4, 7, 8) and height % (8 * new.max_v_samp_factor):
        return "the orientation cuts blocks apart"
    if turn in (2, 3, 6, 7) and width % (8 * new.max_h_samp_factor):
        return "the orientation cuts blocks apart"
    return None


def _blocks(coefficients: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """A view [rows, columns, 8, 8] of coefficients [8 rows, 8 columns]."""
    height, width = coefficients.shape
    return coefficients.reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2)


def _reach(jpeg: Any, component: Any) -> tuple[int, int]:
    """Pixels of the picture, down and across, that one block of a component speaks for."""
    return (
        8 * jpeg.max_v_samp_factor // component.v_samp_factor,
        8 * jpeg.max_h_samp_factor // component.h_samp_factor,
    )


def _touched(changed: Hole, shape: tuple[int, ...], reach: tuple[int, int]) -> Hole:
    """Which blocks hold a changed pixel: bool [rows, columns]."""
    touched = np.zeros(shape, bool)
    rows, columns = np.nonzero(changed)
    touched[rows // reach[0], columns // reach[1]] = True
    return touched


@contextmanager
def _in_memory(data: bytes) -> Iterator[str]:
    """A file that lives in memory only, by a path that the binding can open: photos do not touch the disk."""
    handle = os.memfd_create("photo")  # type: ignore[attr-defined,unused-ignore]
    try:
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(data)
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


def _whole(encoded: bytes, reason: str) -> bytes:
    _logger.info("the JPEG is encoded anew everywhere: %s", reason)
    return encoded
