"""The bytes of a photo, from a file or an address: never too many of them, and never of what is no file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, cast

from demask.errors import DemaskError, InputError, PhotoUnreadable

_BYTES_PER_PIXEL = 8
"""Of the largest kind we read, 16-bit RGBA without compression."""
_BYTES_BESIDE_PIXELS = 64 * 2**20
"""Room for metadata, previews and thumbnails."""
_PART_BYTES = 2**20
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


def read_file(path: Path, *, max_megapixels: float) -> bytes:
    """All bytes of a regular file, or of one that a symbolic link leads to.

    Args:
        path: The file.
        max_megapixels: Files that are larger than any photo of so many megapixels are refused.

    Raises:
        PhotoUnreadable: It cannot be read, is too large, or is a folder, a pipe, a socket or a device. A
            pipe without a writer would block for ever, and some devices never end.
    """
    try:
        # Without waiting: a pipe that nobody writes to blocks already when it is opened.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise PhotoUnreadable(
                    f"{path} is {_kind(status.st_mode)}, not a file; give a picture file, or - to read stdin"
                )
            return read_stream(file, str(path), max_megapixels=max_megapixels)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PhotoUnreadable(f"cannot read {path}: {reason}; check the path") from error


def read_stream(stream: BinaryIO, name: str, *, max_megapixels: float) -> bytes:
    """All bytes to the end of a stream, if they are not more than any photo has.

    Args:
        stream: An open file or pipe.
        name: How a message calls it.
        max_megapixels: As for `read_file`.

    Raises:
        PhotoUnreadable: There are more bytes.
    """
    limit = most_bytes(max_megapixels)
    parts, size = [], 0
    while part := stream.read(_PART_BYTES):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise too_many_bytes(name, max_megapixels=max_megapixels)
    return b"".join(parts)


def read_open_file(file: Any, *, max_megapixels: float) -> bytes:
    """All bytes of an open file, from where it stands.

    Raises:
        InputError: It is open as text.
        PhotoUnreadable: There are more bytes than any photo has, or it cannot be read.
    """
    name = str(getattr(file, "name", "the open file"))
    try:
        first = file.read(0)
        if not isinstance(first, bytes | bytearray):
            raise InputError(f"{name} is open as text; open it in binary mode, as with open(path, 'rb')")
        return read_stream(file, name, max_megapixels=max_megapixels)
    except (OSError, ValueError) as error:
        raise PhotoUnreadable(f"cannot read {name}: {error}; open it anew, in binary mode") from error


def most_bytes(max_megapixels: float) -> int:
    """The bytes that no file of a photo of so many megapixels goes beyond."""
    return int(_BYTES_PER_PIXEL * max_megapixels * 1e6) + _BYTES_BESIDE_PIXELS


def too_many_bytes(name: str, *, max_megapixels: float) -> PhotoUnreadable:
    """What to raise for a file that has more."""
    return PhotoUnreadable(
        f"{name} has more than {most_bytes(max_megapixels) / 1e6:.0f} MB, and no picture of "
        f"{max_megapixels:g} megapixels is as large; give a picture file, or raise --max-megapixels"
    )


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


def read_address(address: str, *, max_megapixels: float) -> bytes:
    """All bytes at an address such as `s3://bucket/photo.jpg` or `zip://photo.jpg::photos.zip`.

    Raises:
        InputError: fsspec, or what it needs for this kind of address, is not installed.
        PhotoUnreadable: It cannot be read, or there are more bytes than any photo has.
    """
    try:
        import fsspec
    except ImportError:
        raise InputError(
            f"{address} is an address, which needs fsspec; run: pip install fsspec, or give a path"
        ) from None
    try:
        with fsspec.open(address, "rb") as file:
            return read_stream(cast(Any, file), address, max_megapixels=max_megapixels)
    except DemaskError:
        raise
    except ImportError as error:
        raise InputError(f"{address}: {error}") from error
    except Exception as error:  # Each kind of store raises errors of its own.
        raise PhotoUnreadable(f"cannot read {address}: {error}; check the address") from error


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")
