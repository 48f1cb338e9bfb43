"""What a file says about its picture, read so that nothing odd can do harm; EXIF blocks edited in place."""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

PREFIX = b"Exif\x00\x00"
ORIENTATION = 0x0112
_LONG = 4
_Scalar = TypeVar("_Scalar", bound=np.generic)
# What a TIFF says about the picture rather than about how it is stored: the part worth keeping.
_TIFF_KEPT = (270, 271, 272, 305, 306, 315, 316, 33432, 34665, 34853)
_TIFF_GROUPS = (34665, 34853)
_logger = logging.getLogger(__name__)


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


_MIN_DPI, _MAX_DPI = 0.1, 65_535
"""The upper one is what a JPEG can say."""


def profile_of(info: dict[Any, Any]) -> bytes | None:
    """The ICC profile in Pillow's `info`; None for none, or for an entry of another type."""
    return _bytes_in(info, "icc_profile", "ICC profile")


def xmp_of(info: dict[Any, Any]) -> bytes | None:
    """The XMP packet in Pillow's `info`; None for none, or for an entry of another type."""
    packet = info.get("xmp")
    return packet.encode() if isinstance(packet, str) else _bytes_in(info, "xmp", "XMP packet")


def dpi_of(info: dict[Any, Any]) -> tuple[float, float] | None:
    """The resolution in Pillow's `info`, dots per inch (x, y); None for none, or for what no picture has."""
    try:
        x, y = (float(value) for value in info.get("dpi") or ())
    except (TypeError, ValueError, ArithmeticError):  # A TIFF may hold text, or a fraction of nothing.
        return None
    usable = all(math.isfinite(value) and _MIN_DPI <= value <= _MAX_DPI for value in (x, y))
    return (x, y) if usable else None


def exif_of(image: Image.Image, format: str) -> bytes | None:
    """The EXIF block as stored, or for a TIFF the entries worth keeping as a block of its own."""
    if format != "TIFF":
        return _bytes_in(image.info, "exif", "EXIF block")
    try:
        stored, kept = image.getexif(), Image.Exif()
        for tag in _TIFF_KEPT:
            if tag in stored:
                kept[tag] = stored.get_ifd(tag) if tag in _TIFF_GROUPS else stored[tag]
        return kept.tobytes() if len(kept) else None
    except Exception as error:  # Any broken entry; the pixels are fine without.
        _logger.warning("the TIFF's EXIF entries are broken (%s) and are left out", error)
        return None


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


def _bytes_in(info: dict[Any, Any], key: str, what: str) -> bytes | None:
    value = info.get(key)
    if value and not isinstance(value, bytes):
        _logger.warning("the picture's %s is of a wrong type and is left out", what)
        return None
    return value or None
