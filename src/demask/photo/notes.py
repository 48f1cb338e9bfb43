"""Comments and the IPTC record (IPTC-IIM 4.2), carried from any format that holds them to any other.

JPEG keeps comments in segments and IPTC in Photoshop's resource 1028; TIFF the record in tag 33723 and the
resources in 34377; PNG comments as text and the resources in hex, as ImageMagick and ExifTool write them.
WebP, AVIF and HEIF have a place for neither.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

from demask.photo.ancillary import Chunk, Segments, kept_segments, resource_blocks

IPTC_RESOURCE = 1028
TIFF_IPTC, TIFF_RESOURCES = 33723, 34377
_COMMENT, _RAW_IPTC, _RAW_8BIM = b"Comment", b"Raw profile type iptc", b"Raw profile type 8bim"
_MAX_BYTES = 4 << 20
_LINE = 72  # Hex digits per line, as ImageMagick breaks them.


def notes_of(image: Any, format: str, data: bytes, chunks: tuple[Chunk, ...]) -> Segments:
    """Read comments and IPTC.

    Args:
        image: Pillow's picture.
        format: Its name.
        data: The file.
        chunks: Of a PNG, what `kept_chunks` read.
    """
    if format == "JPEG":
        return kept_segments(data)
    if format == "PNG":
        return _of_png(chunks)
    if format == "TIFF":
        return _of_tiff(image)
    return Segments()


def iptc_of(notes: Segments) -> bytes | None:
    """The IPTC record inside the resources; None where there is none."""
    return next((body for number, body in _bodies(notes.resources) if number == IPTC_RESOURCE), None)


def as_resource(record: bytes) -> bytes:
    """An IPTC record as Photoshop's resource 1028."""
    padding = b"\0" * (len(record) % 2)
    return b"8BIM" + struct.pack(">HHI", IPTC_RESOURCE, 0, len(record)) + record + padding


def with_iptc(notes: Segments, record: bytes | None) -> Segments:
    """The same comments, and only this IPTC record, or none."""
    return Segments(comments=notes.comments, resources=as_resource(record) if record else b"")


def as_chunks(notes: Segments) -> tuple[Chunk, ...]:
    """Comments and resources as a PNG holds them."""
    chunks: list[Chunk] = []
    for comment in notes.comments:
        text = comment.decode("utf-8", "replace").rstrip("\0")
        chunks.append((b"iTXt", _COMMENT + b"\0\0\0\0\0" + text.replace("\0", " ").encode()))
    if notes.resources:
        digits = notes.resources.hex()
        lines = "\n".join(digits[start : start + _LINE] for start in range(0, len(digits), _LINE))
        raw = f"\niptc\n{len(notes.resources):8d}\n{lines}\n".encode()
        chunks.append((b"zTXt", _RAW_IPTC + b"\0\0" + zlib.compress(raw)))
    return tuple(chunks)


def _of_png(chunks: tuple[Chunk, ...]) -> Segments:
    comments: list[bytes] = []
    resources = b""
    for kind, body in chunks:
        keyword, _, rest = body.partition(b"\0")
        if keyword == _COMMENT and (text := _text(kind, rest)):
            comments.append(text)
        elif keyword in (_RAW_IPTC, _RAW_8BIM) and not resources:
            resources = _raw_profile(_text(kind, rest) or b"")
    return Segments(comments=tuple(comments), resources=resources)


def _of_tiff(image: Any) -> Segments:
    tags = getattr(image, "tag_v2", {})
    resources = _tag_bytes(tags.get(TIFF_RESOURCES))
    record = _tag_bytes(tags.get(TIFF_IPTC))
    kept = b"".join(block for number, block in resource_blocks(resources) if number != IPTC_RESOURCE)
    if record[:1] != b"\x1c":  # Some writers store longs; their bytes stand the wrong way round.
        record = next((body for number, body in _bodies(resources) if number == IPTC_RESOURCE), b"")
    return Segments(resources=(as_resource(record.rstrip(b"\0")) if record else b"") + kept)


def _tag_bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value if len(value) <= _MAX_BYTES else b""
    if isinstance(value, tuple) and all(isinstance(part, int) and 0 <= part < 2**32 for part in value):
        wide = any(part > 255 for part in value)
        return struct.pack(f"<{len(value)}{'I' if wide else 'B'}", *value) if len(value) <= _MAX_BYTES else b""
    return b""


def _text(kind: bytes, rest: bytes) -> bytes | None:
    """The bytes behind a text chunk's keyword, inflated; None for what is broken or too long."""
    try:
        if kind == b"tEXt":
            return rest.decode("latin-1").encode()
        if kind == b"zTXt":
            return _inflated(rest[1:])
        compressed, text = rest[0], rest[2:].split(b"\0", 2)[2]
        return _inflated(text) if compressed else text
    except (IndexError, zlib.error):
        return None


def _inflated(packed: bytes) -> bytes | None:
    inflater = zlib.decompressobj()
    text = inflater.decompress(packed, _MAX_BYTES)
    return None if inflater.unconsumed_tail else text


def _raw_profile(text: bytes) -> bytes:
    """The bytes of a profile in hex: a line with its name, one with its length, the digits."""
    try:
        _, _, digits = text.strip().split(b"\n", 2)
        profile = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return b""
    if profile[:1] == b"\x1c":
        return as_resource(profile)
    return b"".join(block for _, block in resource_blocks(profile))


def _bodies(resources: bytes) -> list[tuple[int, bytes]]:
    """Number and content of each resource."""
    found = []
    for number, block in resource_blocks(resources):
        start = 6 + ((2 + block[6]) & ~1)
        length = int.from_bytes(block[start : start + 4], "big")
        found.append((number, block[start + 4 : start + 4 + length]))
    return found
