"""The seam and the blend: against every cut of a tiny grid, straight cuts, and known solutions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from demask.errors import InputError, ShapeMismatch
from demask.restorers.membrane import blend
from demask.restorers.seam import SeamCosts, cheapest_region, seam_costs
from demask.types import Hole, ImageU8

pytest.importorskip("maxflow")
pytest.importorskip("scipy")


def noise(seed: int, height: int, width: int) -> ImageU8:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def block(height: int, width: int, rows: slice, columns: slice) -> Hole:
    hole = np.zeros((height, width), bool)
    hole[rows, columns] = True
    return hole


def cheapest_of_all(costs: SeamCosts) -> float:
    """Try every subset of the free pixels."""
    places = np.argwhere(costs.free)
    best = np.inf
    for chosen in itertools.product([False, True], repeat=len(places)):
        region = costs.hole.copy()
        region[tuple(places[list(chosen)].T)] = True
        best = min(best, costs.of(region))
    return best


@pytest.mark.parametrize("seed", range(8))
def test_no_cut_of_a_tiny_grid_is_cheaper(seed: int) -> None:
    hole = block(4, 5, slice(1, 3), slice(0, 2) if seed % 2 else slice(1, 3))
    near = np.pad(hole, 1)
    context = near[:-2, 1:-1] | near[2:, 1:-1] | near[1:-1, :-2] | near[1:-1, 2:] | (np.indices((4, 5))[0] == 0)
    costs = seam_costs(
        noise(seed, 4, 5),
        noise(seed + 100, 4, 5),
        hole,
        context=context & ~hole,
        pixel_cost=[0.05, 0.5][seed // 4],
    )
    found = costs.of(cheapest_region(costs))
    assert found == pytest.approx(cheapest_of_all(costs), abs=1e-9)
    assert found > 0


def test_the_seam_is_cheaper_than_straight_ones_and_holds_the_hole() -> None:
    hole = block(64, 64, slice(24, 40), slice(20, 44))
    context = block(64, 64, slice(12, 52), slice(8, 56)) & ~hole
    # Smooth pictures whose difference changes here and there.
    photo, patch = (np.kron(noise(seed, 8, 8), np.ones((8, 8, 1))).astype(np.uint8) for seed in (1, 2))
    costs = seam_costs(photo, patch, hole, context=context, pixel_cost=0.008)
    region = cheapest_region(costs)
    assert (hole <= region).all()
    assert (region <= (hole | context)).all()
    straight = [
        costs.of(block(64, 64, slice(24 - grow, 40 + grow), slice(20 - grow, 44 + grow))) for grow in range(13)
    ]
    assert costs.of(region) < 0.5 * min(straight)


def test_a_constant_difference_costs_nothing_to_cut() -> None:
    photo = np.full((20, 20, 3), 40, np.uint8)
    hole = block(20, 20, slice(8, 12), slice(8, 12))
    costs = seam_costs(photo, photo + np.uint8(100), hole, context=~hole, pixel_cost=0.008)
    assert costs.of(hole) == 0
    # Where the difference jumps, the jump is what a cut costs: one column of four edges each side.
    patch = photo.copy()
    patch[:, 10:] += 51
    costs = seam_costs(photo, patch, block(20, 20, slice(0, 1), slice(0, 1)), context=~hole, pixel_cost=1e-9)
    assert costs.right[5, 9] == pytest.approx(3 * 0.2**2)
    assert costs.right[5, 4] == costs.down[5, 4] == 0


def test_giving_up_pixels_costs_the_cube_of_their_distance() -> None:
    hole = block(9, 9, slice(4, 5), slice(4, 5))
    costs = seam_costs(noise(0, 9, 9), noise(1, 9, 9), hole, context=~hole, pixel_cost=0.5)
    assert costs.pixel[4, 8] == pytest.approx(2.0**3)
    assert costs.pixel[4, 4] == 0


def test_a_cut_outside_the_context_or_through_the_hole_is_not_allowed() -> None:
    hole = block(9, 9, slice(3, 6), slice(3, 6))
    costs = seam_costs(noise(0, 9, 9), noise(1, 9, 9), hole, context=np.zeros((9, 9), bool), pixel_cost=1)
    assert np.array_equal(cheapest_region(costs), hole)
    assert costs.of(np.ones((9, 9), bool)) == costs.of(np.zeros((9, 9), bool)) == float("inf")


@pytest.mark.parametrize("rows", [slice(5, 12), slice(0, 7), slice(0, 24)])
def test_a_shift_of_colour_is_blended_away(rows: slice) -> None:
    """Also where the region touches the edge of the picture."""
    y, x = np.mgrid[0:24, 0:24]
    photo = np.dstack([40 + 3 * x, 60 + 2 * y, 50 + x + y]).astype(np.uint8)
    region = block(24, 24, rows, slice(4, 15))
    patch = (photo.astype(int) + np.array([60, -30, 15])).astype(np.uint8)
    masked = np.where(region[..., None], np.uint8(255), photo)
    assert np.abs(blend(masked, patch, region).astype(int) - photo).max() <= 1


def test_a_blend_satisfies_the_poisson_equation() -> None:
    photo, patch = noise(3, 16, 16) // 4 + 96, noise(4, 16, 16) // 4 + 96
    region = block(16, 16, slice(4, 12), slice(3, 13))
    blended = blend(photo, patch, region).astype(float)

    def laplacian(picture: np.ndarray) -> np.ndarray:
        ups = sum(np.roll(picture, step, axis) for axis in (0, 1) for step in (1, -1))
        return np.asarray(ups - 4 * picture)

    apart = laplacian(blended) - laplacian(patch.astype(float))
    assert np.abs(apart[5:11, 4:12]).max() <= 4  # Eight roundings of half a level each.
    assert np.array_equal(blended[~region], photo[~region])


def test_what_cannot_be_blended() -> None:
    photo = noise(0, 6, 6)
    assert np.array_equal(blend(photo, photo[::-1], np.zeros((6, 6), bool)), photo)
    with pytest.raises(InputError, match="whole picture"):
        blend(photo, photo, np.ones((6, 6), bool))
    with pytest.raises(ShapeMismatch):
        blend(photo, photo, np.ones((6, 7), bool))
