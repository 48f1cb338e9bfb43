"""Affine maps, and the canonical frame: one 256 px crop per face, eyes and mouth always in the same place.

An affine map is float64 [2, 3] and moves points as (x, y) columns: `q = M[:, :2] @ p + M[:, 2]`. Pixel
centres are at whole numbers. The similarity transform that brings the five points nearest (least squares) to
`FRAME_POINTS` is Umeyama's (IEEE TPAMI 13(4), 1991, eq. 34-43) without reflection.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from demask.errors import InputError
from demask.types import AnyArray, Floats64, Hole, ImageU8, Matrix, Points

FRAME_PX = 256
FRAME_POINTS: Points = np.array([(90, 92), (166, 92), (128, 136), (97, 176), (159, 176)], dtype=np.float32)
"""Where left eye, right eye, nose tip, left and right mouth corner belong, in picture order."""

EYE_DISTANCE_PX = float(FRAME_POINTS[1, 0] - FRAME_POINTS[0, 0])
"""Between the pupils in the frame: the unit of landmark errors."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A square of the canonical frame that networks are shown, at the frame's own scale.

    Attributes:
        x0: Where it begins, in pixels of the frame; negative = beside the face.
        y0: The same, downwards.
        side_px: Its side; a multiple of CELL_PX, as the offsets are.
    """

    x0: int
    y0: int
    side_px: int

    def of(self, matrix: Matrix) -> Matrix:
        """The map from the photo to this window, for a map from the photo to the frame."""
        moved = matrix.copy()
        moved[:, 2] -= (self.x0, self.y0)
        return moved

    def within(self, other: Window) -> tuple[slice, slice]:
        """Rows and columns of `other` that show this window, which lies inside it."""
        top, left = self.y0 - other.y0, self.x0 - other.x0
        return slice(top, top + self.side_px), slice(left, left + self.side_px)


CELL_PX = 16
"""Side of the cells that the networks' bottom sees; windows begin and end between two cells."""

TIGHT = Window(x0=0, y0=0, side_px=FRAME_PX)
"""The face alone: enough for a covering that ends at the chin and before the ears."""

WIDE = Window(x0=-64, y0=-32, side_px=384)
"""The face with 0.84 eye distances more to each side, 0.42 above and 1.26 below: coverings that run on."""

WINDOWS = (TIGHT, WIDE)

ARCFACE_PX = 112
ARCFACE_POINTS: Points = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)],
    dtype=np.float32,
)
"""Left eye, right eye, nose tip, mouth corners in ArcFace's 112 px crop (arXiv:1801.07698, sec. 3.1)."""


def require_crops(crops: ImageU8) -> None:
    """Refuse anything but aligned crops of one window, uint8 RGB [N, S, S, 3] with S 256 or 384; any N, also 0.

    Raises:
        InputError: The crops have another shape or type.
    """
    sides = [window.side_px for window in WINDOWS]
    square = crops.ndim == 4 and crops.shape[1] == crops.shape[2] and crops.shape[3] == 3
    if not square or crops.shape[1] not in sides or crops.dtype != np.uint8:
        raise InputError(
            f"got crops {crops.shape} {crops.dtype}, need uint8 [N, S, S, 3] with S one of "
            f"{', '.join(map(str, sides))}; cut them with crop_to_frame"
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
    """Inverse of an affine map."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def compose(then: Matrix, first: Matrix) -> Matrix:
    """The map that moves by `first`, then by `then`."""
    return np.column_stack([then[:, :2] @ first[:, :2], then[:, :2] @ first[:, 2] + then[:, 2]])


def from_window(matrix: Matrix, x0: float, y0: float) -> Matrix:
    """The same map for points that are counted from (x0, y0) of its source."""
    local = matrix.copy()
    local[:, 2] += local[:, :2] @ np.array([x0, y0], dtype=np.float64)
    return local


def from_shrunk(matrix: Matrix, ratio: Floats64) -> Matrix:
    """The same map for a source that was shrunk `ratio` = (x, y) times: x_large = (x + 0.5) * ratio - 0.5."""
    local = matrix.copy()
    local[:, 2] += local[:, :2] @ (0.5 * ratio - 0.5)
    local[:, :2] *= ratio
    return local


def is_invertible(matrix: Matrix) -> bool:
    """Whether a map has an inverse that floats can hold."""
    return bool(np.isfinite(matrix).all() and abs(np.linalg.det(matrix[:, :2])) >= 1e-12)


def apply(matrix: Matrix, points: Points) -> Points:
    """Move points [N, 2] (or [N, 3]: z is scaled alike) by an affine map; same shape, float32."""
    moved = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    if points.shape[1] == 3:
        moved = np.column_stack([moved, points[:, 2] * scale_of(matrix)])
    return moved.astype(np.float32)


def scale_of(matrix: Matrix) -> float:
    """How many pixels of the target one pixel of the source becomes: of the frame, one of the photo."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def corners_under(matrix: Matrix, x0: float, y0: float, x1: float, y1: float) -> Floats64:
    """Corners, in the source, of an upright rectangle of the target: float64 [4, 2]."""
    inverse = np.linalg.inv(matrix[:, :2])
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)
    return corners @ inverse.T - inverse @ matrix[:, 2]


def box_around(points: AnyArray, shape: tuple[int, ...], *, margin_px: int) -> tuple[int, int, int, int] | None:
    """Box (x0, y0, x1, y1) of the pixels around some points, cut off at the edges of a picture.

    Args:
        points: [N, 2].
        shape: (H, W, ...) of the picture.
        margin_px: Pixels added on every side; x1 and y1 get one more, as they lie outside the box.

    Returns:
        Whole numbers, fit for slicing; None where the picture has no pixel there.
    """
    size = (shape[1], shape[0])
    x0, y0 = np.clip(np.floor(points.min(0)).astype(int) - margin_px, 0, size).tolist()
    x1, y1 = np.clip(np.ceil(points.max(0)).astype(int) + margin_px + 1, 0, size).tolist()
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def shrink(picture: AnyArray, factor: int) -> tuple[AnyArray, Floats64]:
    """Average a picture down by about a whole factor; return it and the exact ratios (x, y)."""
    height, width = picture.shape[:2]
    size = (max(width // factor, 1), max(height // factor, 1))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return small, np.array([width / size[0], height / size[1]])


def warp_back(
    frame: AnyArray, matrix: Matrix, box: tuple[int, int, int, int], *, how: int, border: int
) -> AnyArray:
    """What a crop of the frame shows in a box of the photo.

    Args:
        frame: [N, N] or [N, N, C].
        matrix: Photo to frame, which is what WARP_INVERSE_MAP asks for.
        box: (x0, y0, x1, y1) in pixels of the photo.
        how: OpenCV's interpolation.
        border: OpenCV's border mode.

    Returns:
        [y1 - y0, x1 - x0], with channels as `frame`, of its type.
    """
    x0, y0, x1, y1 = box
    size = (x1 - x0, y1 - y0)
    local = from_window(matrix, x0, y0)
    return cv2.warpAffine(frame, local, size, flags=how | cv2.WARP_INVERSE_MAP, borderMode=border)


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
    # Only the part of the photo under the frame matters: everything below works on that window.
    under = corners_under(matrix, 0, 0, size_px, size_px).astype(np.float32)
    box = box_around(under, photo.shape, margin_px=4)
    if box is None:
        return np.zeros((size_px, size_px, 3), np.uint8), np.zeros((size_px, size_px), bool)
    x0, y0, x1, y1 = box
    window: AnyArray = photo[y0:y1, x0:x1]
    local = from_window(matrix, x0, y0)
    factor = int(1 / max(scale_of(matrix), 1e-6))
    if factor >= 2 and min(window.shape[:2]) >= 2 * factor:
        window, ratio = shrink(window, factor)
        local = from_shrunk(local, ratio)
    warped = cv2.warpAffine(
        window, local, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    everywhere = np.full(window.shape[:2], 255, np.uint8)
    valid = cv2.warpAffine(everywhere, local, (size_px, size_px), flags=cv2.INTER_LINEAR) >= 254
    crop = np.asarray(warped, np.uint8)
    crop[~valid] = 0
    return crop, valid


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Framed:
    """A face in a window of the canonical frame, cut out of its photo once for finding, restoring and pasting.

    Attributes:
        matrix: Photo to this window.
        crop: uint8 RGB [S, S, 3], black where the photo ends; S is the window's side.
        valid: Where the photo was, bool [S, S].
        window: Which part of the frame it shows.
    """

    matrix: Matrix
    crop: ImageU8
    valid: Hole
    window: Window = TIGHT

    @classmethod
    def cut(cls, photo: ImageU8, matrix: Matrix, window: Window = TIGHT) -> Framed:
        """Cut a window of the frame; `matrix` maps from the photo to the frame."""
        return cls._cut(photo, window.of(matrix), window)

    def again(self, photo: ImageU8) -> Framed:
        """The same window of the same place, of a photo that has changed."""
        return self._cut(photo, self.matrix, self.window)

    def part(self, window: Window) -> Framed:
        """A smaller window, which lies inside this one: a view, nothing is cut again."""
        if window == self.window:
            return self
        here = window.within(self.window)
        matrix = self.matrix.copy()
        matrix[:, 2] -= (window.x0 - self.window.x0, window.y0 - self.window.y0)
        return Framed(matrix=matrix, crop=self.crop[here], valid=self.valid[here], window=window)

    @classmethod
    def _cut(cls, photo: ImageU8, matrix: Matrix, window: Window) -> Framed:
        crop, valid = crop_to_frame(photo, matrix, size_px=window.side_px)
        return cls(matrix=matrix, crop=crop, valid=valid, window=window)
