"""Photos that lie on their side."""

from __future__ import annotations

import numpy as np
import pytest

from demask.faces.turned import SURE, find_in_any_turn, quarter_turns
from demask.types import Face, ImageU8

MOUTH = np.array([(-1, 2), (1, 2)])
PHOTO = np.zeros((60, 90, 3), np.uint8)
PHOTO[20, 70] = (255, 0, 0)  # A left eye; the right one is 4 px to its right, the nose 3 px below.
PHOTO[20, 74] = (0, 255, 0)
PHOTO[23, 72] = (0, 0, 255)


def find(photo: ImageU8) -> list[Face]:
    """The face, where it stands upright."""
    eye, other, nose = (np.argwhere(photo[..., channel] == 255)[0][::-1] for channel in range(3))
    if other[0] <= eye[0] or nose[1] <= eye[1]:
        return []
    points = np.array([eye, other, nose, nose + MOUTH[0], nose + MOUTH[1]], np.float32)
    low, high = points.min(0).tolist(), points.max(0).tolist()
    return [Face(box=(low[0], low[1], high[0], high[1]), points=points, score=0.9)]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_face_is_found_whichever_way_the_photo_lies(turns: int) -> None:
    """`turns` times clockwise: the points are told where they are in the photo as it came."""
    photo = np.ascontiguousarray(np.rot90(PHOTO, -turns))
    (face,) = find_in_any_turn(find, photo)
    for point, colour in zip(face.points[:3].astype(int), np.eye(3) * 255, strict=True):
        assert photo[point[1], point[0]].tolist() == colour.tolist()
    assert quarter_turns(face.points) == turns
    x0, y0, x1, y1 = face.box
    assert (x0, y0) == tuple(face.points.min(0))
    assert (x1, y1) == tuple(face.points.max(0))


def looks(*scores: float) -> tuple[list[ImageU8], list[Face]]:
    """What is looked at, and found, where each look finds a face of such a score (0: none)."""
    seen: list[ImageU8] = []

    def told(photo: ImageU8) -> list[Face]:
        seen.append(photo)
        score = scores[len(seen) - 1]
        points = np.array([(1, 1), (5, 1), (3, 3), (2, 5), (4, 5)], np.float32)
        return [Face(box=(1, 1, 5, 5), points=points, score=score)] if score else []

    return seen, find_in_any_turn(told, PHOTO)


def test_a_photo_with_a_sure_face_is_looked_at_once() -> None:
    seen, _ = looks(SURE)
    assert len(seen) == 1


def test_only_a_surer_face_turns_the_photo() -> None:
    assert quarter_turns(looks(0.7, 0.79, 0.0, 0.79)[1][0].points) == 0
    assert quarter_turns(looks(0.7, 0.0, 0.85, 0.82)[1][0].points) == 3
    assert looks(0, 0.79, 0, 0)[1] == []
