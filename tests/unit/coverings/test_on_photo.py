"""A covering on a whole photo: only around its face, the same at any size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from demask.coverings.draw import MAX_DRAWN_PX, draw_on_photo
from demask.errors import ConfigError
from demask.geometry import FRAME_POINTS
from demask.rng import rng_for
from demask.types import Face, ImageU8


def photo_and_face(scale: float, x: float, y: float, shape: tuple[int, int]) -> tuple[ImageU8, Face]:
    """A smooth photo with a face that is `scale` times the frame's, its frame at (x, y)."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    photo = np.dstack([200 - rows * 40 // shape[0], 150 + columns * 30 // shape[1], 0 * rows + 120])
    points = (FRAME_POINTS * scale + (x, y)).astype(np.float32)
    box = (x + 66 * scale, y + 50 * scale, x + 190 * scale, y + 226 * scale)
    return photo.astype(np.uint8), Face(box=box, points=points, score=0.9)


def test_only_the_surroundings_of_the_face_change() -> None:
    photo, face = photo_and_face(1.0, 400, 300, (900, 1200))
    before = photo.copy()
    drawn = draw_on_photo(photo, face, rng_for(0, "cover", "0"), kinds=("surgical",))
    assert np.array_equal(photo, before)
    changed = (drawn.masked != photo).any(axis=2)
    ys, xs = np.nonzero(changed | drawn.hole)
    assert 330 < xs.min() < xs.max() < 730
    assert 300 < ys.min() < ys.max() < 660
    assert changed[drawn.hole].mean() > 0.95
    # The mouth is hidden.
    assert drawn.hole[300 + 176, 400 + 128]
    assert drawn.recipe["kind"] == "surgical"


def test_a_huge_face_wears_the_same_covering() -> None:
    small, face = photo_and_face(1.0, 60, 40, (360, 400))
    large, huge = photo_and_face(9.0, 540, 360, (3240, 3600))
    assert huge.size_px > MAX_DRAWN_PX
    one = draw_on_photo(small, face, rng_for(3, "cover", "0"), kinds=("surgical",))
    other = draw_on_photo(large, huge, rng_for(3, "cover", "0"), kinds=("surgical",))
    assert one.recipe["kind"] == other.recipe["kind"]
    shrunk = cv2.resize(other.hole.astype(np.uint8) * 255, (400, 360), interpolation=cv2.INTER_AREA) > 127
    overlap = (shrunk & one.hole).sum() / (shrunk | one.hole).sum()
    assert overlap > 0.9
    changed = (other.masked != large).any(axis=2)
    assert changed[other.hole].mean() > 0.95
    assert not changed[:300].any()


def test_a_face_at_the_edge() -> None:
    photo, face = photo_and_face(1.0, -100, -60, (300, 300))
    drawn = draw_on_photo(photo, face, rng_for(0, "cover", "0"))
    assert drawn.masked.shape == photo.shape
    assert drawn.hole.any()


def test_the_same_seed_gives_the_same_bytes() -> None:
    photo, face = photo_and_face(1.0, 60, 40, (360, 400))
    one, two = (draw_on_photo(photo, face, rng_for(5, "cover", "0")) for _ in range(2))
    assert np.array_equal(one.masked, two.masked)
    other = draw_on_photo(photo, face, rng_for(6, "cover", "0"))
    assert not np.array_equal(one.masked, other.masked)


def test_an_unknown_kind() -> None:
    photo, face = photo_and_face(1.0, 60, 40, (360, 400))
    with pytest.raises(ConfigError, match="surgikal"):
        draw_on_photo(photo, face, rng_for(0, "cover", "0"), kinds=("surgikal",))
