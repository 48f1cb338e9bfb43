"""Holes between the frame and the photo."""

from __future__ import annotations

import numpy as np
import pytest

from demask.faces.reach import coverage_from_photo, hole_in_photo, rect_of, touches
from demask.geometry import FRAME_POINTS, to_frame
from demask.types import Hole, Matrix


def turned(scale: float, angle_deg: float, x: float, y: float) -> Matrix:
    """Photo to frame for a face that is larger, turned and shifted in the photo."""
    angle = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (FRAME_POINTS - 128) @ turn.T * scale + (x, y)
    return to_frame(points.astype(np.float32))


def disc(radius: int = 60) -> Hole:
    y, x = np.mgrid[0:256, 0:256]
    hole: Hole = (x - 130) ** 2 + (y - 160) ** 2 < radius**2
    return hole


@pytest.mark.parametrize(("scale", "angle"), [(0.5, 0), (1.0, 20), (2.7, -35), (6.0, 10)])
def test_there_and_back(scale: float, angle: float) -> None:
    matrix = turned(scale, angle, 900, 800)
    hole = disc()
    there = hole_in_photo(hole, matrix, (1700, 1900))
    assert there.sum() == pytest.approx(hole.sum() * scale**2, rel=0.03)
    back = coverage_from_photo(there, matrix) > 0.5
    assert (back ^ hole).sum() < 0.05 * hole.sum()
    corners = rect_of(hole, matrix)
    ys, xs = np.nonzero(there)
    assert corners[:, 0].min() - 2 <= xs.min() <= xs.max() <= corners[:, 0].max() + 2
    assert corners[:, 1].min() - 2 <= ys.min() <= ys.max() <= corners[:, 1].max() + 2


def test_outside_the_photo() -> None:
    matrix = turned(1.0, 0, 5000, 5000)
    assert not hole_in_photo(disc(), matrix, (300, 300)).any()
    assert not coverage_from_photo(np.ones((300, 300), bool), matrix).any()
    assert not hole_in_photo(np.zeros((256, 256), bool), matrix, (300, 300)).any()


def test_a_photo_that_ends_in_the_face() -> None:
    matrix = turned(1.0, 0, 20, 128)
    there = hole_in_photo(disc(), matrix, (300, 60))
    assert there.any()
    assert there.sum() < disc().sum()


def test_touching_a_box() -> None:
    hole = np.zeros((100, 100), bool)
    hole[50, 60] = True
    assert touches(hole, (60.0, 50.0, 80.0, 80.0))
    assert touches(hole, (-20.0, -20.0, 60.2, 50.3))
    assert not touches(hole, (62.0, 50.0, 80.0, 80.0))
    assert not touches(hole, (-50.0, -50.0, -10.0, -10.0))
