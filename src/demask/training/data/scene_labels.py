"""A canvas that a training scene is put together on, and the labels of what it shows.

The geometry of labels is here too: where boxes and points go when a picture is turned or mirrored.

Which cell of the finder answers for which face.
Centre sampling by face size in the manner of FCOS (Tian et al. 2019, arXiv:1904.01355, sec. 3.2), with
ranges of size that overlap and a ring of undecided cells around every centre. numpy, so that the
loader's workers do it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from demask.types import AnyArray, ImageU8, Matrix

_FLIPPED_ORDER = [1, 0, 2, 4, 3]
STRIDES = (8, 16, 32)
"""The finder's grids; a test holds them equal to the network's."""
SIZE_RANGES_PX = ((0.0, 44.0), (30.0, 104.0), (72.0, np.inf))
"""Face sizes (root of the box's area) that each grid answers for; where two do, the better one wins."""
CENTRE_FRACTION = 0.2
"""A cell within this fraction of a box's sides from its centre must find the face."""
UNDECIDED_FRACTION = 0.34
"""Cells out to this fraction may find it or not: no loss there."""
# Below this fraction of the box in view a face is not asked for; from the first on it is expected.
_EXPECTED_FRACTION, _UNDECIDED_FRACTION = 0.72, 0.1


class Scene(NamedTuple):
    """A picture and what is known about it, in its pixels."""

    photo: ImageU8  # uint8 [S, S, 3]
    boxes: AnyArray  # float32 [M, 4]
    points: AnyArray  # float32 [M, 5, 2]
    ignored: AnyArray  # float32 [K, 4]: faces too small or cut too far to ask for
    covered: AnyArray  # bool [M]: whether the face wears a covering


class Stage:
    """A canvas being filled, and the labels of what it shows so far."""

    def __init__(self, canvas: ImageU8, room: tuple[int, int, int, int]) -> None:
        self.canvas, self.room = canvas, room
        self.boxes: list[AnyArray] = []
        self.points: list[AnyArray] = []
        self.ignored: list[AnyArray] = []
        self.covered: list[bool] = []

    def spot(self, rng: np.random.Generator, box: AnyArray) -> tuple[int, int]:
        """Where a tile may lie whose face is at `box`: mostly in full view, sometimes cut by the edge."""
        spread = box[2:] - box[:2]
        low, high = np.array(self.room[:2]) - box[:2], np.array(self.room[2:]) - box[2:]
        # A face nearly as large as the room, and one in eight others, may stick out a little.
        slack = 0.15 * spread if rng.random() < 0.12 or (high < low).any() else np.zeros(2)
        low, high = low - slack, high + slack
        middle = (low + high) / 2
        left, top = rng.uniform(np.minimum(low, middle), np.maximum(high, middle))
        return int(left), int(top)

    def hides(self, left: int, top: int, width: int, height: int) -> bool:
        """Whether a tile there would cover a face that is already labelled or undecided."""
        return any(
            left < box[2] and box[0] < left + width and top < box[3] and box[1] < top + height
            for box in (*self.boxes, *self.ignored)
        )

    def under(self, left: int, top: int, width: int, height: int) -> ImageU8:
        """What the canvas shows there, its edge repeated outside."""
        S = self.canvas.shape[0]
        rows = np.clip(np.arange(top, top + height), 0, S - 1)
        columns = np.clip(np.arange(left, left + width), 0, S - 1)
        return self.canvas[rows[:, None], columns[None, :]]

    def paste(self, tile: ImageU8, left: int, top: int, *, soft: bool) -> None:
        """Put a tile on the canvas, its edge hard or fading over a few pixels."""
        S = self.canvas.shape[0]
        h, w = tile.shape[:2]
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + w, S), min(top + h, S)
        if x1 <= x0 or y1 <= y0:
            return
        part = tile[y0 - top : y1 - top, x0 - left : x1 - left]
        below = self.canvas[y0:y1, x0:x1]
        if soft:
            fade = 1 + min(w, h) * 0.08
            along = [
                np.clip((np.minimum(np.arange(n), n - 1 - np.arange(n)) + 0.5) / fade, 0, 1) for n in (h, w)
            ]
            alpha = np.minimum(along[0][:, None], along[1][None, :])[
                y0 - top : y1 - top, x0 - left : x1 - left, None
            ]
            part = (below + alpha.astype(np.float32) * (part.astype(np.float32) - below)).astype(np.uint8)
        self.canvas[y0:y1, x0:x1] = part

    def label(
        self, box: AnyArray, points: AnyArray, matrix: Matrix, *, covered: bool, smallest_px: float = 0.0
    ) -> None:
        """Note a face that `matrix` brought onto the canvas; one below `smallest_px` is left undecided."""
        box = moved_box(box, matrix)
        points = points @ matrix[:, :2].T + matrix[:, 2]
        if np.linalg.det(matrix[:, :2]) < 0:
            points = points[_FLIPPED_ORDER]
        room = np.array(self.room)
        seen = np.maximum(np.minimum(box[2:], room[2:]) - np.maximum(box[:2], room[:2]), 0)
        area = float((box[2:] - box[:2]).prod())
        fraction = float(seen.prod()) / area
        if fraction >= _EXPECTED_FRACTION and area >= smallest_px**2:
            self.boxes.append(box)
            self.points.append(points)
            self.covered.append(covered)
        elif fraction > _UNDECIDED_FRACTION:
            self.ignored.append(box)


def moved_box(box: AnyArray, matrix: Matrix) -> AnyArray:
    """Where the box of a face goes: that of the ellipse inside it, as a head has no corners to turn."""
    centre = matrix[:, :2] @ ((box[:2] + box[2:]) / 2) + matrix[:, 2]
    half = np.sqrt((matrix[:, :2] ** 2) @ (((box[2:] - box[:2]) / 2) ** 2))
    return np.concatenate([centre - half, centre + half])


def chain(second: Matrix, first: Matrix) -> Matrix:
    """The affine map that does `first`, then `second`."""
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])


def after_flip(matrix: Matrix, width: int) -> Matrix:
    """The affine map that mirrors a picture of this width, then does `matrix`."""
    return chain(matrix, np.array([[-1.0, 0, width - 1], [0, 1, 0]]))


NEGATIVE, UNDECIDED = -1, -2


class Targets(NamedTuple):
    """What each of the N cells should say."""

    face: AnyArray  # int64 [N]: index of the face, NEGATIVE or UNDECIDED
    boxes: AnyArray  # float32 [N, 4] of that face, else 0
    points: AnyArray  # float32 [N, 5, 2] of that face, else 0


def grid(height: int, width: int) -> AnyArray:
    """Centre and stride of every cell, float32 [N, 3], in the network's order."""
    levels = []
    for stride in STRIDES:
        y, x = np.mgrid[0 : height // stride, 0 : width // stride].astype(np.float32)
        centre = (stride - 1) / 2
        full = np.full_like(x, stride)
        levels.append(np.stack([x * stride + centre, y * stride + centre, full], axis=-1).reshape(-1, 3))
    return np.concatenate(levels)


def assign(boxes: AnyArray, points: AnyArray, ignored: AnyArray, *, height: int, width: int) -> Targets:
    """Give every cell its face.

    Args:
        boxes: float32 [M, 4] of the labelled faces, in pixels of the scene.
        points: float32 [M, 5, 2].
        ignored: float32 [K, 4], regions where nobody knows: cells inside are undecided.
        height: Of the scene, a multiple of 32.
        width: Likewise.
    """
    cells = grid(height, width)
    x, y, stride = cells.T
    face = np.full(len(cells), NEGATIVE, np.int64)
    for x0, y0, x1, y1 in ignored:
        face[(x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)] = UNDECIDED
    sizes = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    # Small faces last: where two faces want one cell, the smaller has fewer others to choose from.
    for index in np.argsort(-sizes, kind="stable"):
        x0, y0, x1, y1 = boxes[index]
        off_x, off_y = np.abs(x - (x0 + x1) / 2), np.abs(y - (y0 + y1) / 2)
        in_range = np.zeros(len(cells), bool)
        for level_stride, (smallest, largest) in zip(STRIDES, SIZE_RANGES_PX, strict=True):
            if smallest <= sizes[index] < largest:
                in_range |= stride == level_stride
        # 0.7 strides from the centre there is always a cell, however small the face.
        reach_x, reach_y = (np.maximum(CENTRE_FRACTION * side, 0.7 * stride) for side in (x1 - x0, y1 - y0))
        grown = UNDECIDED_FRACTION / CENTRE_FRACTION
        distance = (off_x / reach_x) ** 2 + (off_y / reach_y) ** 2
        ring = in_range & (distance <= grown**2) & (face == NEGATIVE)
        face[ring] = UNDECIDED
        centre = in_range & (distance <= 1)
        if not centre.any():
            # Diagonally between four cells of a coarse grid: the nearest one takes it.
            centre = in_range & (distance <= distance[in_range].min() + 1e-6)
        face[centre] = index
    chosen = np.maximum(face, 0)
    if len(boxes) == 0:
        return Targets(face, np.zeros((len(cells), 4), np.float32), np.zeros((len(cells), 5, 2), np.float32))
    positive = face >= 0
    return Targets(
        face,
        np.where(positive[:, None], boxes[chosen], 0).astype(np.float32),
        np.where(positive[:, None, None], points[chosen], 0).astype(np.float32),
    )
