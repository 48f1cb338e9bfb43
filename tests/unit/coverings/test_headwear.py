import numpy as np
import pytest

from demask.coverings.head import head_frame
from demask.coverings.headwear import _EYEWEAR, _HEADWEAR, _Dresser, wear
from demask.faces.landmarks import landmarks_from_points
from demask.geometry import FRAME_POINTS
from demask.rng import rng_for

LANDMARKS = landmarks_from_points(FRAME_POINTS)
FACE = np.full((256, 256, 3), (200, 150, 120), np.uint8)
MOUTH = (slice(165, 190), slice(105, 152))


@pytest.mark.parametrize("dress", [*dict.fromkeys(_HEADWEAR), *_EYEWEAR], ids=lambda dress: dress.__name__)
def test_every_piece_is_drawn_and_leaves_the_mouth(dress) -> None:
    for seed in range(4):
        dresser = _Dresser(FACE, head_frame(LANDMARKS), rng_for(seed, "dress", dress.__name__))
        dress(dresser)
        drawn = dresser.picture
        changed = np.abs(drawn - FACE).max(-1) > 8
        assert changed.mean() > 0.003
        if dress.__name__ != "_shield":  # A visor is seen through.
            assert not changed[MOUTH].any()


def test_the_given_picture_stays_and_the_seed_decides() -> None:
    before = FACE.copy()
    first, second = (wear(FACE, LANDMARKS, rng_for(3, "wear", "twice")) for _ in range(2))
    assert np.array_equal(FACE, before)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)


def test_a_grey_photograph_stays_grey() -> None:
    grey = np.repeat(np.random.default_rng(0).integers(60, 190, (256, 256, 1), dtype=np.uint8), 3, 2)
    for seed in range(6):
        drawn = wear(grey, LANDMARKS, rng_for(seed, "wear", "grey"))
        assert np.ptp(drawn.astype(int), axis=2).max() <= 2
