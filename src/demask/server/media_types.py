"""Which picture formats the server takes, told by their first bytes."""

from __future__ import annotations

import functools

from demask.webkit.failures import Refusal

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
"""By Pillow's name. Fewer than `demask remove` reads: each decoder is one more that strangers can feed."""

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"})


@functools.cache
def accepted_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that this installation takes."""
    import importlib.util

    from PIL import features

    names = ["JPEG", "PNG", "WEBP"]
    if features.check("avif"):
        names.append("AVIF")
    if importlib.util.find_spec("pillow_heif") is not None:
        names.append("HEIF")
    return tuple(names)


def format_of_bytes(data: bytes) -> str | None:
    """Pillow's name of the format that the first bytes announce; None for all that we never take."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        if data[8:12] in (b"avif", b"avis") or b"avif" in data[16:40]:
            return "AVIF"
        if data[8:12] in _HEIF_BRANDS:
            return "HEIF"
    return None


def require_format(data: bytes, *, field: str, formats: tuple[str, ...]) -> None:
    """Let only some formats through to a decoder.

    Raises:
        Refusal: 415, another kind of file.
    """
    got = format_of_bytes(data)
    if got not in formats:
        what = got or ("no picture that we know" if data else "nothing")
        known = ", ".join(formats)
        raise Refusal(
            415,
            "wrong_photo_type",
            f"the field {field} holds {what}; send {known}",
            details={"field": field, "formats": [MEDIA_TYPES[name] for name in formats]},
        )
