"""A plain wall behind drawn heads."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from demask.coverings.wall import before_wall
from demask.errors import InputError
from demask.faces.landmarks import landmarks_from_points
from demask.geometry import FRAME_POINTS
from demask.rng import rng_for
from demask.types import Hole, ImageU8

LANDMARKS = landmarks_from_points(FRAME_POINTS)
EVERYWHERE = np.ones((256, 256), bool)


def head() -> Hole:
    """The outline of the landmarks, with hair around it and a neck below."""
    drawn = np.zeros((256, 256), np.uint8)
    hull = cv2.convexHull(np.rint(LANDMARKS[:, :2]).astype(np.int32))
    cv2.fillConvexPoly(drawn, hull, 1)
    drawn = cv2.dilate(drawn, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (21, 21)))
    drawn[190:, 80:176] = 1
    return drawn.astype(bool)


def photograph() -> ImageU8:
    """A head with skin's colours in a green garden."""
    noise = np.random.default_rng(0).normal(0, 8, (256, 256, 3))
    drawn = np.where(head()[..., None], (205, 160, 135), (60, 110, 50)) + noise
    return np.clip(drawn, 0, 255).astype(np.uint8)


def surely(part: Hole, px: int) -> Hole:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * px + 1, 2 * px + 1))
    return cv2.erode(part.astype(np.uint8), disc) > 0


def test_the_head_stays_and_the_garden_becomes_a_wall() -> None:
    for seed in range(4):
        before = photograph()
        after = before_wall(before, EVERYWHERE, LANDMARKS, rng_for(seed, "wall", "drawn"))
        person, garden = surely(head(), 6), surely(~head(), 6)
        assert np.abs(after[person].astype(int) - before[person]).max() <= 3
        assert (np.abs(after[garden].astype(int) - before[garden]).max(axis=-1) > 40).mean() > 0.95
        assert np.array_equal(before, photograph())


def test_most_walls_are_white_and_the_seed_decides() -> None:
    corners = []
    for seed in range(12):
        first, second = (
            before_wall(photograph(), EVERYWHERE, LANDMARKS, rng_for(seed, "wall", "twice")) for _ in range(2)
        )
        assert np.array_equal(first, second)
        corners.append(int(first[100:160, :12].min(axis=-1).mean()))
    assert sum(corner > 225 for corner in corners) > 6
    assert min(corners) < 225


def test_what_lies_beyond_the_photo_tells_nothing() -> None:
    """A narrow chip: black takes more room than what is left of the garden."""
    valid = np.zeros((256, 256), bool)
    valid[40:240, 45:211] = True
    chip = photograph()
    chip[~valid] = 0
    after = before_wall(chip, valid, LANDMARKS, rng_for(0, "wall", "chip"))
    garden = surely(~head(), 6) & valid
    assert np.abs(after[garden].astype(int) - chip[garden]).mean() > 30


def test_without_surroundings_nothing_changes() -> None:
    plain = np.full((256, 256, 3), (200, 150, 120), np.uint8)
    nowhere = np.zeros((256, 256), bool)
    assert np.array_equal(
        before_wall(photograph(), nowhere, LANDMARKS, rng_for(0, "wall", "none")), photograph()
    )
    assert before_wall(plain, EVERYWHERE, LANDMARKS, rng_for(0, "wall", "plain")).shape == plain.shape


def test_landmarks_of_no_head_are_refused() -> None:
    with pytest.raises(InputError, match="468"):
        before_wall(photograph(), EVERYWHERE, LANDMARKS[:5], rng_for(0, "wall", "few"))
