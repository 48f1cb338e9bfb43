"""PNG chunks about colour and text, carried from one PNG to another (PNG, third edition, sec. 11.3)."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterable, Iterator

Chunk = tuple[bytes, bytes]
"""Kind and body."""

_SIGNATURE_BYTES, _HEADER_END = 8, 8 + 12 + 13
_COLOUR_BYTES = {b"cICP": 4, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32, b"mDCV": 24, b"cLLI": 8}
TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
# No texts: an XMP packet (ours is written anew), and EXIF blocks with an orientation of their own.
_OTHER = frozenset({b"XML:com.adobe.xmp", b"Raw profile type xmp", b"Raw profile type APP1"})
_RAW_EXIF = b"Raw profile type exif"
_MAX_TEXT_BYTES, _MAX_TEXTS = 4 << 20, 1_000
_GAMMA_OF_SRGB = 45_455  # Times 100,000.
_logger = logging.getLogger(__name__)


def kept_chunks(data: bytes) -> tuple[Chunk, ...]:
    """Read what says how a PNG's colours show (cICP, sRGB, gAMA, cHRM, mDCV, cLLI), and its texts.

    Colour chunks of a wrong length are left out, and so are texts beyond 4 MiB or 1,000.

    Args:
        data: The file.
    """
    chunks = list(png_chunks(data))
    colours: dict[bytes, Chunk] = {}
    for kind, body in chunks:
        if _COLOUR_BYTES.get(kind) == len(body):
            colours.setdefault(kind, (kind, body))
    has_exif = any(kind == b"eXIf" for kind, _ in chunks)
    texts = [(kind, body) for kind, body in chunks if kind in TEXTS and _is_text(body, has_exif=has_exif)]
    if len(texts) > _MAX_TEXTS or sum(len(body) for _, body in texts) > _MAX_TEXT_BYTES:
        _logger.warning("the PNG holds more text than is kept; it is left out")
        texts = []
    return (*colours.values(), *texts)


def with_chunks(file: bytes, chunks: Iterable[Chunk]) -> bytes:
    """Put chunks behind the header of a PNG; sRGB not where the file holds a profile, which says more."""
    has_profile = any(kind == b"iCCP" for kind, _ in png_chunks(file))
    built = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
        if not (has_profile and kind == b"sRGB")
    ]
    return b"".join([file[:_HEADER_END], *built, file[_HEADER_END:]])


def shows_other_colours(chunks: Iterable[Chunk]) -> bool:
    """Whether a file without these chunks would show other colours: they speak of no sRGB."""
    bodies = dict(chunks)
    if b"cICP" in bodies:  # ITU-T H.273: primaries 1 and transfer 13 are sRGB's.
        return bodies[b"cICP"][:2] != bytes([1, 13])
    gamma = int.from_bytes(bodies.get(b"gAMA", b""), "big")
    return b"sRGB" not in bodies and gamma not in (0, _GAMMA_OF_SRGB)


def png_chunks(data: bytes) -> Iterator[Chunk]:
    """Each chunk of a PNG, as far as the file goes."""
    position = _SIGNATURE_BYTES
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        if position + 12 + length > len(data):
            return
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += 12 + length


def _is_text(body: bytes, *, has_exif: bool) -> bool:
    keyword, separator, _ = body.partition(b"\0")
    if not separator or not 1 <= len(keyword) <= 79:
        return False
    return keyword not in _OTHER and not (has_exif and keyword == _RAW_EXIF)
