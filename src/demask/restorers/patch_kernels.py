"""Compiled loops over patches: read a transformed source, compare it, search for better ones, vote.

All of them stand in one file because numba's cache only notices changes of a function's own file. One
thread, no reordered sums: the same input gives the same bytes. A patch is float64 [3, n, n].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np

from demask.types import Floats64, Ints64

F = TypeVar("F", bound=Callable[..., Any])

# Columns of a move: middle of the source (row, column), turn, scale, aspect, mirror (1 or -1).
Y, X, TURN, SCALE, ASPECT, MIRROR = range(6)


def _compiled(function: F) -> F:
    """Compile on the first call, once for all runs; other threads go on meanwhile."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


class Space(NamedTuple):
    """What a source patch may undergo, and what counts in its distance.

    Attributes:
        patch_px: Side of a patch, pixels.
        turn: Largest turn to either side, radians.
        least_scale: Side of the square in the source over that of the patch, smallest.
        most_scale: The same, largest.
        least_aspect: Width of the source over its height, smallest.
        most_aspect: The same, largest.
        mirrored: Left and right may be exchanged.
        least_gain: Factor on a channel, smallest.
        most_gain: The same, largest.
        most_bias: Largest shift of a channel to either side, units of CIE Lab.
        gradient_weight: Weight of squared differences of L between neighbours.
    """

    patch_px: int
    turn: float
    least_scale: float
    most_scale: float
    least_aspect: float
    most_aspect: float
    mirrored: bool
    least_gain: float
    most_gain: float
    most_bias: float
    gradient_weight: float


@_compiled
def _matrix(move: Floats64) -> tuple[float, float, float, float]:
    """From (row, column) in the patch to that in the source: mirror, stretch, turn."""
    down = move[SCALE] / math.sqrt(move[ASPECT])
    right = move[SCALE] * math.sqrt(move[ASPECT]) * move[MIRROR]
    sine, cosine = math.sin(move[TURN]), math.cos(move[TURN])
    return cosine * down, sine * right, -sine * down, cosine * right


@_compiled
def _is_known(holes_before: Ints64, move: Floats64, side: int) -> bool:
    """Whether every pixel that the source is interpolated from is a known one of the picture."""
    yy, yx, xy, xx = _matrix(move)
    reach = (side - 1) / 2
    tall, wide = reach * (abs(yy) + abs(yx)), reach * (abs(xy) + abs(xx))
    top, left = math.floor(move[Y] - tall), math.floor(move[X] - wide)
    bottom, right = math.ceil(move[Y] + tall), math.ceil(move[X] + wide)
    height, width = holes_before.shape
    if top < 0 or left < 0 or bottom >= height - 1 or right >= width - 1:
        return False
    if _holes_in(holes_before, top, left, bottom, right) == 0:
        return True
    for row in range(side):
        for column in range(side):
            y = move[Y] + yy * (row - reach) + yx * (column - reach)
            x = move[X] + xy * (row - reach) + xx * (column - reach)
            if _holes_in(holes_before, math.floor(y), math.floor(x), math.ceil(y), math.ceil(x)) > 0:
                return False
    return True


@_compiled
def _holes_in(holes_before: Ints64, top: int, left: int, bottom: int, right: int) -> int:
    """Unknown pixels in a rectangle, its last row and column included."""
    return int(
        holes_before[bottom + 1, right + 1]
        - holes_before[top, right + 1]
        - holes_before[bottom + 1, left]
        + holes_before[top, left]
    )


@_compiled
def _sample(picture: Floats64, move: Floats64, patch: Floats64) -> None:
    """Read a transformed source into `patch`, float64 [3, n, n], between pixels bilinearly."""
    side = patch.shape[1]
    reach = (side - 1) / 2
    yy, yx, xy, xx = _matrix(move)
    last_row, last_column = picture.shape[0] - 1, picture.shape[1] - 1
    for row in range(side):
        first_y = move[Y] + yy * (row - reach) - yx * reach
        first_x = move[X] + xy * (row - reach) - xx * reach
        for column in range(side):
            y, x = first_y + yx * column, first_x + xx * column
            # The last pixel has no neighbour, and rounding may lead a hair beyond it.
            top, left = min(max(int(y), 0), last_row), min(max(int(x), 0), last_column)
            bottom, right = min(top + 1, last_row), min(left + 1, last_column)
            fall, shift = y - top, x - left
            lower_right = fall * shift
            lower_left = fall - lower_right
            upper_right = shift - lower_right
            upper_left = 1.0 - fall - upper_right
            for channel in range(3):
                patch[channel, row, column] = (
                    upper_left * picture[top, left, channel]
                    + upper_right * picture[top, right, channel]
                    + lower_left * picture[bottom, left, channel]
                    + lower_right * picture[bottom, right, channel]
                )


@_compiled
def _cut(picture: Floats64, top: int, left: int, patch: Floats64, sums: Floats64) -> None:
    """Copy a target into `patch`, float64 [3, n, n], and its sums and sums of squares into `sums` [3, 2]."""
    side = patch.shape[1]
    sums[:] = 0.0
    for row in range(side):
        for column in range(side):
            for channel in range(3):
                value = picture[top + row, left + column, channel]
                patch[channel, row, column] = value
                sums[channel, 0] += value
                sums[channel, 1] += value * value


@_compiled
def _fit(target: Floats64, sums: Floats64, patch: Floats64, space: Space, light: Floats64) -> float:
    """Distance of a source from its target after the best gain and bias, which go to `light` [3, 2].

    The gain brings the deviation, the bias the mean of each channel to that of the target, both within
    their limits (Darabi 2012). Differences inside the patch take the gain too.
    """
    side = patch.shape[1]
    count = side * side
    distance = 0.0
    for channel in range(3):
        once = twice = both = 0.0
        for row in range(side):
            for column in range(side):
                value = patch[channel, row, column]
                once += value
                twice += value * value
                both += value * target[channel, row, column]
        spread = twice * count - once * once
        wanted_spread = sums[channel, 1] * count - sums[channel, 0] * sums[channel, 0]
        # A flat patch, or one of rounding errors only, has no contrast to bring to that of another.
        gain = math.sqrt(max(wanted_spread, 0.0) / spread) if spread > 1e-6 * count else 1.0
        gain = min(max(gain, space.least_gain), space.most_gain)
        bias = (sums[channel, 0] - gain * once) / count
        bias = min(max(bias, -space.most_bias), space.most_bias)
        light[channel, 0], light[channel, 1] = gain, bias
        distance += max(
            0.0,
            sums[channel, 1]
            + gain * gain * twice
            + count * bias * bias
            - 2 * gain * both
            - 2 * bias * sums[channel, 0]
            + 2 * gain * bias * once,
        )
    across = 0.0
    gain = light[0, 0]
    for row in range(side):
        for column in range(side - 1):
            apart = target[0, row, column + 1] - target[0, row, column]
            apart -= gain * (patch[0, row, column + 1] - patch[0, row, column])
            across += apart * apart
    for row in range(side - 1):
        for column in range(side):
            apart = target[0, row + 1, column] - target[0, row, column]
            apart -= gain * (patch[0, row + 1, column] - patch[0, row, column])
            across += apart * apart
    return distance + space.gradient_weight * across


@_compiled
def _draw(
    rng: np.random.Generator,
    sources: Ints64,
    space: Space,
    around: Floats64,
    radius: int,
    share: float,
    move: Floats64,
) -> None:
    """Draw a move: anywhere and anyhow if `share` is 1, else near `around` by that fraction of each range."""
    if share >= 1.0:
        chosen = sources[rng.integers(0, len(sources))]
        move[Y] = chosen[0] + (space.patch_px - 1) / 2
        move[X] = chosen[1] + (space.patch_px - 1) / 2
        move[TURN] = space.turn * (2 * rng.random() - 1)
        move[SCALE] = space.least_scale + (space.most_scale - space.least_scale) * rng.random()
        move[ASPECT] = space.least_aspect + (space.most_aspect - space.least_aspect) * rng.random()
    else:
        # Whole steps, so that patches which are not turned stay on whole pixels.
        move[Y] = around[Y] + rng.integers(-radius, radius + 1)
        move[X] = around[X] + rng.integers(-radius, radius + 1)
        turn = around[TURN] + share * space.turn * (2 * rng.random() - 1)
        move[TURN] = min(max(turn, -space.turn), space.turn)
        scale = around[SCALE] + share * (space.most_scale - space.least_scale) * (rng.random() - 0.5)
        move[SCALE] = min(max(scale, space.least_scale), space.most_scale)
        aspect = around[ASPECT] + share * (space.most_aspect - space.least_aspect) * (rng.random() - 0.5)
        move[ASPECT] = min(max(aspect, space.least_aspect), space.most_aspect)
    move[MIRROR] = around[MIRROR]
    if space.mirrored and rng.random() < share / 2:
        move[MIRROR] = -around[MIRROR]


@_compiled
def scatter(
    holes_before: Ints64,
    sources: Ints64,
    space: Space,
    rng: np.random.Generator,
    moves: Floats64,
) -> None:
    """Any known source for every target; upright at that place where the turned one meets the hole."""
    upright = np.ones(6)
    for k in range(len(moves)):
        _draw(rng, sources, space, upright, 0, 1.0, moves[k])
        if not _is_known(holes_before, moves[k], space.patch_px):
            moves[k, TURN] = 0.0
            moves[k, SCALE:] = 1.0


@_compiled
def take_over(
    coarse_moves: Floats64,
    coarse_number: Ints64,
    holes_before: Ints64,
    targets: Ints64,
    scale: tuple[float, float],
    space: Space,
    moves: Floats64,
) -> None:
    """Continue the moves of a smaller picture in a larger one, where they lead to known pixels."""
    reach = (space.patch_px - 1) / 2
    rows, columns = coarse_number.shape
    move = np.empty(6)
    for k in range(len(targets)):
        # Middles of targets correspond; the nearest coarse patch may miss the coarse hole by a pixel.
        y = round((targets[k, 0] + reach + 0.5) / scale[0] - 0.5 - reach)
        x = round((targets[k, 1] + reach + 0.5) / scale[1] - 0.5 - reach)
        nearest, found = 1 << 30, -1
        for row in range(max(0, y - 1), min(rows, y + 2)):
            for column in range(max(0, x - 1), min(columns, x + 2)):
                apart = (row - y) ** 2 + (column - x) ** 2
                if coarse_number[row, column] >= 0 and apart < nearest:
                    nearest, found, near_y, near_x = apart, coarse_number[row, column], row, column
        if found < 0:
            continue
        move[:] = coarse_moves[found]
        yy, yx, xy, xx = _matrix(move)
        # What is left between the two middles is walked in the source as in the target.
        down = targets[k, 0] + reach - ((near_y + reach + 0.5) * scale[0] - 0.5)
        right = targets[k, 1] + reach - ((near_x + reach + 0.5) * scale[1] - 0.5)
        move[Y] = (move[Y] + 0.5) * scale[0] - 0.5 + yy * down + yx * right
        move[X] = (move[X] + 0.5) * scale[1] - 0.5 + xy * down + xx * right
        if move[TURN] == 0.0 and move[SCALE] == 1.0 and move[ASPECT] == 1.0:
            move[Y], move[X] = round(move[Y] - reach) + reach, round(move[X] - reach) + reach
        if _is_known(holes_before, move, space.patch_px):
            moves[k] = move


@_compiled
def measure(
    picture: Floats64, wanted: Floats64, targets: Ints64, space: Space, moves: Floats64, costs: Floats64
) -> None:
    """Compare every target, as it looks in `wanted`, with its source in `picture`."""
    side = space.patch_px
    target, patch = np.empty((3, side, side)), np.empty((3, side, side))
    sums, light = np.empty((3, 2)), np.empty((3, 2))
    for k in range(len(targets)):
        _cut(wanted, targets[k, 0], targets[k, 1], target, sums)
        _sample(picture, moves[k], patch)
        costs[k] = _fit(target, sums, patch, space, light)


@_compiled
def sweep(
    picture: Floats64,
    wanted: Floats64,
    holes_before: Ints64,
    sources: Ints64,
    targets: Ints64,
    number: Ints64,
    space: Space,
    rng: np.random.Generator,
    backwards: bool,
    moves: Floats64,
    costs: Floats64,
) -> None:
    """Try sources on every target, in reading order or backwards; the better one stays."""
    side = space.patch_px
    target, patch = np.empty((3, side, side)), np.empty((3, side, side))
    sums, light, move = np.empty((3, 2)), np.empty((3, 2)), np.empty(6)
    step = 1 if backwards else -1
    for position in range(len(targets)):
        k = len(targets) - 1 - position if backwards else position
        top, left = targets[k]
        _cut(wanted, top, left, target, sums)

        # From the neighbours that this sweep has passed: their source, one step on.
        for axis in range(2):
            row, column = (top + step, left) if axis == 0 else (top, left + step)
            if not (0 <= row < number.shape[0] and 0 <= column < number.shape[1]) or number[row, column] < 0:
                continue
            move[:] = moves[number[row, column]]
            yy, yx, xy, xx = _matrix(move)
            move[Y] -= step * (yy if axis == 0 else yx)
            move[X] -= step * (xy if axis == 0 else xx)
            if _is_known(holes_before, move, side):
                _sample(picture, move, patch)
                cost = _fit(target, sums, patch, space, light)
                if cost < costs[k]:
                    costs[k] = cost
                    moves[k] = move

        # At random: anywhere, then in windows of half the size each time.
        radius, share = max(picture.shape[0], picture.shape[1]), 1.0
        while radius >= 1:
            _draw(rng, sources, space, moves[k], radius, share, move)
            if _is_known(holes_before, move, side):
                _sample(picture, move, patch)
                cost = _fit(target, sums, patch, space, light)
                if cost < costs[k]:
                    costs[k] = cost
                    moves[k] = move
            radius //= 2
            share /= 2


@_compiled
def vote(
    picture: Floats64, wanted: Floats64, targets: Ints64, space: Space, moves: Floats64
) -> tuple[Floats64, Floats64, Floats64]:
    """Means of colours [H, W, 3] and of differences of L [H - 1, W], [H, W - 1] over all that overlap."""
    side = space.patch_px
    height, width = picture.shape[0], picture.shape[1]
    target, patch = np.empty((3, side, side)), np.empty((3, side, side))
    sums, light = np.empty((3, 2)), np.empty((3, 2))
    colour, voters = np.zeros((height, width, 3)), np.zeros((height, width))
    down, down_voters = np.zeros((height - 1, width)), np.zeros((height - 1, width))
    right, right_voters = np.zeros((height, width - 1)), np.zeros((height, width - 1))
    for k in range(len(targets)):
        top, left = targets[k]
        _cut(wanted, top, left, target, sums)
        _sample(picture, moves[k], patch)
        _fit(target, sums, patch, space, light)
        for row in range(side):
            for column in range(side):
                y, x = top + row, left + column
                voters[y, x] += 1
                for channel in range(3):
                    colour[y, x, channel] += light[channel, 0] * patch[channel, row, column] + light[channel, 1]
                if row + 1 < side:
                    down[y, x] += light[0, 0] * (patch[0, row + 1, column] - patch[0, row, column])
                    down_voters[y, x] += 1
                if column + 1 < side:
                    right[y, x] += light[0, 0] * (patch[0, row, column + 1] - patch[0, row, column])
                    right_voters[y, x] += 1
    for y in range(height):
        for x in range(width):
            for channel in range(3):
                colour[y, x, channel] /= max(voters[y, x], 1.0)
            if y + 1 < height:
                down[y, x] /= max(down_voters[y, x], 1.0)
            if x + 1 < width:
                right[y, x] /= max(right_voters[y, x], 1.0)
    return colour, down, right
