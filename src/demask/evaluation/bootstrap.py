"""How sure a mean is: percentile bootstrap over pictures, and over pairs between two systems.

Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 13: draw the pictures again
with replacement, take the statistic, and read the interval off its percentiles. Pictures are the
unit; paired statistics draw the same pictures for both systems.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from demask.rng import rng_for
from demask.types import Floats64

NUM_DRAWS = 2000
CONFIDENCE = 0.95
FEW = 20
"""Of fewer pictures percentile intervals are clearly too narrow (Hesterberg 2015, arXiv:1411.5279)."""


def too_few(num: int) -> str:
    """What is to be said of intervals over so many pictures; nothing where they are enough."""
    if num >= FEW:
        return ""
    pictures = "one picture says" if num == 1 else f"{num} pictures say"
    return f"{pictures} little: intervals over fewer than {FEW} are too narrow"


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A statistic with its bootstrap interval.

    Attributes:
        value: The statistic on the pictures themselves.
        low: Lower end of the interval.
        high: Upper end.
        num: How many pictures (or pairs) it rests on; those with a NaN are left out.
    """

    value: float
    low: float
    high: float
    num: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def as_json(self) -> dict[str, float | int | None]:
        """The four numbers, rounded to five places; NaN becomes null."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        rounded: dict[str, float | int | None] = {
            key: round(number, 5) if np.isfinite(number) else None for key, number in numbers.items()
        }
        return rounded | {"num": self.num}


def mean_interval(values: Sequence[float] | Floats64, *, seed: int = 0) -> Interval:
    """Mean over pictures and its 95 % interval.

    Args:
        values: One number per picture; NaN means the picture has none and is left out.
        seed: Of the draws: the same values and seed give the same interval.
    """
    return _interval([np.asarray(values, np.float64)], lambda columns: columns[0].mean(axis=-1), seed)


def paired_difference(
    ours: Sequence[float] | Floats64, theirs: Sequence[float] | Floats64, *, seed: int = 0
) -> Interval:
    """Mean of `ours - theirs` over the same pictures and its 95 % interval.

    Raises:
        ValueError: The two are not of one length.
    """
    return _interval(_pair(ours, theirs), lambda columns: (columns[0] - columns[1]).mean(axis=-1), seed)


def paired_ratio(
    ours: Sequence[float] | Floats64, theirs: Sequence[float] | Floats64, *, seed: int = 0
) -> Interval:
    """Mean of `ours` over mean of `theirs` on the same pictures and its 95 % interval.

    Raises:
        ValueError: The two are not of one length.
    """

    def ratio(columns: list[Floats64]) -> Floats64:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(columns[0].mean(axis=-1) / columns[1].mean(axis=-1), np.float64)

    return _interval(_pair(ours, theirs), ratio, seed)


def _pair(ours: Sequence[float] | Floats64, theirs: Sequence[float] | Floats64) -> list[Floats64]:
    first, second = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"pairs need two lists of one length, got {first.size} and {second.size}")
    return [first, second]


def _interval(columns: list[Floats64], statistic: Callable[[list[Floats64]], Floats64], seed: int) -> Interval:
    """Bootstrap a statistic of columns [num], which it must reduce over the last axis."""
    known = np.all([np.isfinite(column) for column in columns], axis=0)
    columns = [column[known] for column in columns]
    num = int(known.sum())
    if num == 0:
        return Interval(value=float("nan"), low=float("nan"), high=float("nan"), num=0)
    rng = rng_for(seed, "bootstrap", str(num))
    picked = rng.integers(0, num, size=(NUM_DRAWS, num))
    drawn = statistic([column[picked] for column in columns])
    tail = (1 - CONFIDENCE) / 2
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):  # A ratio to a mean of 0 in every draw.
        return Interval(value=float("nan"), low=float("nan"), high=float("nan"), num=num)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(value=float(statistic(columns)), low=float(low), high=float(high), num=num)
