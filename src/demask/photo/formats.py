"""The picture formats we read and write: their names, suffixes and what each can hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

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
