import dataclasses
from pathlib import Path

import numpy as np
import pytest

from demask.coverings import rng_for
from demask.dataset.shards import FaceShards
from demask.training.finder_decoys import beside_the_face, draw_decoy
from demask.training.finder_faces import portrait_of


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
