"""Pictures without a photo's trimmings: a hole in black and white, frames as bare RGB bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from demask.errors import InputError, OutputError
from demask.photo.decode import read_photo
from demask.types import Hole, ImageU8


def hole_png(hole: Hole) -> bytes:
    """A hole, bool [H, W], as a PNG: white = hole."""
    done, data = cv2.imencode(".png", hole.astype(np.uint8) * 255)
    if not done:
        raise OutputError("the hole could not be encoded as PNG")
    return bytes(data)


def read_hole(source: Path | bytes, *, max_megapixels: float = 100) -> Hole:
    """Read a hole that a user drew: bright pixels (above 127 in any channel) are to be filled.

    Args:
        source: A picture file, or its bytes.
        max_megapixels: As in `read_photo`; errors are its own too.

    Returns:
        bool [H, W], True = fill.
    """
    hole: Hole = read_photo(source, max_megapixels=max_megapixels).pixels.max(axis=2) > 127
    return hole


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
