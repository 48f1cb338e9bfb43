import cv2
import numpy as np
import pytest

from demask.coverings.head import MAX_YAW_DEG, Turn, head_frame
from demask.faces.landmarks import landmarks_from_points
from demask.geometry import FRAME_POINTS

LANDMARKS = landmarks_from_points(FRAME_POINTS)
NOSE, LEFT_EYE, RIGHT_EYE = 1, 33, 263


def dotted(points) -> np.ndarray:
    photo = np.zeros((256, 256, 3), np.uint8)
    for x, y in points:
        cv2.circle(photo, (round(float(x)), round(float(y))), 4, (255, 255, 255), -1)
    return photo


@pytest.mark.parametrize(("yaw", "pitch"), [(30, 0), (-40, 0), (0, 18), (25, -12)])
def test_picture_and_points_move_together(yaw: float, pitch: float) -> None:
    turn = Turn.of(LANDMARKS, yaw_deg=yaw, pitch_deg=pitch)
    for point in FRAME_POINTS:
        seen = turn.picture(dotted([point]))[..., 0] > 100
        centre = np.argwhere(seen).mean(0)[::-1]
        assert np.linalg.norm(centre - turn.moved(point)) < 2.5


def test_a_turn_to_the_right_brings_the_nose_nearer_to_the_right_eye() -> None:
    turned = Turn.of(LANDMARKS, yaw_deg=30, pitch_deg=0).landmarks(LANDMARKS)
    near, far = (np.linalg.norm(turned[NOSE, :2] - turned[eye, :2]) for eye in (RIGHT_EYE, LEFT_EYE))
    assert near < 0.7 * far
    out = head_frame(turned).axes[2]
    before = head_frame(LANDMARKS).axes[2]
    angle = np.rad2deg(np.arctan2(out[0], -out[2]) - np.arctan2(before[0], -before[2]))
    assert 15 < angle < 45, "the landmarks' own frame says so too"


def test_no_turn_changes_nothing() -> None:
    photo = np.random.default_rng(0).integers(0, 255, (250, 240, 3), dtype=np.uint8)
    turn = Turn.of(LANDMARKS, yaw_deg=0, pitch_deg=0)
    assert np.array_equal(turn.picture(photo), photo)
    assert np.allclose(turn.landmarks(LANDMARKS), LANDMARKS, atol=1e-3)


def test_the_picture_s_far_corners_stay() -> None:
    photo = np.random.default_rng(0).integers(0, 255, (700, 700, 3), dtype=np.uint8)
    shifted = LANDMARKS + np.array([220, 220, 0], np.float32)
    turned = Turn.of(shifted, yaw_deg=45, pitch_deg=20).picture(photo)
    assert np.array_equal(turned[:60], photo[:60])
    assert np.array_equal(turned[-60:], photo[-60:])


def test_angles_are_held() -> None:
    assert Turn.of(LANDMARKS, yaw_deg=400, pitch_deg=0).yaw_deg == MAX_YAW_DEG
