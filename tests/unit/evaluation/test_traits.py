"""Traits of a picture: a turned head by its nose, skin by its colour, pictures without colour."""

import numpy as np
import pytest

from demask.errors import InputError
from demask.evaluation.traits import head_turn, skin_tone
from demask.geometry import FRAME_POINTS


@pytest.mark.parametrize(
    ("nose_x", "turn"), [(128, "frontal"), (138, "frontal"), (146, "turned"), (110, "turned")]
)
@pytest.mark.parametrize("tilt_deg", [0, 40])
def test_a_nose_off_the_middle_means_turned_however_the_head_tilts(
    nose_x: float, turn: str, tilt_deg: float
) -> None:
    points = FRAME_POINTS.copy()
    points[2, 0] = nose_x
    angle = np.deg2rad(tilt_deg)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert head_turn((points @ rotation.T * 3).astype(np.float32)) == turn


@pytest.mark.parametrize(
    ("colour", "tone"),
    [
        ((245, 220, 200), "light"),
        ((205, 160, 125), "medium"),
        ((95, 65, 50), "dark"),
        ((120, 120, 120), "grey picture"),
    ],
)
def test_skin_is_classed_by_its_colour_under_the_eyes(colour: tuple[int, int, int], tone: str) -> None:
    face = np.zeros((256, 256, 3), np.uint8)
    face[100:140, 70:190] = colour
    assert skin_tone(face, FRAME_POINTS) == tone


def test_invalid_pixels_do_not_enter() -> None:
    face = np.full((256, 256, 3), (245, 220, 200), np.uint8)
    face[:, :128] = (95, 65, 50)
    valid = np.ones((256, 256), bool)
    valid[:, :128] = False
    assert skin_tone(face, FRAME_POINTS, valid) == "light"
    with pytest.raises(InputError, match="no valid pixel"):
        skin_tone(face, FRAME_POINTS, np.zeros((256, 256), bool))


def test_eyes_at_one_place_are_refused() -> None:
    points = FRAME_POINTS.copy()
    points[1] = points[0]
    with pytest.raises(InputError, match="both eyes"):
        head_turn(points)
