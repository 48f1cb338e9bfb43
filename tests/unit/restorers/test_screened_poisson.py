"""The screened Poisson equation against a dense least-squares solution, and where the answer is plain."""

from __future__ import annotations

import numpy as np
import pytest

from demask.restorers.screened_poisson import ScreenedPoisson


@pytest.mark.parametrize(("gradient_weight", "value_weight"), [(0.1, 1.0), (3.0, 1.0), (1.0, 0.0), (0.0, 1.0)])
def test_it_is_the_least_squares_solution(gradient_weight: float, value_weight: float) -> None:
    """Every term is written out as a row of a dense system over all pixels; known ones weigh a million."""
    rng = np.random.default_rng(4)
    height, width = 7, 9
    values = rng.normal(50, 20, (height, width))
    down, right = rng.normal(0, 5, (height - 1, width)), rng.normal(0, 5, (height, width - 1))
    hole = rng.random((height, width)) < 0.5
    hole[0, :3] = hole[-1, -1] = True

    rows, wanted = [], []

    def term(weight: float, plus: tuple[int, int], minus: tuple[int, int] | None, target: float) -> None:
        row = np.zeros((height, width))
        row[plus] = np.sqrt(weight)
        if minus is not None:
            row[minus] = -np.sqrt(weight)
        rows.append(row.ravel())
        wanted.append(np.sqrt(weight) * target)

    for y, x in np.ndindex(height, width):
        term(value_weight if hole[y, x] else 1e12, (y, x), None, values[y, x])
        if y + 1 < height:
            term(gradient_weight, (y + 1, x), (y, x), down[y, x])
        if x + 1 < width:
            term(gradient_weight, (y, x + 1), (y, x), right[y, x])
    expected = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0].reshape(height, width)

    solver = ScreenedPoisson(hole, gradient_weight=gradient_weight, value_weight=value_weight)
    solved = solver(values, down, right)
    assert np.abs(solved - expected).max() < 1e-5
    assert np.array_equal(solved[~hole], values[~hole])
    # The factored matrix serves other right-hand sides.
    assert np.abs(solver(values * 2, down * 2, right * 2) - 2 * solved).max() < 1e-9


def test_a_membrane_is_a_ramp_between_two_levels() -> None:
    hole = np.ones((5, 11), bool)
    hole[:, 0] = hole[:, -1] = False
    values = np.zeros((5, 11))
    values[:, -1] = 10
    values[hole] = 1e6  # Of no weight.
    solved = ScreenedPoisson(hole, gradient_weight=1.0, value_weight=0.0)(values)
    assert np.abs(solved - np.arange(11)).max() < 1e-9


def test_gradients_restore_contrast_that_values_have_lost() -> None:
    y, x = np.mgrid[0:24, 0:24]
    truth = 50 + 20 * np.sin(x / 2.0) * np.cos(y / 3.0)
    hole = np.zeros((24, 24), bool)
    hole[4:20, 4:20] = True
    blurred = np.where(hole, 50.0, truth)
    errors = [
        np.abs(
            ScreenedPoisson(hole, gradient_weight=weight)(blurred, np.diff(truth, axis=0), np.diff(truth))[hole]
            - truth[hole]
        ).mean()
        for weight in (0.0, 0.1, 1.0, 100.0)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.05 * errors[0]
