"""The screened Poisson equation in a hole: values near wanted ones, differences near wanted ones.

P. Bhat, B. Curless, M. Cohen, C. L. Zitnick, "Fourier Analysis of the 2D Screened Poisson Equation for
Gradient Domain Problems", ECCV 2008.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from demask.types import Floats64, Hole

"""One channel, float64 [H, W]."""


class ScreenedPoisson:
    """Minimise `value_weight (x - v)^2 + gradient_weight |grad x - g|^2` over a hole.

    Known pixels stay as they are. The matrix is that of the hole alone: it is factored once, by SuperLU,
    and serves any number of right-hand sides.

    Args:
        hole: True = unknown, bool [H, W]; neither empty nor all of the picture.
        gradient_weight: Weight of a squared difference between neighbours, of which one at least is unknown.
        value_weight: Weight of a squared distance from the wanted value; 0 leaves Poisson's equation.
    """

    def __init__(self, hole: Hole, *, gradient_weight: float, value_weight: float = 1.0) -> None:
        self._hole, self._gradient_weight, self._value_weight = hole, gradient_weight, value_weight
        number = np.arange(hole.size).reshape(hole.shape)
        before = np.concatenate([number[:-1].ravel(), number[:, :-1].ravel()])
        after = np.concatenate([number[1:].ravel(), number[:, 1:].ravel()])
        self._felt = hole.ravel()[before] | hole.ravel()[after]
        before, after = before[self._felt], after[self._felt]
        rows, ones = np.arange(len(before)), np.ones(len(before))
        difference = sp.csc_array(
            (np.concatenate([ones, -ones]), (np.tile(rows, 2), np.concatenate([after, before]))),
            shape=(len(before), hole.size),
        )
        self._of_unknown = difference[:, np.flatnonzero(hole)]
        self._of_known = difference[:, np.flatnonzero(~hole)]
        matrix = gradient_weight * (self._of_unknown.T @ self._of_unknown) + value_weight * sp.eye_array(
            int(hole.sum())
        )
        # The matrix is symmetric and its diagonal dominates: no pivot is ever needed.
        self._solve = splu(
            matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        ).solve

    def __call__(
        self, values: Floats64, down: Floats64 | float = 0.0, right: Floats64 | float = 0.0
    ) -> Floats64:
        """Solve for one channel.

        Args:
            values: Known values, and in the hole the wanted ones, float64 [H, W].
            down: Wanted `x[y + 1, x] - x[y, x]`, float64 [H - 1, W]; 0 wants no difference.
            right: Wanted `x[y, x + 1] - x[y, x]`, float64 [H, W - 1].

        Returns:
            float64 [H, W].
        """
        height, width = values.shape
        wanted = np.concatenate(
            [
                np.broadcast_to(down, (height - 1, width)).ravel(),
                np.broadcast_to(right, (height, width - 1)).ravel(),
            ]
        )[self._felt]
        across = self._of_unknown.T @ (wanted - self._of_known @ values[~self._hole])
        solved = values.copy()
        solved[self._hole] = self._solve(
            self._gradient_weight * across + self._value_weight * values[self._hole]
        )
        return solved
