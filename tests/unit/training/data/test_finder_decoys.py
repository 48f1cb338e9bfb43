import dataclasses
from pathlib import Path

import numpy as np
import pytest

from demask.dataset.shards import FaceShards
from demask.rng import rng_for
from demask.training.data.decoys import beside_the_face, draw_decoy, worn_by_nobody
from demask.training.data.portraits import portrait_of


@pytest.mark.parametrize("seed", range(14))
def test_a_decoy_is_drawn_on_a_copy(seed: int) -> None:
    under = np.full((64, 64, 3), 120, np.uint8)
    tile = draw_decoy(under, rng_for(0, "decoy", str(seed)))
    assert tile.shape == under.shape
    assert (tile != 120).any()
    assert (under == 120).all()


def test_what_is_cut_beside_a_face_holds_none_of_its_points(shards: Path) -> None:
    portrait = portrait_of(FaceShards(shards)[0])
    marked = np.zeros_like(portrait.photo)
    for x, y in portrait.points.round().astype(int):
        marked[y, x] = 255
    portrait = dataclasses.replace(portrait, photo=marked)
    cuts = [beside_the_face(portrait, rng_for(0, "beside", str(seed))) for seed in range(60)]
    found = [cut for cut in cuts if cut is not None]
    assert found
    assert all(cut.max() == 0 for cut in found)


def test_a_covering_without_a_face_shows_nothing_of_the_portrait(shards: Path) -> None:
    portrait = portrait_of(FaceShards(shards)[0])
    other = dataclasses.replace(portrait, photo=255 - portrait.photo)
    for seed in range(5):
        first, second = (worn_by_nobody(p, rng_for(seed, "decoy", "nobody")) for p in (portrait, other))
        assert np.array_equal(first, second)
        assert min(first.shape[:2]) > 4
        assert np.ptp(first.astype(int)) > 10
