"""How sure a figure is when both the people and the faces are samples.

Every judgement of one person is alike, and so is every judgement of one face; an interval that forgets
either is too narrow. The variance here is the two-way cluster-robust one of Cameron, Gelbach and Miller
(Robust inference with multiway clustering, J. Business & Economic Statistics 29(2), 2011, eq. 2.11): that of
people plus that of faces minus that of single judgements, each with its G/(G-1). Where the subtraction,
by chance, leaves almost nothing, the larger of the two one-way variances is taken. Any statistic enters
through its influence values (Hampel 1974): what each judgement adds to the estimate, to first order.

No interval leaves the scale of its figure: proportions and means take the score interval, other bounded figures
the logit scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from demask.rng import rng_for
from demask.types import Floats64

Names = Sequence[str] | npt.NDArray[np.str_]

CONFIDENCE = 0.95

FEWEST = 3
"""With fewer people, or fewer faces, an interval says nothing: t with one degree of freedom is 12.7."""

# A variance under this part of that of independent judgements is an accident of the subtraction.
_LEAST_OF_INDEPENDENT = 0.25
_NOISE = 1e-24  # A variance below it is rounding.


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A figure with its 95 % interval.

    Attributes:
        value: The figure; NaN where there is nothing to compute it from.
        low: Lower end of the interval.
        high: Upper end.
        num: Judgements it rests on.
        num_people: People who made them.
        num_faces: Faces they were about.
    """

    value: float
    low: float
    high: float
    num: int
    num_people: int
    num_faces: int

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"

    @property
    def too_few(self) -> bool:
        """Whether there are too few people or faces for the interval to say anything."""
        return self.num > 0 and min(self.num_people, self.num_faces) < FEWEST

    def scaled(self, factor: float, offset: float = 0.0) -> Estimate:
        """The estimate of `factor * figure + offset`; the factor is positive."""
        ends = (factor * end + offset for end in (self.value, self.low, self.high))
        value, low, high = ends
        return Estimate(
            value=value, low=low, high=high, num=self.num, num_people=self.num_people, num_faces=self.num_faces
        )


def wilson(proportion: float, num: float, *, quantile: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's score interval of a proportion (J. American Statistical Association 22, 1927, p. 209).

    Args:
        proportion: Observed proportion in [0, 1].
        num: Number of trials, or the effective number where trials depend on each other.
        quantile: Of the normal (or t) distribution, two-sided.
    """
    square = quantile**2
    middle = (proportion + square / (2 * num)) / (1 + square / num)
    half = (
        quantile * math.sqrt(proportion * (1 - proportion) / num + square / (4 * num**2)) / (1 + square / num)
    )
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """How far an estimate may be off.

    Attributes:
        variance: Two-way cluster-robust, of the estimate.
        freedom: Degrees of freedom of that variance.
    """

    variance: float
    freedom: float

    @property
    def quantile(self) -> float:
        """Two-sided quantile of t at `CONFIDENCE`."""
        return float(stdtrit(self.freedom, 0.5 + CONFIDENCE / 2))


def spread_of(influence: Floats64, people: Names, faces: Names) -> Spread:
    """Variance of an estimate, and how well it is known, from the influence values [num] of its judgements.

    The degrees of freedom are those of the fewer clusters less one, d, and fewer where the clusters' sums
    have heavy tails, as those of proportions near 0 or 1 do. A variance of G sums has itself the relative
    variance 2 / d + excess kurtosis / G, and Satterthwaite (Biometrics Bulletin 2(6), 1946) takes two over it.
    """
    person, face = _numbered(people), _numbered(faces)
    by_person, by_face = _sums(influence, person), _sums(influence, face)
    by_cell = _sums(influence, np.unique(person * len(by_face) + face, return_inverse=True)[1])
    one, two, both = (_variance(sums) for sums in (by_person, by_face, by_cell))
    variance = one + two - both
    if variance <= _LEAST_OF_INDEPENDENT * both:
        variance = max(one, two)
    freedom = float(max(1, min(len(by_person), len(by_face)) - 1))
    if variance > 0:
        tails = (one / variance) ** 2 * _tail(by_person) + (two / variance) ** 2 * _tail(by_face)
        freedom = max(1.0, 2 / (2 / freedom + tails))
    return Spread(variance=variance, freedom=freedom)


def _numbered(names: Names) -> npt.NDArray[np.intp]:
    """Names as numbers from 0, in the order in which they come."""
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return np.fromiter(map(number.__getitem__, names), np.intp, len(names))


def _sums(influence: Floats64, cluster: npt.NDArray[np.intp]) -> Floats64:
    return np.asarray(np.bincount(cluster, weights=influence), np.float64)


def _variance(sums: Floats64) -> float:
    if len(sums) < 2:
        return 0.0
    return float((sums**2).sum() * len(sums) / (len(sums) - 1))


def _tail(sums: Floats64) -> float:
    """Excess kurtosis of cluster sums over their number; 0 where the tails are light."""
    apart = sums - sums.mean()
    square = float((apart**2).mean())
    if square <= _NOISE:
        return 0.0
    return max(0.0, float((apart**4).mean()) / square**2 - 3) / len(sums)


def from_influence(
    value: float,
    influence: Floats64,
    people: Names,
    faces: Names,
    *,
    scale: tuple[float, float] | None = None,
) -> Estimate:
    """Interval of any statistic: value +- t times the two-way standard error.

    Args:
        value: The statistic.
        influence: What each judgement adds to it, [num].
        people: Who judged.
        faces: Whom.
        scale: Lowest and highest value that the statistic can have; the interval is then taken on the logit
            scale between them and cannot leave it.
    """
    spread = spread_of(influence, people, faces)
    half = spread.quantile * math.sqrt(spread.variance)
    low, high = value - half, value + half
    if scale is not None:
        least, most = scale
        part = (value - least) / (most - least)
        if 0 < part < 1:
            half = half / (most - least) / (part * (1 - part))
            ends = (
                1 / (1 + math.exp(min(700.0, change - math.log(part / (1 - part))))) for change in (half, -half)
            )
            low, high = (least + (most - least) * end for end in ends)
        low, high = max(least, low), min(most, high)
    return _estimate(value, low, high, people, faces)


def mean_estimate(values: Floats64, people: Names, faces: Names, *, scale: tuple[float, float]) -> Estimate:
    """Mean of judgements [num] on a scale from its first to its second end.

    The score interval of `proportion_estimate` on the mean's place in the scale: alike in the middle, never
    beyond the ends, and not of no width where all people happen to agree.
    """
    if not len(values):
        return nothing()
    least, most = scale
    return proportion_estimate((values - least) / (most - least), people, faces).scaled(most - least, least)


def proportion_estimate(hits: Floats64, people: Names, faces: Names) -> Estimate:
    """Proportion of hits (0 to 1, [num]): Wilson's interval on the effective number of judgements.

    The effective number is proportion (1 - proportion) / two-way variance, as in surveys (Korn and Graubard,
    Survey Methodology 24(2), 1998), with t in place of z; it stays in [0, 1] near the ends. Where all
    judgements agree the data cannot say how alike people are; the number of people is taken.
    """
    if not len(hits):
        return nothing()
    value = float(hits.mean())
    spread = spread_of((hits - value) / len(hits), people, faces)
    effective = float(len(set(people)))
    if spread.variance > _NOISE:
        effective = value * (1 - value) / spread.variance
    low, high = wilson(value, effective, quantile=spread.quantile)
    return _estimate(value, low, high, people, faces)


def p_value(value: float, influence: Floats64, people: Names, faces: Names, *, span: float) -> float:
    """Two-sided p of a difference being 0, by the same t and on the same scale as its interval.

    Args:
        value: The difference.
        influence: What each judgement adds to it, [num].
        people: Who judged.
        faces: Whom.
        span: The difference lies between -span and span.
    """
    spread = spread_of(influence, people, faces)
    part = (value + span) / (2 * span)
    if not spread.variance:
        return 1.0
    if not 0 < part < 1:
        return 0.0
    error = math.sqrt(spread.variance) / (2 * span) / (part * (1 - part))
    return float(2 * stdtr(spread.freedom, -abs(math.log(part / (1 - part))) / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for their number (Holm, Scandinavian J. of Statistics 6(2), 1979)."""
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = running
    return adjusted


def bootstrap_mean(
    values: Floats64, people: Names, faces: Names, *, seed: int = 0, draws: int = 2000
) -> tuple[float, float]:
    """Percentile interval of a mean, people and faces drawn again independently of each other.

    Owen's pigeonhole bootstrap (Annals of Applied Statistics 1(2), 2007, sec. 3): each judgement
    counts as often as its person times as often as its face were drawn. It counts the noise of single
    judgements up to three times, so it is wider than needed rather than too narrow.
    """
    rows, person = np.unique(np.asarray(people), return_inverse=True)
    columns, face = np.unique(np.asarray(faces), return_inverse=True)
    sums, counts = np.zeros((2, len(rows), len(columns)))
    np.add.at(sums, (person, face), values)
    np.add.at(counts, (person, face), 1.0)
    by_person, by_face = _drawn_again(seed, str(len(values)), len(rows), len(columns), draws)
    total = np.einsum("bf,bf->b", by_person @ sums, by_face)
    weight = np.einsum("bf,bf->b", by_person @ counts, by_face)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(total[weight > 0] / weight[weight > 0], [tail, 100 - tail])
    return float(low), float(high)


@lru_cache(maxsize=8)
def _drawn_again(
    seed: int, name: str, num_people: int, num_faces: int, draws: int
) -> tuple[Floats64, Floats64]:
    """How often each person and each face is drawn, [draws, people] and [draws, faces]."""
    rng = rng_for(seed, "study/bootstrap", name)
    one, two = (
        rng.multinomial(num, np.full(num, 1 / num), size=draws).astype(np.float64)
        for num in (num_people, num_faces)
    )
    return one, two


def nothing() -> Estimate:
    """The estimate of something nobody judged."""
    nan = float("nan")
    return Estimate(value=nan, low=nan, high=nan, num=0, num_people=0, num_faces=0)


def _estimate(value: float, low: float, high: float, people: Names, faces: Names) -> Estimate:
    return Estimate(
        value=value, low=low, high=high, num=len(people), num_people=len(set(people)), num_faces=len(set(faces))
    )
