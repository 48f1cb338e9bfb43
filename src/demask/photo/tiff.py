"""TIFF files of 8 or 16 bits with EXIF, XMP and profile, which Pillow cannot write compressed."""

from __future__ import annotations

import logging
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from demask.photo import exif as exif_block
from demask.photo.ancillary import Segments
from demask.photo.notes import TIFF_IPTC, TIFF_RESOURCES, iptc_of

_XMP, _ICC, _EXIF_GROUP, _GPS_GROUP = 700, 34675, 34665, 34853
_DESCRIPTION = 270
_STRIP_BYTES = 1 << 20
_FIRST_DIRECTORY = 8
_TYPES = {
    _XMP: 1,
    273: 4,
    _ICC: 7,
    TIFF_IPTC: 7,
    TIFF_RESOURCES: 7,
}  # Bytes, LONG, UNDEFINED, where Pillow takes another.
_logger = logging.getLogger(__name__)


def encode_tiff(
    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16],
    *,
    icc_profile: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    notes: Segments | None = None,
    compress: bool = True,
) -> bytes:
    """Encode a picture as a single-page little-endian TIFF (TIFF 6.0).

    Compressed strips are Deflate after horizontal differencing (sec. 14, and Adobe's Technical Note of
    2002).

    Args:
        pixels: uint8 or uint16: grey [H, W], grey with alpha [H, W, 2], RGB or RGBA.
        icc_profile: ICC profile.
        exif: Block with or without JPEG's prefix; its entries become the TIFF's own.
        xmp: XMP packet.
        dpi: Dots per inch, (x, y).
        notes: Comments, which become the description where there is none, and the IPTC record.
        compress: False stores the values plainly.
    """
    height, width = pixels.shape[:2]
    cube = pixels.reshape(height, width, -1)
    samples = cube.shape[2]
    rows = max(1, _STRIP_BYTES // (width * samples * pixels.itemsize))
    strips = []
    for top in range(0, height, rows):
        strip = cube[top : top + rows]
        if compress:  # Differences wrap around, as the reader's sums do.
            strip = np.diff(strip, axis=1, prepend=np.zeros_like(strip[:, :1]))
        plain = strip.astype(pixels.dtype.newbyteorder("<")).tobytes()
        strips.append(zlib.compress(plain, 5) if compress else plain)
    offsets = np.cumsum([0, *(len(strip) for strip in strips)]).tolist()

    own: dict[int, Any] = {
        256: width,
        257: height,
        258: (8 * pixels.itemsize,) * samples,
        259: 8 if compress else 1,
        262: 1 if samples < 3 else 2,  # Black is zero; RGB.
        273: tuple(offsets[:-1]),  # Pillow adds the place where the directory ends.
        277: samples,
        278: rows,
        279: tuple(len(strip) for strip in strips),
        284: 1,
        317: 2 if compress else 1,
    }
    if samples in (2, 4):
        own[338] = (2,)  # Alpha that is not multiplied in.
    if dpi:
        own |= {282: dpi[0], 283: dpi[1], 296: 2}
    if icc_profile:
        own[_ICC] = icc_profile
    if xmp:
        own[_XMP] = xmp
    if notes and notes.resources:
        own[TIFF_RESOURCES] = notes.resources
        if record := iptc_of(notes):
            own[TIFF_IPTC] = record
    described = notes.comments[0].decode("utf-8", "replace").rstrip("\0") if notes and notes.comments else None
    try:
        directory = _directory(own, exif, described)
    except Exception as error:  # Any broken entry of a stranger's block; the pixels are fine without.
        _logger.warning("the EXIF entries cannot be written to a TIFF (%s) and are left out", error)
        directory = _directory(own, None, described)
    return b"".join([b"II*\x00", struct.pack("<I", _FIRST_DIRECTORY), directory, *strips])


def _directory(own: dict[int, Any], exif: bytes | None, described: str | None) -> bytes:
    """The main directory: the picture's own entries, and those that carry an EXIF block."""
    entries = TiffImagePlugin.ImageFileDirectory_v2()
    if exif:
        block = Image.Exif()
        block.load(exif)
        for tag in block:
            # The orientation is 1, which is what its absence says.
            if tag != exif_block.ORIENTATION:
                entries[tag] = block.get_ifd(tag) if tag in (_EXIF_GROUP, _GPS_GROUP) else block[tag]
    if described and _DESCRIPTION not in entries:
        entries[_DESCRIPTION] = described
    for tag, value in own.items():
        entries[tag] = value
    entries.tagtype |= {tag: kind for tag, kind in _TYPES.items() if tag in own}
    return entries.tobytes(_FIRST_DIRECTORY)
