"""Whether a file brings a C2PA manifest (Content Credentials), told without the library that reads it.

Where each format keeps it: C2PA 2.2, "Embedding manifests into various file types" (appendix A.3).
"""

from __future__ import annotations

from collections.abc import Iterator

from demask.photo.jpeg_segments import jpeg_segments
from demask.photo.png_chunks import png_chunks

_APP11 = 0xEB
_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_TIFF_TAG = 52545
_REMOTE = b"dcterms:provenance"


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
