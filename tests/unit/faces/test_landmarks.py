"""The linear shape model: moves with the face, turns with the nose, stays small."""

from pathlib import Path

import numpy as np
import pytest

import demask.faces
from demask.errors import InputError
from demask.faces.landmarks import MODEL_FILE, landmarks_from_points
from demask.geometry import FRAME_POINTS, apply

CHIN, LEFT_JAW, RIGHT_JAW, NOSE_TIP = 152, 234, 454, 4


def test_the_shape_of_a_face_in_the_frame() -> None:
    landmarks = landmarks_from_points(FRAME_POINTS)
    assert landmarks.shape == (468, 3)
    assert landmarks.dtype == np.float32
    assert 215 < landmarks[CHIN, 1] < 250
    assert landmarks[LEFT_JAW, 0] < 60
    assert landmarks[RIGHT_JAW, 0] > 196
    assert landmarks[NOSE_TIP, 2] < landmarks[LEFT_JAW, 2]  # Nearer.
    np.testing.assert_allclose(landmarks[[61, 291], :2], FRAME_POINTS[3:], atol=6)


@pytest.mark.parametrize("degrees", [0, 30, -75])
def test_it_moves_with_the_face(degrees: float) -> None:
    angle, scale = np.radians(degrees), 2.5
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([turn, [300.0, -40.0]])
    straight = landmarks_from_points(FRAME_POINTS)
    np.testing.assert_allclose(
        landmarks_from_points(apply(matrix, FRAME_POINTS)), apply(matrix, straight), atol=0.05
    )


@pytest.mark.parametrize("offset_px", [-14, 14])
def test_a_turned_head_shows_less_of_its_far_side(offset_px: float) -> None:
    points = FRAME_POINTS.copy()
    points[2, 0] += offset_px
    landmarks = landmarks_from_points(points)
    middle = (landmarks[33, 0] + landmarks[263, 0]) / 2
    left, right = middle - landmarks[LEFT_JAW, 0], landmarks[RIGHT_JAW, 0] - middle
    assert (left > 1.1 * right) if offset_px > 0 else (right > 1.1 * left)


def test_points_that_are_no_face_are_refused() -> None:
    with pytest.raises(InputError, match="five"):
        landmarks_from_points(FRAME_POINTS[:4])
    with pytest.raises(InputError):
        landmarks_from_points(np.zeros((5, 2), np.float32))


def test_the_model_is_small() -> None:
    file = Path(str(demask.faces.__path__[0])) / MODEL_FILE
    assert file.stat().st_size <= 60_000
