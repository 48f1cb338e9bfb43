"""Faces that a hole painted by hand marks where the finder saw none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from demask.faces.painted import HOLE_CENTRE, HOLE_SIDE_PX, Part, face_marked_by, parts_apart
from demask.geometry import FRAME_POINTS, apply, to_frame
from demask.types import Face, Hole


def disc(x: int, y: int, radius: int, *, size: tuple[int, int] = (400, 600)) -> Hole:
    hole = np.zeros(size, np.uint8)
    cv2.circle(hole, (x, y), radius, 1, -1)
    return hole.astype(bool)


def face(x0: float, y0: float, x1: float, y1: float) -> Face:
    return Face(box=(x0, y0, x1, y1), points=FRAME_POINTS, score=0.9)


@pytest.mark.parametrize("size", [(400, 600), (1600, 2400)])
def test_a_hole_where_nobody_was_found_is_one_part(size: tuple[int, int]) -> None:
    scale = size[0] // 400
    (part,) = parts_apart(disc(300 * scale, 220 * scale, 40 * scale, size=size), [])
    assert part.centre == pytest.approx((300 * scale, 220 * scale), abs=scale)
    assert part.side_px == pytest.approx(np.sqrt(np.pi) * 40 * scale, rel=0.02)


def test_strokes_on_a_found_face_and_straps_beside_it_mark_nobody_else() -> None:
    found = [face(200, 100, 300, 230)]
    over_it = disc(250, 190, 40)
    strap = disc(320, 150, 6)
    assert parts_apart(over_it | strap, found) == []
    neighbour = disc(400, 190, 40)
    (part,) = parts_apart(over_it | strap | neighbour, found)
    assert part.centre == pytest.approx((400, 190), abs=1)


def test_strokes_that_lie_close_paint_one_face() -> None:
    (left_and_right,) = parts_apart(disc(200, 200, 25) | disc(260, 200, 25), [])
    assert left_and_right.centre == pytest.approx((230, 200), abs=1)
    assert len(parts_apart(disc(100, 200, 25) | disc(300, 200, 25), [])) == 2


def test_a_speck_marks_nobody() -> None:
    assert parts_apart(disc(100, 100, 1), []) == []
    assert parts_apart(np.zeros((50, 60), bool), []) == []


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_the_frame_has_the_hole_where_coverings_usually_are(turns: int) -> None:
    part = Part(centre=(500.0, 300.0), side_px=2 * HOLE_SIDE_PX)
    marked = face_marked_by(part, turns=turns)
    matrix = to_frame(marked.points)
    at = apply(matrix, np.array([part.centre], np.float32))[0]
    assert at == pytest.approx(HOLE_CENTRE, abs=0.1)
    below = apply(matrix, np.array([(500, 310)], np.float32))[0] - at
    towards = [(0, 5), (5, 0), (0, -5), (-5, 0)][turns]
    assert below == pytest.approx(towards, abs=0.1)
    x0, y0, x1, y1 = marked.box
    assert x0 < part.centre[0] < x1
    assert y0 < part.centre[1] < y1
