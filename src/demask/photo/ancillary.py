"""What a JPEG, PNG or other file holds beside pixels, EXIF, XMP and profile: its segments, chunks and boxes.

Whether a file brings a C2PA manifest (Content Credentials), told without the library that reads it.
Where each format keeps it: C2PA 2.2, "Embedding manifests into various file types" (appendix A.3).
"""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_PHOTOSHOP = b"Photoshop 3.0\0"
_MAX_PAYLOAD_BYTES = 65_533
_THUMBNAILS = frozenset({1033, 1036})  # They show the picture as it was.
Chunk = tuple[bytes, bytes]
"""Kind and body."""
_COLOUR_BYTES = {b"cICP": 4, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32, b"mDCV": 24, b"cLLI": 8}
TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
# No texts: an XMP packet (ours is written anew), and EXIF blocks with an orientation of their own.
_OTHER = frozenset({b"XML:com.adobe.xmp", b"Raw profile type xmp", b"Raw profile type APP1"})
_RAW_EXIF = b"Raw profile type exif"
_GAMMA_OF_SRGB = 45_455  # Times 100,000.
_logger = logging.getLogger(__name__)
_APP11 = 0xEB
_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_TIFF_TAG = 52545
_REMOTE = b"dcterms:provenance"
_APP13, _COM, _SOS, _DQT = 0xED, 0xFE, 0xDA, 0xDB


@dataclass(frozen=True, kw_only=True, slots=True)
class Segments:
    """What a JPEG says in other segments.

    Attributes:
        comments: Bodies of its COM segments.
        resources: Photoshop's image resources, joined, without thumbnails; the IPTC record is number 1028.
    """

    comments: tuple[bytes, ...] = ()
    resources: bytes = b""

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.comments or self.resources)


def kept_segments(data: bytes) -> Segments:
    """Read them off a JPEG file."""
    segments = [(marker, data[start:end]) for marker, start, end in jpeg_segments(data)]
    joined = b"".join(
        body.removeprefix(_PHOTOSHOP)
        for marker, body in segments
        if marker == _APP13 and body.startswith(_PHOTOSHOP)
    )
    return Segments(
        comments=tuple(body for marker, body in segments if marker == _COM),
        resources=b"".join(
            resource for number, resource in resource_blocks(joined) if number not in _THUMBNAILS
        ),
    )


def with_segments(file: bytes, kept: Segments) -> bytes:
    """Put them into a JPEG, before its first table and behind what it says itself."""
    place = next((start - 4 for marker, start, _ in jpeg_segments(file) if marker == _DQT), None)
    if place is None or not kept:
        return file
    room = _MAX_PAYLOAD_BYTES - len(_PHOTOSHOP)
    parts = [kept.resources[start : start + room] for start in range(0, len(kept.resources), room)]
    built = [_segment(_APP13, _PHOTOSHOP + part) for part in parts]
    built += [_segment(_COM, comment) for comment in kept.comments]
    return b"".join([file[:place], *built, file[place:]])


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment's body, up to the first scan (ITU-T T.81, sec. B.1.1.4)."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # Padding.
            position += 1
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _SOS or length < 2:
            return
        yield marker, position + 4, min(position + 2 + length, len(data))
        position += 2 + length


def resource_blocks(joined: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each resource (Adobe Photoshop File Formats, "Image Resource Blocks")."""
    position = 0
    while position + 12 <= len(joined) and joined[position : position + 4] == b"8BIM":
        (number,) = struct.unpack_from(">H", joined, position + 4)
        body = position + 6 + ((2 + joined[position + 6]) & ~1)  # A name: its length, its letters, even in all.
        if body + 4 > len(joined):
            return
        end = body + 4 + int.from_bytes(joined[body : body + 4], "big")
        end += (end - body) & 1
        if end - 1 > len(joined):
            return
        resource = joined[position:end]
        yield number, resource + b"\0" * (len(resource) & 1)
        position = end


_SIGNATURE_BYTES, _HEADER_END = 8, 8 + 12 + 13
_MAX_TEXT_BYTES, _MAX_TEXTS = 4 << 20, 1_000


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


def holds_manifest(data: bytes, format: str, xmp: bytes | None = None) -> bool:
    """Whether the file holds a manifest, or its XMP says where one lies.

    Args:
        data: The file.
        format: Pillow's name of its format.
        xmp: Its XMP packet.
    """
    if xmp and _REMOTE in xmp:
        return True
    match format:
        case "JPEG":
            return any(
                marker == _APP11 and data[start : start + 2] == b"JP" and b"c2pa" in data[start:end]
                for marker, start, end in jpeg_segments(data)
            )
        case "PNG":
            return any(kind == b"caBX" for kind, _ in png_chunks(data))
        case "WEBP":
            return any(kind == b"C2PA" for kind in _riff_chunks(data))
        case "AVIF" | "HEIF":
            return any(kind == b"uuid" and name == _BOX for kind, name in _boxes(data))
        case "TIFF":
            return _tiff_has_tag(data)
    return False


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _is_text(body: bytes, *, has_exif: bool) -> bool:
    keyword, separator, _ = body.partition(b"\0")
    if not separator or not 1 <= len(keyword) <= 79:
        return False
    return keyword not in _OTHER and not (has_exif and keyword == _RAW_EXIF)


def _riff_chunks(data: bytes) -> Iterator[bytes]:
    position = 12
    while position + 8 <= len(data):
        yield data[position : position + 4]
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + size + size % 2


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind of each box of the file itself, and the name of one of a kind of its own (ISO/IEC 14496-12)."""
    position = 0
    while position + 8 <= len(data):
        size, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        header = 8
        if size == 1:
            size, header = int.from_bytes(data[position + 8 : position + 16], "big"), 16
        yield kind, data[position + header : position + header + 16]
        if size < header:  # 0: to the end of the file.
            return
        position += size


def _tiff_has_tag(data: bytes) -> bool:
    order = {b"II": "little", b"MM": "big"}.get(data[:2])
    if order is None or len(data) < 8:
        return False

    def number(position: int, size: int) -> int:
        return int.from_bytes(data[position : position + size], order)  # type: ignore[arg-type]

    directory = number(4, 4)
    entries = range(directory + 2, directory + 2 + 12 * number(directory, 2), 12)
    return any(number(entry, 2) == _TIFF_TAG for entry in entries)
