"""Between the frame and the photo: where a hole of one lies in the other."""

from __future__ import annotations

import cv2
import numpy as np

from demask.faces.alignment import FRAME_PX, apply, crop_to_frame, invert
from demask.types import Alpha, Hole, Matrix, Points


def touches(hole: Hole, box: tuple[float, float, float, float]) -> bool:
    """Whether a hole of the photo has a pixel inside a box (x0, y0, x1, y1) of it."""
    x0, y0 = (max(int(np.floor(value)), 0) for value in box[:2])
    x1, y1 = (max(int(np.ceil(value)) + 1, 0) for value in box[2:])
    return bool(hole[y0:y1, x0:x1].any())


def rect_of(hole: Hole, matrix: Matrix) -> Points:
    """Corners, in the photo, of the upright rectangle around a hole of the frame: float32 [4, 2].

    Args:
        hole: bool [256, 256], not empty.
        matrix: Photo to frame.
    """
    ys, xs = np.nonzero(hole)
    x0, x1, y0, y1 = xs.min() - 1, xs.max() + 1, ys.min() - 1, ys.max() + 1
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float32)
    return apply(invert(matrix), corners)


def hole_in_photo(hole: Hole, matrix: Matrix, shape: tuple[int, ...]) -> Hole:
    """Warp a hole of the frame into the photo.

    Args:
        hole: bool [256, 256].
        matrix: Photo to frame.
        shape: (H, W) of the photo.

    Returns:
        bool [H, W].
    """
    height, width = shape[:2]
    there = np.zeros((height, width), bool)
    if not hole.any():
        return there
    rect = rect_of(hole, matrix)
    x0, y0 = np.clip(np.floor(rect.min(0)).astype(int) - 1, 0, [width, height])
    x1, y1 = np.clip(np.ceil(rect.max(0)).astype(int) + 2, 0, [width, height])
    if x1 <= x0 or y1 <= y0:
        return there
    local = matrix.copy()
    local[:, 2] += local[:, :2] @ np.array([x0, y0], dtype=np.float64)
    # The matrix maps photo to frame, which is what WARP_INVERSE_MAP asks for.
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (int(x1 - x0), int(y1 - y0))
    there[y0:y1, x0:x1] = cv2.warpAffine(hole.astype(np.float32), local, size, flags=flags) > 0.5
    return there


def coverage_from_photo(hole: Hole, matrix: Matrix) -> Alpha:
    """Warp a hole of the photo into the frame, a photo much larger than the frame averaged down first.

    Args:
        hole: bool [H, W].
        matrix: Photo to frame.

    Returns:
        float32 [256, 256] in [0, 1]: the share of each frame pixel that is hole.
    """
    height, width = hole.shape
    frame = np.array([(0, 0), (FRAME_PX, 0), (FRAME_PX, FRAME_PX), (0, FRAME_PX)], np.float32)
    under = apply(invert(matrix), frame)
    x0, y0 = np.clip(np.floor(under.min(0)).astype(int) - 8, 0, [width, height])
    x1, y1 = np.clip(np.ceil(under.max(0)).astype(int) + 9, 0, [width, height])
    window = hole[y0:y1, x0:x1].astype(np.uint8) * 255
    if window.size == 0:
        return np.zeros((FRAME_PX, FRAME_PX), np.float32)
    local = matrix.copy()
    local[:, 2] += local[:, :2] @ np.array([x0, y0], dtype=np.float64)
    crop, _ = crop_to_frame(np.repeat(window[..., None], 3, axis=2), local)
    return (crop[..., 0] / np.float32(255)).astype(np.float32)
