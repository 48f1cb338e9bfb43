"""The fast filling and the plain one copy the same patches in the same order, to the last pixel."""

from __future__ import annotations

import criminisi_reference
import numpy as np
import pytest

from demask.restorers.cielab import to_lab
from demask.restorers.criminisi import CriminisiConfig, Filling
from demask.types import Hole, ImageU8


def picture_of(seed: int) -> tuple[ImageU8, Hole]:
    """A small picture and a hole: noise, few colours (many ties), smooth, or stripes, by the seed."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(24, 33, 2))
    y, x = np.mgrid[0:height, 0:width]
    match seed % 4:
        case 0:
            picture = rng.integers(0, 256, (height, width, 3))
        case 1:
            picture = rng.integers(0, 2, (height, width, 1)) * np.array([200, 90, 30])
        case 2:
            picture = np.dstack([6 * x, 5 * y, 3 * (x + y)]) + rng.integers(0, 4, (height, width, 1))
        case _:
            picture = np.where((x + 2 * y)[..., None] // 4 % 2 == 0, [240, 20, 60], [10, 130, 220])
    hole = np.zeros((height, width), bool)
    top, left = int(rng.integers(0, 9)), int(rng.integers(10, 15))  # Seldom at an edge, sometimes.
    hole[top : top + 9, left : left + 11] = True
    hole &= (y - top - 4) ** 2 + (x - left - 5) ** 2 < rng.integers(16, 60)
    hole[int(rng.integers(0, height)), width - 1] = True  # A hole of one pixel at the edge.
    return np.clip(picture, 0, 255).astype(np.uint8), hole


@pytest.mark.parametrize(
    ("seed", "patch_px"), [*((seed, 9) for seed in range(8)), (8, 5), (9, 5), (10, 3), (11, 7)]
)
def test_same_order_and_same_pixels(seed: int, patch_px: int) -> None:
    picture, hole = picture_of(seed)
    assert hole.any()
    rows = [[tuple(pixel) for pixel in row] for row in picture.tolist()]
    expected, expected_steps = criminisi_reference.fill(rows, hole.tolist(), patch_px=patch_px)

    filling = Filling(picture, hole, CriminisiConfig(patch_px=patch_px))
    steps = [(step.target, step.source) for step in filling]
    assert steps == expected_steps
    assert np.array_equal(filling.picture, np.array(expected, np.uint8))


def test_lab_is_that_of_scikit_image() -> None:
    color = pytest.importorskip("skimage.color")
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    assert np.abs(to_lab(colours) - color.rgb2lab(colours)).max() < 0.01
