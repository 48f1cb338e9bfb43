"""Mutated files: nothing but our own errors leaves reading and writing, and what we write we can read."""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from demask.errors import DemaskError
from demask.photo.decode import read_photo
from demask.photo.encode import encode_photo
from demask.photo.provenance import labelled

NUM_MUTATIONS = 60


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def exif() -> Image.Exif:
    block = Image.Exif()
    block[0x010F], block[0x0112], block[282] = "Maker", 6, 72
    block.get_ifd(0x8769)[0x9003] = "2020:05:01 10:00:00"
    block.get_ifd(0x8825)[1] = "N"
    return block


def seeds() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(cv2.resize(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), (40, 30)))
    deep = rng.integers(0, 65536, (10, 12, 3)).astype(np.uint16)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    told: dict[str, Any] = {"exif": exif(), "icc_profile": icc, "dpi": (300, 300)}
    web: dict[str, Any] = {"exif": exif().tobytes(), "icc_profile": icc, "xmp": labelled(None)}
    tiff: dict[str, Any] = {**told, "tiffinfo": {700: labelled(None), 270: "text", 33723: b"iptc"}}
    return {
        "jpeg": encoded(rgb, "JPEG", comment=b"hi", dpi=(300, 300), **web),
        "progressive": encoded(rgb, "JPEG", progressive=True),
        "cmyk jpeg": encoded(rgb.convert("CMYK"), "JPEG", icc_profile=icc),
        "png": encoded(rgb, "PNG", **told),
        "palette png": encoded(rgb.convert("P"), "PNG", transparency=b"\x00\x80"),
        "grey png": encoded(rgb.convert("L"), "PNG", transparency=3),
        "grey alpha png": encoded(rgb.convert("LA"), "PNG"),
        "one-bit png": encoded(rgb.convert("1"), "PNG"),
        "colour key png": encoded(rgb, "PNG", transparency=(1, 2, 3)),
        "16-bit png": cv2.imencode(".png", deep)[1].tobytes(),
        "16-bit grey png": cv2.imencode(".png", deep[..., 0])[1].tobytes(),
        "tiff": encoded(rgb, "TIFF", compression="tiff_lzw", **tiff),
        "plain tiff": encoded(rgb, "TIFF", **told),
        "jpeg tiff": encoded(rgb, "TIFF", compression="jpeg"),
        "palette tiff": encoded(rgb.convert("P"), "TIFF"),
        "cmyk tiff": encoded(rgb.convert("CMYK"), "TIFF", icc_profile=icc),
        "lab tiff": encoded(Image.new("LAB", (8, 8)), "TIFF"),
        "16-bit tiff": cv2.imencode(".tiff", deep)[1].tobytes(),
        "webp": encoded(rgb, "WEBP", **web),
        "lossless webp": encoded(rgb.convert("RGBA"), "WEBP", lossless=True),
        "avif": encoded(rgb, "AVIF", exif=exif().tobytes()),
        "gif": encoded(rgb, "GIF", transparency=3),
        "bmp": encoded(rgb, "BMP"),
        "ppm": encoded(rgb, "PPM"),
        "jpeg 2000": encoded(rgb, "JPEG2000"),
        "16-bit jpeg 2000": encoded(Image.fromarray(deep[..., 0]), "JPEG2000"),
    }


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes set, bits turned, words replaced, pieces repeated, or the end cut off; half of it in the header."""
    changed, kind = bytearray(data), int(rng.integers(6))
    reach = min(len(data), 200) if rng.random() < 0.5 else len(data)
    for _ in range(int(rng.integers(1, 5))):
        place = int(rng.integers(reach))
        if kind == 0:
            changed[place] = int(rng.integers(256))
        elif kind == 1:
            changed[place] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            changed[place] = (0, 1, 127, 128, 255)[int(rng.integers(5))]
        elif kind == 3:
            changed[place : place + 4] = rng.bytes(4) if rng.random() < 0.5 else bytes(4)
        elif kind == 4:
            start, length = int(rng.integers(reach)), int(rng.integers(1, 40))
            changed[place:place] = changed[start : start + length]
    if kind == 5:
        del changed[int(rng.integers(len(changed))) :]
    return with_right_checksums(bytes(changed)) if rng.random() < 0.8 else bytes(changed)


def with_right_checksums(data: bytes) -> bytes:
    """A PNG whose chunks are believed, so that the mutation reaches what reads them."""
    if not data.startswith(b"\x89PNG"):
        return data
    fixed, place = bytearray(data), 8
    while place + 12 <= len(fixed):
        end = place + 8 + int.from_bytes(fixed[place : place + 4], "big")
        if end + 4 > len(fixed):
            break
        fixed[end : end + 4] = struct.pack(">I", zlib.crc32(fixed[place + 4 : end]))
        place = end + 4
    return bytes(fixed)


@pytest.mark.parametrize(("name", "data"), seeds().items(), ids=list(seeds()))
def test_only_our_own_errors_leave(name: str, data: bytes) -> None:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about what is odd in the file.
            assert survived(data)
            for _ in range(NUM_MUTATIONS):
                survived(mutated(data, rng))
    finally:
        logging.disable(logging.NOTSET)


def survived(data: bytes) -> bool:
    try:
        photo = read_photo(data, max_megapixels=1)
    except DemaskError:
        return False
    changed = np.zeros(photo.pixels.shape[:2], bool)
    changed[:3, :3] = True
    for format in (None, "PNG", "TIFF", "JPEG", "WEBP"):
        if format == "JPEG" and photo.alpha is not None:
            continue
        if format == "WEBP" and max(changed.shape) > 16_383:
            continue
        written = encode_photo(photo, photo.pixels, changed=changed, format=format)
        assert read_photo(written).pixels.shape == photo.pixels.shape
    return True
