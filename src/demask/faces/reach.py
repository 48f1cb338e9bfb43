"""Between the frame and the photo: where a hole of one lies in the other."""

from __future__ import annotations

import cv2
import numpy as np

from demask.geometry import FRAME_PX, box_around, corners_under, crop_to_frame, from_window, warp_back
from demask.types import Alpha, Hole, Matrix, Points


def touches(hole: Hole, box: tuple[float, float, float, float]) -> bool:
    """Whether a hole of the photo has a pixel inside a box (x0, y0, x1, y1) of it."""
    x0, y0 = (max(int(np.floor(value)), 0) for value in box[:2])
    x1, y1 = (max(int(np.ceil(value)) + 1, 0) for value in box[2:])
    return bool(hole[y0:y1, x0:x1].any())


def rect_of(hole: Hole, matrix: Matrix) -> Points:
    """Corners, in the photo, of the upright rectangle around a hole of the frame: float32 [4, 2].

    Args:
        hole: bool [S, S] of a window, not empty.
        matrix: Photo to that window.
    """
    ys, xs = np.nonzero(hole)
    x0, x1, y0, y1 = xs.min() - 1, xs.max() + 1, ys.min() - 1, ys.max() + 1
    return corners_under(matrix, x0, y0, x1, y1).astype(np.float32)


def hole_in_photo(hole: Hole, matrix: Matrix, shape: tuple[int, ...]) -> Hole:
    """Warp a hole of the frame into the photo.

    Args:
        hole: bool [S, S] of a window.
        matrix: Photo to that window.
        shape: (H, W) of the photo.

    Returns:
        bool [H, W].
    """
    height, width = shape[:2]
    there = np.zeros((height, width), bool)
    if not hole.any():
        return there
    box = box_around(rect_of(hole, matrix), there.shape, margin_px=1)
    if box is None:
        return there
    x0, y0, x1, y1 = box
    covered = warp_back(hole.astype(np.float32), matrix, box, how=cv2.INTER_LINEAR, border=cv2.BORDER_CONSTANT)
    there[y0:y1, x0:x1] = covered > 0.5
    return there


def coverage_from_photo(hole: Hole, matrix: Matrix, *, side_px: int = FRAME_PX) -> Alpha:
    """Warp a hole of the photo into the frame, a photo much larger than the frame averaged down first.

    Args:
        hole: bool [H, W].
        matrix: Photo to a window of the frame.
        side_px: Side of that window.

    Returns:
        float32 [side_px, side_px] in [0, 1]: the fraction of each pixel of the window that is hole.
    """
    under = corners_under(matrix, 0, 0, side_px, side_px).astype(np.float32)
    box = box_around(under, hole.shape, margin_px=8)
    if box is None:
        return np.zeros((side_px, side_px), np.float32)
    x0, y0, x1, y1 = box
    window = hole[y0:y1, x0:x1].astype(np.uint8) * 255
    local = from_window(matrix, x0, y0)
    crop, _ = crop_to_frame(np.repeat(window[..., None], 3, axis=2), local, size_px=side_px)
    return (crop[..., 0] / np.float32(255)).astype(np.float32)
