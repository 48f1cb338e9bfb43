"""Frames as bare RGB bytes, one after the other, as `ffmpeg -f rawvideo -pix_fmt rgb24` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from demask.errors import InputError
from demask.types import ImageU8


def raw_frames(stream: BinaryIO, *, width: int, height: int) -> Iterator[ImageU8]:
    """Cut a stream into frames, uint8 RGB [H, W, 3].

    Args:
        stream: An open pipe or file.
        width: Pixels across.
        height: Pixels down.

    Raises:
        InputError: The stream ends within a frame.
    """
    size = width * height * 3
    for count in range(1 << 62):
        data = bytearray()
        while len(data) < size and (part := stream.read(size - len(data))):
            data += part
        if not data:
            return
        if len(data) < size:
            raise InputError(
                f"the stream ends within frame {count}: {len(data)} of {size} bytes; is it "
                f"{width}x{height} of rgb24?"
            )
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
