"""Which cell of the finder answers for which face.

Centre sampling by face size in the manner of FCOS (Tian et al. 2019, arXiv:1904.01355, sec. 3.2), with
ranges of size that overlap and a ring of undecided cells around every centre. numpy, so that the
loader's workers do it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from demask.types import AnyArray

STRIDES = (8, 16, 32)
"""The finder's grids; a test holds them equal to the network's."""

SIZE_RANGES_PX = ((0.0, 44.0), (30.0, 104.0), (72.0, np.inf))
"""Face sizes (root of the box's area) that each grid answers for; where two do, the better one wins."""

CENTRE_FRACTION = 0.2
"""A cell within this fraction of a box's sides from its centre must find the face."""

UNDECIDED_FRACTION = 0.34
"""Cells out to this fraction may find it or not: no loss there."""

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
