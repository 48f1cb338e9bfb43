"""EXIF blocks edited in place, and the orientation they ask for applied to arrays."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

PREFIX = b"Exif\x00\x00"
ORIENTATION = 0x0112
_LONG = 4

_Scalar = TypeVar("_Scalar", bound=np.generic)


def upright(pixels: npt.NDArray[_Scalar], orientation: int) -> npt.NDArray[_Scalar]:
    """Turn an array as an EXIF orientation asks, so that it shows upright.

    Args:
        pixels: [H, W] or [H, W, C] as stored in the file.
        orientation: 1 to 8 as in EXIF 2.32, sec. 4.6.4 (tag 274); anything else counts as 1.

    Returns:
        The same values, contiguous; [W, H, ...] for 5 to 8.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    # After the swap: which axes still run the wrong way.
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def orientation(exif: bytes | None) -> int:
    """Read the orientation, 1 to 8; 1 where the block does not say or is broken."""
    for block, order, entry, kind in _entries(exif):
        if struct.unpack_from(order + "H", block, entry)[0] == ORIENTATION:
            (value,) = struct.unpack_from(order + ("I" if kind == _LONG else "H"), block, entry + 8)
            return int(value) if 1 <= value <= 8 else 1
    return 1


def cleaned(exif: bytes | None) -> bytes | None:
    """Return an EXIF block that fits the output picture: upright, and without the old thumbnail.

    The orientation becomes 1, and the thumbnail directory (IFD1), which shows the picture as it was, is
    unlinked. Everything else stays where it is, so that maker notes with absolute offsets still read.

    Args:
        exif: TIFF-structured block, with or without the "Exif" prefix of JPEG.

    Returns:
        The block without the prefix; None for none, or for one whose main directory is broken.
    """
    entries = list(_entries(exif))
    if not entries:
        return None
    block, order, last, _ = entries[-1]
    for _, _, entry, kind in entries:
        if struct.unpack_from(order + "H", block, entry)[0] == ORIENTATION:
            # One SHORT in almost every file; some writers use a LONG.
            struct.pack_into(order + ("I" if kind == _LONG else "H"), block, entry + 8, 1)
    if last + 16 <= len(block):
        struct.pack_into(order + "I", block, last + 12, 0)
    return bytes(block)


def _entries(exif: bytes | None) -> Iterator[tuple[bytearray, str, int, int]]:
    """Walk the main directory (TIFF 6.0, sec. 2): the block, its byte order, an entry's place and type."""
    block = bytearray((exif or b"").removeprefix(PREFIX))
    order = {b"II": "<", b"MM": ">"}.get(bytes(block[:2]))
    if order is None or len(block) < 8:
        return
    magic, directory = struct.unpack_from(order + "HI", block, 2)
    if magic != 42 or directory + 2 > len(block):
        return
    (num_entries,) = struct.unpack_from(order + "H", block, directory)
    if directory + 2 + 12 * num_entries > len(block):
        return
    for entry in range(directory + 2, directory + 2 + 12 * num_entries, 12):
        yield block, order, entry, struct.unpack_from(order + "H", block, entry + 2)[0]
