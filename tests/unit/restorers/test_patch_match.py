"""Generalized PatchMatch against brute force and against an independent reading of the pictures."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from demask.restorers.patch_kernels import ASPECT, MIRROR, SCALE, TURN, Space, X, Y
from demask.restorers.patch_match import MatchField
from demask.types import Hole

Floats = npt.NDArray[np.float64]
SIDE = 5
PLAIN = Space(SIDE, 0.0, 1.0, 1.0, 1.0, 1.0, False, 1.0, 1.0, 0.0, 0.1)
TURNED = PLAIN._replace(turn=math.pi / 4, least_scale=0.9, most_scale=1.2, mirrored=True)
ALL = TURNED._replace(least_aspect=0.9, most_aspect=1.1, least_gain=0.95, most_gain=1.05, most_bias=5.0)


@pytest.fixture
def picture() -> Floats:
    rough = np.random.default_rng(2).normal(size=(40, 36, 3))
    smooth: Floats = 60 * ndimage.gaussian_filter(rough, (1.5, 1.5, 0)) + 50
    return smooth


@pytest.fixture
def hole() -> Hole:
    hole = np.zeros((40, 36), bool)
    hole[16:22, 14:19] = True
    hole[36:, 30:] = True
    return hole


def made(picture: Floats, hole: Hole, space: Space, sweeps: int) -> MatchField:
    field = MatchField(picture, hole, space, np.random.default_rng(0))
    field.search(picture, sweeps=sweeps)
    return field


def cut(picture: Floats, top: int, left: int) -> Floats:
    return picture[top : top + SIDE, left : left + SIDE]


def places(move: Floats) -> tuple[Floats, Floats]:
    """Where a source is read, in rows and columns of the picture, by matrices that are multiplied out."""
    turn, scale, root = move[TURN], move[SCALE], math.sqrt(move[ASPECT])
    turned = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    whole = turned @ np.diag([scale / root, scale * root]) @ np.diag([1, move[MIRROR]])
    offsets = np.indices((SIDE, SIDE)).reshape(2, -1) - (SIDE - 1) / 2
    y, x = whole @ offsets + np.array([[move[Y]], [move[X]]])
    return y, x


def read(picture: Floats, move: Floats) -> Floats:
    channels = [ndimage.map_coordinates(picture[..., c], places(move), order=1) for c in range(3)]
    return np.stack(channels, axis=1).reshape(SIDE, SIDE, 3)


def lit(source: Floats, target: Floats, space: Space) -> Floats:
    spread = np.maximum(source.std(axis=(0, 1)), 1e-12)
    gain = np.clip(target.std(axis=(0, 1)) / spread, space.least_gain, space.most_gain)
    bias = np.clip(
        target.mean(axis=(0, 1)) - gain * source.mean(axis=(0, 1)), -space.most_bias, space.most_bias
    )
    return gain * source + bias


def distance(target: Floats, source: Floats, weight: float) -> float:
    apart = target - source
    steps = (np.diff(apart[..., 0], axis=axis) for axis in (0, 1))
    return float((apart**2).sum() + weight * sum((step**2).sum() for step in steps))


def nearest(picture: Floats, field: MatchField, sources: Floats) -> Floats:
    """Least distance of each target to any of the sources, [M, n, n, 3]."""
    best = []
    for target in field.targets:
        apart = sources - cut(picture, *target)
        distances = (apart**2).sum(axis=(1, 2, 3))
        for axis in (1, 2):
            distances += 0.1 * (np.diff(apart[..., 0], axis=axis) ** 2).sum(axis=(1, 2))
        best.append(distances.min())
    return np.array(best)


def test_targets_are_the_patches_that_meet_the_hole(picture: Floats, hole: Hole) -> None:
    found = {tuple(target) for target in made(picture, hole, PLAIN, 0).targets}
    assert found == {
        (top, left) for top in range(36) for left in range(32) if cut(hole[..., None], top, left).any()
    }


@pytest.mark.parametrize("space", [PLAIN, TURNED, ALL])
def test_costs_are_those_of_the_moves_and_sources_are_known(picture: Floats, hole: Hole, space: Space) -> None:
    field = made(picture, hole, space, 3)
    for (top, left), move, cost in zip(field.targets, field.moves, field.costs, strict=True):
        y, x = places(move)
        near = 1e-9  # Rounding may put a place a hair beyond a whole pixel.
        for row, column in ((np.floor(y + near), np.floor(x + near)), (np.ceil(y - near), np.ceil(x - near))):
            assert not hole[row.astype(int), column.astype(int)].any()
        target = cut(picture, top, left)
        expected = distance(target, lit(read(picture, move), target, space), space.gradient_weight)
        assert cost == pytest.approx(expected, rel=1e-6, abs=1e-6)
    if space is ALL:
        assert (np.abs(field.moves[:, TURN]) <= space.turn).all()
        for column, least, most in ((SCALE, 0.9, 1.2), (ASPECT, 0.9, 1.1)):
            assert least <= field.moves[:, column].min() < field.moves[:, column].max() <= most
        assert set(field.moves[:, MIRROR]) == {-1.0, 1.0}


def test_plain_search_finds_the_nearest_patch(picture: Floats, hole: Hole) -> None:
    field = made(picture, hole, PLAIN, 400)
    windows = np.lib.stride_tricks.sliding_window_view(picture, (SIDE, SIDE), axis=(0, 1))
    known = ~np.lib.stride_tricks.sliding_window_view(hole, (SIDE, SIDE)).any(axis=(2, 3))
    best = nearest(picture, field, windows[known].transpose(0, 2, 3, 1))
    assert (field.costs > best - 1e-6).all()
    assert (field.costs < best + 1e-6).mean() > 0.95


def test_generalized_search_is_as_good_as_a_grid_of_transforms(hole: Hole) -> None:
    """Around the hole stripes are turned by 20 degrees; a grid of 18,816 sources matches them no better."""
    y, x = np.mgrid[0:40, 0:36] - np.array([19.0, 16.0]).reshape(2, 1, 1)
    turned = np.hypot(y, x) < 7.5
    along = np.where(turned, math.cos(math.radians(20)) * x + math.sin(math.radians(20)) * y, x)
    picture = 50 + np.sin(along[..., None] * 0.9 + [0, 1, 2]) * [30, 10, 20] + 0.2 * y[..., None]

    grid = np.stack(
        np.meshgrid(
            np.arange(4, 36, 2),
            np.arange(4, 32),
            np.linspace(-TURNED.turn, TURNED.turn, 7),
            [0.9, 1.05, 1.2],
            [1.0],
            [-1.0, 1.0],
            indexing="ij",
        ),
        axis=-1,
    ).reshape(-1, 6)
    where = np.array([places(move) for move in grid])
    rows, columns = where[:, 0], where[:, 1]
    met = hole[np.floor(rows).astype(int), np.floor(columns).astype(int)]
    met |= hole[np.ceil(rows).astype(int), np.ceil(columns).astype(int)]
    known = where[~met.any(axis=1)].transpose(1, 0, 2)
    assert known.shape[1] > 10_000
    everything = [ndimage.map_coordinates(picture[..., channel], known, order=1) for channel in range(3)]
    best = nearest(
        picture, made(picture, hole, PLAIN, 0), np.stack(everything, axis=2).reshape(-1, SIDE, SIDE, 3)
    )

    costs = made(picture, hole, TURNED, 30).costs
    assert costs.mean() < best.mean()
    assert (costs < 1.05 * best + 1).mean() > 0.85
    # The turns are what it takes: plain patches are far worse.
    assert made(picture, hole, PLAIN, 60).costs.mean() > 2 * costs.mean()


def test_search_never_makes_a_match_worse(picture: Floats, hole: Hole) -> None:
    field = made(picture, hole, ALL, 1)
    before = field.costs.copy()
    field.search(picture, sweeps=2)
    assert (field.costs <= before + 1e-9).all()
    assert (field.costs < before - 1e-9).any()


def test_gain_and_bias_are_found_within_their_limits(picture: Floats, hole: Hole) -> None:
    """The picture again beside itself, darker and with more contrast; its hole lies in the copy."""
    space = PLAIN._replace(least_gain=0.95, most_gain=1.05, most_bias=5.0)
    both = np.concatenate([picture, 1.04 * picture - 3.0], axis=1)
    right = np.concatenate([np.zeros_like(hole), hole], axis=1)
    field = made(both, right, space, 1)
    field.moves[:] = 1.0
    field.moves[:, TURN] = 0.0
    field.moves[:, Y] = field.targets[:, 0] + 2
    field.moves[:, X] = field.targets[:, 1] + 2 - 36
    inside = field.targets[:, 1] >= 36
    field.measure(both)
    assert field.costs[inside].max() < 1e-6
    votes = field.vote(both)
    assert np.abs(votes.colour[right] - both[right]).max() < 1e-6

    beyond = both.copy()
    beyond[:, 36:] = 1.2 * picture + 20.0
    field.measure(beyond)
    assert field.costs[inside].min() > 100


def test_votes_are_means_of_what_lies_over_a_pixel(picture: Floats, hole: Hole) -> None:
    field = made(picture, hole, ALL, 2)
    votes = field.vote(picture)
    colours, rises = [], []
    for (top, left), move in zip(field.targets, field.moves, strict=True):
        patch = lit(read(picture, move), cut(picture, top, left), ALL)
        if top <= 18 < top + SIDE and left <= 15 < left + SIDE:
            colours.append(patch[18 - top, 15 - left])
            if top + SIDE > 19:
                rises.append(patch[19 - top, 15 - left, 0] - patch[18 - top, 15 - left, 0])
    assert (len(colours), len(rises)) == (25, 20)
    assert votes.colour[18, 15] == pytest.approx(np.mean(colours, axis=0), rel=1e-9)
    assert votes.down[18, 15] == pytest.approx(np.mean(rises), rel=1e-9)


def test_a_smaller_pictures_moves_go_on_in_a_larger_one(picture: Floats, hole: Hole) -> None:
    """A shift by (2, -10) px becomes one by (4, -20) px at twice the size."""
    field = made(picture, hole, PLAIN, 0)
    field.moves[:, Y] = field.targets[:, 0] + 2 + 2
    field.moves[:, X] = field.targets[:, 1] + 2 - 10
    large = np.kron(picture, np.ones((2, 2, 1)))
    finer = MatchField(large, np.kron(hole, np.ones((2, 2))) > 0, PLAIN, np.random.default_rng(0))
    finer.start_from(field, (2.0, 2.0))
    near = (finer.targets[:, 0] < 50) & (finer.targets[:, 1] > 24)
    shifts = finer.moves[near][:, [Y, X]] - finer.targets[near] - 2
    taken = (np.abs(shifts - [4, -20]) <= 1).all(axis=1)
    assert near.sum() > 100
    assert taken.mean() > 0.9
