"""Exemplar-based filling: what it must never do, and the pictures it must get right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from demask.errors import ConfigError, InputError, ShapeMismatch
from demask.restorers.criminisi import Criminisi, CriminisiConfig, Filling
from demask.restorers.patch_search import PatchSearch
from demask.types import Hole, ImageU8


def square_hole(height: int, width: int, *, top: int, left: int, side: int) -> Hole:
    hole = np.zeros((height, width), bool)
    hole[top : top + side, left : left + side] = True
    return hole


def colours_of(picture: ImageU8) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}


@st.composite
def pictures_and_holes(draw: st.DrawFn) -> tuple[ImageU8, Hole]:
    """Any small picture, and any hole in its right half; the left keeps a whole patch."""
    height, width = draw(st.integers(3, 14)), draw(st.integers(6, 14))
    picture = draw(arrays(np.uint8, (height, width, 3)))
    hole = draw(arrays(np.bool_, (height, width)))
    hole[:, :3] = False
    return picture, hole


@settings(max_examples=60, deadline=None)
@given(pictures_and_holes())
def test_known_pixels_stay_and_every_colour_is_a_known_one(case: tuple[ImageU8, Hole]) -> None:
    picture, hole = case
    restored = Criminisi(CriminisiConfig(patch_px=3))(picture, hole)
    assert restored.dtype == np.uint8
    assert np.array_equal(restored[~hole], picture[~hole])
    assert colours_of(restored[hole]) <= colours_of(picture[~hole])


@settings(max_examples=30, deadline=None)
@given(pictures_and_holes(), st.integers(0, 255))
def test_what_lies_in_the_hole_does_not_matter(case: tuple[ImageU8, Hole], level: int) -> None:
    picture, hole = case
    restorer = Criminisi(CriminisiConfig(patch_px=3))
    other = np.where(hole[..., None], np.uint8(level), picture)
    assert np.array_equal(restorer(picture, hole), restorer(other, hole))


def test_an_input_is_never_written_to() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    hole = square_hole(24, 24, top=12, left=12, side=6)
    before = picture.copy(), hole.copy()
    restored = Criminisi()(picture, hole)
    assert not np.array_equal(restored, picture)
    assert np.array_equal(picture, before[0])
    assert np.array_equal(hole, before[1])


@pytest.mark.parametrize("pattern", ["upright", "lying", "slanted", "checks"])
def test_a_periodic_pattern_goes_on(pattern: str) -> None:
    y, x = np.mgrid[0:64, 0:64]
    bright = {
        "upright": x // 3 % 2,
        "lying": y // 3 % 2,
        "slanted": (x + y) // 3 % 2,
        "checks": (x // 3 + y // 3) % 2,
    }[pattern]
    picture = np.where(bright[..., None] > 0, [250, 200, 40], [20, 60, 120]).astype(np.uint8)
    hole = square_hole(64, 64, top=20, left=22, side=22)
    assert np.array_equal(Criminisi()(picture, hole), picture)


def test_a_line_crosses_the_hole_and_is_drawn_first() -> None:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:96, 0:96]
    picture = np.where((y > 48)[..., None], [200, 190, 60], [40, 60, 150]) + rng.integers(-8, 9, (96, 96, 3))
    picture = picture.astype(np.uint8)
    hole = (y - 48) ** 2 + (x - 48) ** 2 < 22**2
    filling = Filling(picture, hole, CriminisiConfig())
    # The edge of the two halves meets the rim at right angles at its left and right end; 5 px is how far
    # a 9x9 patch sees an edge.
    assert abs(next(filling).target[0] - 48) <= 5
    for _ in filling:
        pass
    above = filling.picture[..., 2] > 105
    assert (above == (y <= 48))[hole].mean() > 0.99


def test_the_data_term_is_that_of_the_isophote() -> None:
    """An edge of 100 grey levels, 50 a pixel, counts in full where it runs into the hole, and not along it."""
    picture = np.full((60, 60, 3), 55, np.uint8)
    picture[30:] = 155
    first = next(Filling(picture, square_hole(60, 60, top=18, left=18, side=24), CriminisiConfig()))
    # Rows 29 and 30 have a gradient; the first row whose patch sees it wins the tie along both sides.
    assert first.target == (25, 18)

    # Where the hole's upper side lies along the edge, the isophote is at right angles to the normal.
    along = Filling(picture, square_hole(60, 60, top=32, left=18, side=18), CriminisiConfig())
    assert (along.priority[32, 21:33] == 0).all()
    assert along.priority[34, 18] > 0.05
    filling = Filling(picture, square_hole(60, 60, top=18, left=18, side=24), CriminisiConfig())
    assert filling.priority[30, 18] == pytest.approx((4 * 9 / 81) * 50 / 255)
    assert filling.priority[18, 30] == 0
    assert filling.priority[20, 20] == filling.priority[0, 0] == -1


@pytest.mark.parametrize("slope", [0.5, -1.0])
def test_an_oblique_edge_goes_on_straight(slope: float) -> None:
    rng = np.random.default_rng(4)
    y, x = np.mgrid[0:96, 0:96]
    below = y - 48 > slope * (x - 48)
    picture = np.where(below[..., None], [200, 190, 60], [40, 60, 150]) + rng.integers(-8, 9, (96, 96, 3))
    picture = picture.astype(np.uint8)
    hole = square_hole(96, 96, top=36, left=36, side=24)
    restored = Criminisi()(picture, hole)
    assert ((restored[..., 2] < 105) == below)[hole].mean() > 0.97


def test_flat_surroundings_give_a_flat_filling() -> None:
    picture = np.full((40, 40, 3), (90, 140, 30), np.uint8)
    hole = square_hole(40, 40, top=12, left=10, side=20)
    assert np.array_equal(Criminisi()(picture, hole), picture)


def test_confidence_falls_inwards_and_is_that_of_the_patch_when_it_was_filled() -> None:
    picture = np.full((41, 41, 3), 90, np.uint8)
    hole = square_hole(41, 41, top=10, left=10, side=21)
    filling = Filling(picture, hole, CriminisiConfig())
    first = next(filling)
    # All is flat, so the corner, most of whose patch is known, comes first: 81 - 25 of 81 pixels.
    assert first.target == (10, 10)
    assert filling.confidence[10, 10] == filling.confidence[14, 14] == 56 / 81
    for _ in filling:
        pass
    assert filling.confidence[20, 20] < filling.confidence[12, 20] < 1
    assert filling.known.all()


@pytest.mark.parametrize("hole", [np.ones((32, 32), bool), np.indices((32, 32)).sum(axis=0) % 7 == 0])
def test_nothing_to_copy_is_said(hole: Hole) -> None:
    with pytest.raises(InputError, match="no whole 9x9 px patch"):
        Criminisi()(np.zeros((32, 32, 3), np.uint8), hole)


def test_a_picture_smaller_than_a_patch_is_refused() -> None:
    with pytest.raises(InputError, match="no whole 9x9 px patch of the 5x4 px picture"):
        Criminisi()(np.zeros((4, 5, 3), np.uint8), np.eye(4, 5, dtype=bool))


def test_no_hole_and_bad_sizes() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    assert np.array_equal(Criminisi()(picture, np.zeros((12, 12), bool)), picture)
    with pytest.raises(ShapeMismatch):
        Criminisi()(picture, np.zeros((12, 13), bool))
    for wrong in ({"patch_px": 8}, {"patch_px": 1}, {"alpha": 0.0}):
        with pytest.raises(ConfigError):
            CriminisiConfig(**wrong)


def test_a_hole_of_one_pixel_in_the_corner() -> None:
    picture = np.full((16, 16, 3), 200, np.uint8)
    picture[:4, :4] = 17  # Nowhere else: the patch in the corner must be cut off, not moved.
    hole = np.zeros((16, 16), bool)
    hole[0, 0] = True
    assert Filling(picture, hole, CriminisiConfig(patch_px=3)).__next__().target == (0, 0)


@pytest.mark.parametrize(("patch_px", "most"), [(9, 140), (9, 5000), (11, 140), (3, 255)])
def test_the_search_is_exact(patch_px: int, most: int) -> None:
    """Against differences in whole numbers; small ones fit float32, large ones need float64."""
    rng = np.random.default_rng(patch_px + most)
    colours = rng.integers(-most, most + 1, (40, 37, 3)).astype(np.int32)
    known = rng.random((40, 37)) > 0.002
    known[:patch_px, :patch_px] = True
    search = PatchSearch(colours, known, patch_px=patch_px)
    for _ in range(10):
        target = rng.integers(-most, most + 1, (patch_px, patch_px, 3)).astype(np.int32)
        compared = rng.random((patch_px, patch_px)) > 0.4
        best: tuple[int, int, int] | None = None
        for top in range(40 - patch_px + 1):
            for left in range(37 - patch_px + 1):
                window = slice(top, top + patch_px), slice(left, left + patch_px)
                if known[window].all():
                    apart = (colours[window].astype(np.int64) - target)[compared]
                    best = min(best or (1 << 62, 0, 0), (int((apart**2).sum()), top, left))
        assert best is not None
        assert search.nearest(target, compared) == best[1:]
