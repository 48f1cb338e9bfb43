"""The canonical frame: one 256 px crop per face, eyes and mouth always in the same place.

The similarity transform that brings the five points nearest (least squares) to `FRAME_POINTS`
is Umeyama's (IEEE TPAMI 13(4), 1991, eq. 34-43) without reflection.
"""

from __future__ import annotations

import cv2
import numpy as np

from demask.errors import InputError
from demask.types import Hole, ImageU8, Matrix, Points

FRAME_PX = 256
FRAME_POINTS: Points = np.array([(90, 92), (166, 92), (128, 136), (97, 176), (159, 176)], dtype=np.float32)
"""Where left eye, right eye, nose tip, left and right mouth corner belong, in picture order."""

EYE_DISTANCE_PX = float(FRAME_POINTS[1, 0] - FRAME_POINTS[0, 0])
"""Between the pupils in the frame: the unit of landmark errors."""

ARCFACE_PX = 112
ARCFACE_POINTS: Points = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)],
    dtype=np.float32,
)
"""Left eye, right eye, nose tip, mouth corners in ArcFace's 112 px crop (arXiv:1801.07698, sec. 3.1)."""


def require_crops(crops: ImageU8) -> None:
    """Refuse anything but aligned crops, uint8 RGB [N, 256, 256, 3]; any N, also 0.

    Raises:
        InputError: The crops have another shape or type.
    """
    if crops.ndim != 4 or crops.shape[1:] != (FRAME_PX, FRAME_PX, 3) or crops.dtype != np.uint8:
        raise InputError(
            f"got crops {crops.shape} {crops.dtype}, need uint8 [N, {FRAME_PX}, {FRAME_PX}, 3]; "
            "cut them with crop_to_frame"
        )


def similarity(source: Points, target: Points) -> Matrix:
    """Fit the similarity transform (rotation, uniform scale, shift) from `source` to `target`.

    Args:
        source: float [N, 2], N >= 2, not all equal.
        target: float [N, 2].

    Returns:
        float64 [2, 3] that maps a point of `source` near its `target`.

    Raises:
        InputError: The source points coincide, so no scale can be told.
    """
    source64, target64 = source.astype(np.float64), target.astype(np.float64)
    centre_s, centre_t = source64.mean(0), target64.mean(0)
    s, t = source64 - centre_s, target64 - centre_t
    spread = float((s**2).sum())
    if not np.isfinite(spread) or spread < 1e-6:
        raise InputError("the five points of a face coincide; a face needs points that lie apart")
    # In the plane the optimum is closed-form: a = scale*cos, b = scale*sin.
    a = float((s * t).sum()) / spread
    b = float((s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum()) / spread
    linear = np.array([[a, -b], [b, a]])
    return np.column_stack([linear, centre_t - linear @ centre_s])


def to_frame(points: Points) -> Matrix:
    """Map from the photo to the canonical frame for five points, [5, 2] in pixels of the photo."""
    return similarity(points, FRAME_POINTS)


def invert(matrix: Matrix) -> Matrix:
    """Inverse of an affine map, float64 [2, 3]."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def apply(matrix: Matrix, points: Points) -> Points:
    """Move points [N, 2] (or [N, 3]: z is scaled alike) by an affine map; same shape, float32."""
    moved = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    if points.shape[1] == 3:
        scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
        moved = np.column_stack([moved, points[:, 2] * scale])
    return moved.astype(np.float32)


def scale_of(matrix: Matrix) -> float:
    """How many frame pixels one photo pixel becomes."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def crop_to_frame(photo: ImageU8, matrix: Matrix, *, size_px: int = FRAME_PX) -> tuple[ImageU8, Hole]:
    """Cut the aligned crop out of a photo.

    A photo much larger than the frame is averaged down first, so that no detail aliases.

    Args:
        photo: uint8 RGB [H, W, 3].
        matrix: Photo to frame, as from `to_frame`.
        size_px: Side of the square that is returned.

    Returns:
        The crop, uint8 [size_px, size_px, 3], black where the photo ends, and the valid region,
        bool [size_px, size_px], True where the photo was.
    """
    height, width = photo.shape[:2]
    # Only the part of the photo under the frame matters: everything below works on that window.
    corners = np.array([(0, 0), (size_px, 0), (size_px, size_px), (0, size_px)], dtype=np.float32)
    under = apply(invert(matrix), corners)
    x0, y0 = np.clip(np.floor(under.min(0)).astype(int) - 4, 0, [width, height])
    x1, y1 = np.clip(np.ceil(under.max(0)).astype(int) + 5, 0, [width, height])
    if x1 <= x0 or y1 <= y0:
        return np.zeros((size_px, size_px, 3), np.uint8), np.zeros((size_px, size_px), bool)
    window = photo[y0:y1, x0:x1]
    local = matrix.copy()
    local[:, 2] += local[:, :2] @ np.array([x0, y0], dtype=np.float64)
    factor = int(1 / max(scale_of(matrix), 1e-6))
    if factor >= 2 and min(window.shape[:2]) >= 2 * factor:
        small_w, small_h = window.shape[1] // factor, window.shape[0] // factor
        ratio = np.array([window.shape[1] / small_w, window.shape[0] / small_h])
        window = np.asarray(cv2.resize(window, (small_w, small_h), interpolation=cv2.INTER_AREA), np.uint8)
        valid_window = np.full((small_h, small_w), 255, np.uint8)
        # Pixel centres: x_large = (x_small + 0.5) * ratio - 0.5.
        local[:, 2] += local[:, :2] @ (0.5 * ratio - 0.5)
        local[:, :2] *= ratio
    else:
        valid_window = np.full(window.shape[:2], 255, np.uint8)
    warped = cv2.warpAffine(
        window, local, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    valid = cv2.warpAffine(valid_window, local, (size_px, size_px), flags=cv2.INTER_LINEAR) >= 254
    crop = np.asarray(warped, np.uint8)
    crop[~valid] = 0
    return crop, valid
