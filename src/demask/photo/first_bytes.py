"""Photo or clip, by a file's first bytes: for a hint, where one is given and the other is needed."""

from __future__ import annotations

_PHOTO_STARTS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF8",
    b"BM",
    b"II*\x00",
    b"MM\x00*",
    b"P5\n",
    b"P6\n",
)
_PHOTO_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"})
_CLIP_STARTS = (b"\x1aE\xdf\xa3", b"FLV\x01", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")
_CLIP_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_TS_SYNC, _TS_PACKET_BYTES = 0x47, 188


def is_photo(head: bytes) -> bool:
    """Whether the first 16 bytes or more are those of a photograph's file."""
    if head.startswith(_PHOTO_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return True
    return head[4:8] == b"ftyp" and head[8:12] in _PHOTO_BRANDS


def is_clip(head: bytes) -> bool:
    """Whether the first bytes are those of a clip: MP4, MOV, MKV, WebM, AVI, FLV, MPEG."""
    if head.startswith(_CLIP_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return True
    if len(head) > _TS_PACKET_BYTES and head[0] == head[_TS_PACKET_BYTES] == _TS_SYNC:
        return True
    return head[4:8] in _CLIP_BOXES and not is_photo(head)
