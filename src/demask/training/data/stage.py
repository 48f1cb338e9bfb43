"""A canvas that a training scene is put together on, and the labels of what it shows.

The geometry of labels is here too: where boxes and points go when a picture is turned or mirrored.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from demask.types import AnyArray, ImageU8, Matrix

# Below this fraction of the box in view a face is not asked for; from the first on it is expected.
_EXPECTED_FRACTION, _UNDECIDED_FRACTION = 0.72, 0.1
_FLIPPED_ORDER = [1, 0, 2, 4, 3]


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
