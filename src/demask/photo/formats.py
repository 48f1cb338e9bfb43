"""The picture formats we read and write: names, suffixes, what each can hold, how a file was compressed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from demask.errors import PhotoUnsupported


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureFormat:
    """One format.

    Attributes:
        suffixes: File name endings, the usual one first.
        writes: We write it.
        labels: It carries the XMP label that every output must have.
        alpha: It holds transparency.
        grey: It holds single-channel pictures.
        lossless: Pixels survive a round trip (WebP: where asked for).
    """

    suffixes: tuple[str, ...]
    writes: bool = True
    labels: bool = True
    alpha: bool = True
    grey: bool = True
    lossless: bool = True


FORMATS: dict[str, PictureFormat] = {
    "JPEG": PictureFormat(suffixes=(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), alpha=False, lossless=False),
    "PNG": PictureFormat(suffixes=(".png", ".apng")),
    "WEBP": PictureFormat(suffixes=(".webp",), grey=False),
    "TIFF": PictureFormat(suffixes=(".tif", ".tiff")),
    "AVIF": PictureFormat(suffixes=(".avif", ".avifs"), grey=False, lossless=False),
    "HEIF": PictureFormat(suffixes=(".heic", ".heif", ".hif"), grey=False, lossless=False),
    "BMP": PictureFormat(suffixes=(".bmp", ".dib"), labels=False, alpha=False),
    "PPM": PictureFormat(suffixes=(".ppm", ".pgm", ".pbm", ".pnm"), labels=False, alpha=False),
    "GIF": PictureFormat(suffixes=(".gif",), writes=False),
    "JPEG2000": PictureFormat(suffixes=(".jp2", ".j2k", ".jpf", ".jpx"), writes=False),
}
"""Formats by Pillow's name. An output in a format that cannot be labelled is written as PNG instead."""
READ_SUFFIXES: frozenset[str] = frozenset(suffix for kind in FORMATS.values() for suffix in kind.suffixes)
"""File name endings, lower case, that a folder is searched for."""


def format_of(path: PurePath) -> str | None:
    """Name of the format that a file name's suffix stands for, or None where we know none."""
    suffix = path.suffix.lower()
    return next((name for name, kind in FORMATS.items() if suffix in kind.suffixes), None)


def suffix_of(name: str) -> str:
    """Usual suffix of a format, with its dot."""
    return FORMATS[name].suffixes[0]


def output_format(input_format: str) -> str:
    """Format an output takes when nothing else is asked for.

    It is the input's own, but for formats we do not write (GIF: 256 colours cannot hold a new face) or
    that cannot carry the label (BMP, PPM): those become PNG, which loses nothing.
    """
    kind = FORMATS[input_format]
    return input_format if kind.writes and kind.labels else "PNG"


def writable(name: str, *, label: bool) -> PictureFormat:
    """Look up a format to write.

    Raises:
        PhotoUnsupported: We do not know or not write it, or it cannot carry the label that is wanted.
    """
    good = ", ".join(key for key, kind in FORMATS.items() if kind.writes and kind.labels)
    kind = FORMATS.get(name)
    if kind is None or not kind.writes:
        raise PhotoUnsupported(f"cannot write the format {name}; write one of {good}")
    if label and not kind.labels:
        raise PhotoUnsupported(
            f"{name} cannot carry the label that says the face is invented; write one of {good}"
        )
    return kind


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
