"""Faces that were marked by hand: parts of a user's own hole that lie apart from every face found.

The finder missed such a face, so nobody has its five points; then the hole itself says where the frame lies.
The holes of covered faces lie in the frame much alike: in 115 photographs of people wearing face masks the
centre of the found hole was (131, 168) px, with quartiles 15 px apart across and 8 px down, and the root of its
area 138 px, quartiles 131 and 145. So placed, the eyes of 57 more lie 0.19 of the eyes' distance from where
they are (median; 0.44 in one of ten): good enough to fill a hole, and worse than points that were found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from demask.geometry import FRAME_POINTS, shrink
from demask.types import Face, Hole, Points

HOLE_CENTRE: Points = np.array([131, 168], np.float32)
HOLE_SIDE_PX = 138.0
FACE_BOX: Points = np.array([(51, 4), (210, 238)], np.float32)
"""Where the box of a face lies in the frame: two corners, medians of the same kind of photographs."""

MIN_SIDE_PX = 4.0
"""A hole that is smaller, as the root of its area in the photo, marks no face: that would have 4 px as well."""

CLOSE_LOOK = 2.2
"""How far around a marked face it is looked for once more, in sizes of it."""

_WORKING_PX = 1600  # Longest side of the picture in which parts are told apart.
_JOIN = 0.3  # Strokes that lie nearer than this share of the larger one paint one face.
_STRAP = 0.4  # What lies beside a face and is smaller than this share of it is a piece of its covering.


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of a hole that lies apart from all faces found.

    Attributes:
        centre: Of its pixels, (x, y) in the photo.
        side_px: The root of its area.
    """

    centre: tuple[float, float]
    side_px: float


def parts_apart(hole: Hole, faces: Sequence[Face]) -> list[Part]:
    """The parts of a hole that belong to no face found, one for each face that they mark.

    Args:
        hole: bool [H, W] of the photo, True = fill.
        faces: All faces found.

    Returns:
        Parts from left to right; strokes that lie close together are one.
    """
    factor = max(1, -(-max(hole.shape) // _WORKING_PX))
    soft, ratio = shrink(hole.astype(np.uint8) * 255, factor)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((soft > 0).astype(np.uint8), connectivity=8)
    # Boxes (x0, y0, x1, y1), the faces' in pixels of the small picture too.
    boxes = stats[:, :4].astype(np.float64)
    boxes[:, 2:] += boxes[:, :2]
    taken = [np.array(face.box, np.float64) / np.tile(ratio, 2) for face in faces]
    groups: list[tuple[list[int], np.ndarray]] = []
    for label in range(1, count):
        if not any(_belongs(labels, label, boxes[label], box) for box in taken):
            _join(groups, [label], boxes[label])
    parts = []
    for members, _ in groups:
        weights = np.where(np.isin(labels, members), soft, 0).astype(np.float64) / 255
        area, (ys, xs) = weights.sum(), np.nonzero(weights)
        centre = (np.stack([xs, ys]) * weights[ys, xs]).sum(1) / area
        x, y = (centre + 0.5) * ratio - 0.5
        parts.append(Part(centre=(float(x), float(y)), side_px=float(np.sqrt(area * ratio.prod()))))
    return sorted((part for part in parts if part.side_px >= MIN_SIDE_PX), key=lambda part: part.centre)


def face_marked_by(part: Part, *, turns: int = 0) -> Face:
    """The face whose covering a part of a hole paints, as covered faces usually lie.

    Args:
        part: See `parts_apart`.
        turns: Quarter turns, clockwise, of the heads in the photo.
    """
    step = {0: (1, 0), 1: (0, 1), 2: (-1, 0), 3: (0, -1)}[turns % 4]
    turn = np.array([[step[0], -step[1]], [step[1], step[0]]], np.float32)

    def to_photo(points: Points) -> Points:
        moved = (points - HOLE_CENTRE) @ turn.T * (part.side_px / HOLE_SIDE_PX) + part.centre
        return moved.astype(np.float32)

    corners = to_photo(FACE_BOX)
    (x0, y0), (x1, y1) = corners.min(0).tolist(), corners.max(0).tolist()
    return Face(box=(x0, y0, x1, y1), points=to_photo(FRAME_POINTS), score=0.0)


def _belongs(labels: np.ndarray, label: int, box: np.ndarray, face: np.ndarray) -> bool:
    """Whether one stroke paints a face found: it touches the face's box, or is a strap beside it."""
    x0, y0 = np.maximum(np.floor(face[:2]).astype(int), 0)
    x1, y1 = np.maximum(np.ceil(face[2:]).astype(int) + 1, 0)
    if (labels[y0:y1, x0:x1] == label).any():
        return True
    size = (face[2:] - face[:2]).max()
    small = (box[2:] - box[:2]).max() < _STRAP * size
    return bool(small and _gap(box, face) < size / 2)


def _gap(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.maximum(np.maximum(one[:2] - other[2:], other[:2] - one[2:]), 0).max())


def _join(groups: list[tuple[list[int], np.ndarray]], members: list[int], box: np.ndarray) -> None:
    """Add a stroke to the group that it lies near, which may then lie near to others."""
    for index, (others, around) in enumerate(groups):
        size = max((box[2:] - box[:2]).max(), (around[2:] - around[:2]).max())
        if _gap(box, around) < _JOIN * size:
            del groups[index]
            together = np.concatenate([np.minimum(box[:2], around[:2]), np.maximum(box[2:], around[2:])])
            _join(groups, [*others, *members], together)
            return
    groups.append((members, box))
