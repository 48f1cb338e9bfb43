"""16-bit PNG and TIFF files: read by OpenCV, written here with metadata that OpenCV leaves out.

Pillow reads most of them, but to 8 bits.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from demask.errors import PhotoUnreadable, PhotoUnsupported
from demask.photo import exif as exif_block
from demask.photo.ancillary import with_chunks
from demask.photo.colour import luma
from demask.photo.tiff import encode_tiff
from demask.types import Hole, ImageU8

DeepPixels = npt.NDArray[np.uint16]

_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_SAMPLE_FORMAT = 258, 262, 339


def is_deep(image: Any, format: str, data: bytes) -> bool:
    """Whether the file holds 16 bits per channel in a layout we write back.

    Args:
        image: Pillow's picture; its pixels need not be loaded.
        format: Its name.
        data: The file.

    Raises:
        PhotoUnsupported: A TIFF of more than 8 bits in another layout (float, 32-bit, CMYK, inverted).
    """
    if format == "PNG":
        return data[24] == 16
    if format != "TIFF":
        return False
    bits = image.tag_v2.get(_TIFF_BITS, (1,))
    if max(bits) <= 8:
        return False
    integer = set(image.tag_v2.get(_TIFF_SAMPLE_FORMAT, (1,))) == {1}
    if set(bits) != {16} or not integer or image.tag_v2.get(_TIFF_PHOTOMETRIC) not in (1, 2):
        raise PhotoUnsupported(
            f"the TIFF stores {'/'.join(map(str, bits))} bits per channel in a layout we cannot put back; "
            "convert it to 8 or 16 bit RGB or grey"
        )
    return True


def decode_deep(data: bytes, name: str, *, turn: int) -> tuple[DeepPixels, DeepPixels | None]:
    """Decode a 16-bit PNG or TIFF.

    Args:
        data: The file.
        name: What to call it in an error.
        turn: Its EXIF orientation.

    Returns:
        Upright uint16 RGB [H, W, 3] or grey [H, W], and the transparency [H, W] if it has any.

    Raises:
        PhotoUnreadable: OpenCV cannot decode it.
    """
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16:
        raise PhotoUnreadable(f"{name} holds 16-bit pixels that cannot be decoded; save it again as 16-bit PNG")
    values: DeepPixels = exif_block.upright(stored.astype(np.uint16, copy=False), turn)
    if values.ndim == 2:
        return values, None
    alpha: DeepPixels | None = np.ascontiguousarray(values[..., 3]) if values.shape[2] == 4 else None
    return np.ascontiguousarray(values[..., 2::-1]), alpha  # OpenCV stores BGR.


def deep_of(image: Any) -> DeepPixels:
    """The values of a Pillow picture of one of the modes `I;16...`, as they are: uint16 [H, W]."""
    return np.asarray(image).astype(np.uint16)  # Of the machine's byte order.


def key_alpha(image: Any, deep: DeepPixels | None) -> DeepPixels | None:
    """Transparency of a 16-bit grey picture one of whose values stands for it (PNG's tRNS).

    Args:
        image: Pillow's picture.
        deep: Its values, uint16 grey [H, W].

    Returns:
        uint16 [H, W]: 0 where the value is that one, 65535 elsewhere; None where no pixel is transparent.
    """
    key = image.info.get("transparency")
    if deep is None or deep.ndim != 2 or not isinstance(key, int):
        return None
    transparent = deep == key
    return np.where(transparent, 0, 65_535).astype(np.uint16) if transparent.any() else None


def deep_merged(deep: DeepPixels, pixels: ImageU8, changed: Hole) -> DeepPixels:
    """The 16-bit values, with those of `pixels` times 257 where it changed (their brightness for grey)."""
    merged = deep.copy()
    inside = pixels[changed]
    merged[changed] = (luma(inside) if deep.ndim == 2 else inside).astype(np.uint16) * 257
    return merged


def to_8_bit(deep: DeepPixels) -> ImageU8:
    """Round 16-bit values to the nearest 8-bit ones (0 to 0, 65535 to 255): value / 257."""
    table = ((np.arange(65536, dtype=np.uint32) + 128) // 257).astype(np.uint8)
    return table[deep]


def encode_deep(
    name: str,
    pixels: npt.NDArray[np.uint16],
    alpha: npt.NDArray[Any] | None,
    *,
    icc_profile: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """Encode 16-bit pixels.

    Args:
        name: "PNG" or "TIFF".
        pixels: uint16 RGB [H, W, 3] or grey [H, W].
        alpha: uint16 [H, W] or None; with grey it makes the file RGBA, as no common reader knows
            16-bit grey with alpha.
        icc_profile: ICC profile.
        exif: Block with or without JPEG's prefix.
        xmp: XMP packet.
        dpi: Dots per inch, (x, y).
    """
    if alpha is not None:
        rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
        pixels = np.dstack([rgb, alpha.astype(np.uint16)])
    if name == "TIFF":
        return encode_tiff(pixels, icc_profile=icc_profile, exif=exif, xmp=xmp, dpi=dpi)
    return _png(pixels, icc_profile, exif, xmp, dpi)


def _png(
    pixels: npt.NDArray[np.uint16],
    icc: bytes | None,
    exif: bytes | None,
    xmp: bytes | None,
    dpi: tuple[float, float] | None,
) -> bytes:
    """Let OpenCV write the pixels and put our chunks behind the header (PNG 3rd ed., sec. 5.6, 11.3)."""
    if pixels.ndim == 3:
        order = [2, 1, 0, 3][: pixels.shape[2]]
        pixels = np.ascontiguousarray(pixels[..., order])  # OpenCV wants BGR.
    done, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 4])
    if not done:
        raise OSError("OpenCV could not encode the 16-bit PNG")
    chunks = []
    if icc:
        chunks.append((b"iCCP", b"ICC profile\x00\x00" + zlib.compress(icc)))
    if dpi:
        per_metre = [round(value / 0.0254) for value in dpi]
        chunks.append((b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    if exif:
        chunks.append((b"eXIf", exif.removeprefix(exif_block.PREFIX)))
    if xmp:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + xmp))
    return with_chunks(encoded.tobytes(), chunks)
