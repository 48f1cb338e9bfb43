"""TIFF files of 8 or 16 bits with EXIF, XMP and profile, which Pillow cannot write compressed."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from demask.photo import exif as exif_block

_XMP, _ICC, _EXIF_GROUP, _GPS_GROUP = 700, 34675, 34665, 34853
_STRIP_BYTES = 1 << 20


def encode_tiff(
    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16],
    *,
    icc_profile: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
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

    entries = _entries(exif, xmp)
    entries[256], entries[257] = width, height
    entries[258] = (8 * pixels.itemsize,) * samples
    entries[259] = 8 if compress else 1
    entries[262] = 1 if samples < 3 else 2  # Black is zero; RGB.
    entries[273] = tuple(offsets[:-1])  # Pillow adds the place where the directory ends.
    entries.tagtype[273] = 4
    entries[277] = samples
    entries[278] = rows
    entries[279] = tuple(len(strip) for strip in strips)
    entries[284] = 1
    entries[317] = 2 if compress else 1
    if samples in (2, 4):
        entries[338] = (2,)  # Alpha that is not multiplied in.
    if dpi:
        entries[282], entries[283], entries[296] = dpi[0], dpi[1], 2
    if icc_profile:
        entries[_ICC] = icc_profile
        entries.tagtype[_ICC] = 7
    first_directory = 8
    header = b"II*\x00" + struct.pack("<I", first_directory)
    return b"".join([header, entries.tobytes(first_directory), *strips])


def _entries(exif: bytes | None, xmp: bytes | None) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Entries of the main directory that carry an EXIF block and an XMP packet."""
    entries = TiffImagePlugin.ImageFileDirectory_v2()
    if exif:
        block = Image.Exif()
        block.load(exif)
        for tag in block:
            # The orientation is 1, which is what its absence says.
            if tag != exif_block.ORIENTATION:
                entries[tag] = block.get_ifd(tag) if tag in (_EXIF_GROUP, _GPS_GROUP) else block[tag]
    if xmp:
        entries[_XMP] = xmp
        entries.tagtype[_XMP] = 1
    return entries
