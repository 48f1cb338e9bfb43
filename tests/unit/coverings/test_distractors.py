import numpy as np
import pytest

from demask.coverings.distractors import add_distractor
from demask.faces.landmarks import landmarks_from_points
from demask.geometry import FRAME_POINTS
from demask.rng import rng_for

LANDMARKS = landmarks_from_points(FRAME_POINTS)
FACE = np.full((256, 256, 3), (200, 150, 120), np.uint8)


@pytest.mark.parametrize("seed", range(12))
def test_something_is_drawn_and_the_eyes_stay_free(seed: int) -> None:
    before = FACE.copy()
    drawn = add_distractor(FACE, LANDMARKS, rng_for(0, "distractor", str(seed)))
    assert drawn.shape == FACE.shape
    assert drawn.dtype == np.uint8
    assert np.array_equal(FACE, before), "the face given is not changed"
    assert (drawn != FACE).any()
    assert np.array_equal(drawn[:60], FACE[:60]), "none of the things reaches the forehead"


def test_the_same_seed_draws_the_same() -> None:
    first, second = (add_distractor(FACE, LANDMARKS, rng_for(0, "distractor", "twice")) for _ in range(2))
    assert np.array_equal(first, second)
