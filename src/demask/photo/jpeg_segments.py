"""JPEG segments beside EXIF, XMP and profile: comments, and Photoshop's resources with the IPTC record."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_APP13, _COM, _SOS, _DQT = 0xED, 0xFE, 0xDA, 0xDB
_PHOTOSHOP = b"Photoshop 3.0\0"
_MAX_PAYLOAD_BYTES = 65_533
_THUMBNAILS = frozenset({1033, 1036})  # They show the picture as it was.


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


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


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
