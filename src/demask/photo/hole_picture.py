"""A hole as a picture and back: black and white PNG, white = to be filled."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from demask.errors import OutputError
from demask.photo.decode import read_photo
from demask.types import Hole


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
