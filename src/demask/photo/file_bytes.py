"""The bytes of a photo's file, never more than a photo can have, and never of what is no file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from demask.errors import InputError, PhotoUnreadable

_BYTES_PER_PIXEL = 8
"""Of the largest kind we read, 16-bit RGBA without compression."""
_BYTES_BESIDE_PIXELS = 64 * 2**20
"""Room for metadata, previews and thumbnails."""
_PART_BYTES = 2**20


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


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")
