"""How a file was compressed, so that the output's quality can follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Coding:
    """How the input was compressed.

    Attributes:
        jpeg_tables: Quantisation tables of a JPEG by number, 64 values each.
        jpeg_subsampling: Pillow's number for the chroma subsampling: 0 = 4:4:4, 1 = 4:2:2, 2 = 4:2:0.
        progressive: A progressive JPEG.
        lossless: A WebP that is stored lossless.
        tiff_compression: Pillow's name for the compression of a TIFF.
        avif_subsampling: "4:4:4", "4:2:2" or "4:2:0", of an AVIF.
    """

    jpeg_tables: dict[int, list[int]] | None = None
    jpeg_subsampling: int | None = None
    progressive: bool = False
    lossless: bool = False
    tiff_compression: str | None = None
    avif_subsampling: str | None = None


def coding_of(image: Any, format: str, data: bytes) -> Coding:
    """Read it off an opened picture and its bytes.

    Args:
        image: Pillow's picture; its pixels need not be loaded.
        format: Its name, "JPEG" for every kind of JPEG.
        data: The file.
    """
    if format == "JPEG":
        from PIL.JpegImagePlugin import get_sampling

        sampling = get_sampling(image)
        return Coding(
            jpeg_tables={number: list(table) for number, table in image.quantization.items()},
            # Layouts Pillow cannot name (4:4:0, CMYK) lose nothing as 4:4:4.
            jpeg_subsampling=sampling if sampling >= 0 else 0,
            progressive=bool(image.info.get("progressive")),
        )
    if format == "WEBP":
        return Coding(lossless=_webp_is_lossless(data))
    if format == "TIFF":
        return Coding(tiff_compression=image.info.get("compression"))
    if format == "AVIF":
        return Coding(avif_subsampling=_avif_subsampling(data))
    return Coding()


def _webp_is_lossless(data: bytes) -> bool:
    """Find the first bitstream chunk: "VP8L" or "VP8 " (RFC 9649, sec. 2.4 to 2.7)."""
    position = 12
    while position + 8 <= len(data):
        kind = data[position : position + 4]
        if kind in (b"VP8L", b"VP8 "):
            return kind == b"VP8L"
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + size + size % 2
    return False


def _avif_subsampling(data: bytes) -> str | None:
    """Read the chroma flags of the first av1C box (AV1-ISOBMFF v1.2, sec. 2.3.3)."""
    position = data.find(b"av1C")
    if position < 0 or position + 7 > len(data):
        return None
    horizontal, vertical = data[position + 6] >> 3 & 1, data[position + 6] >> 2 & 1
    return {(0, 0): "4:4:4", (1, 0): "4:2:2", (1, 1): "4:2:0"}.get((horizontal, vertical))
