"""What a file says about its picture, read so that nothing odd in it can do harm."""

from __future__ import annotations

import logging
import math
from typing import Any

from PIL import Image

_MIN_DPI, _MAX_DPI = 0.1, 65_535
"""The upper one is what a JPEG can say."""

# What a TIFF says about the picture rather than about how it is stored: the part worth keeping.
_TIFF_KEPT = (270, 271, 272, 305, 306, 315, 316, 33432, 34665, 34853)
_TIFF_GROUPS = (34665, 34853)
_logger = logging.getLogger(__name__)


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


def _bytes_in(info: dict[Any, Any], key: str, what: str) -> bytes | None:
    value = info.get(key)
    if value and not isinstance(value, bytes):
        _logger.warning("the picture's %s is of a wrong type and is left out", what)
        return None
    return value or None
