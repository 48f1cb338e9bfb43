"""How sure a figure is when both the people and the faces are samples.

Every judgement of one person is alike, and so is every judgement of one face; an interval that forgets
either is too narrow. The variance here is the two-way cluster-robust one of Cameron, Gelbach and Miller
(Robust inference with multiway clustering, J. Business & Economic Statistics 29(2), 2011, eq. 2.11): that of
people plus that of faces minus that of single judgements, each with its G/(G-1). Where the subtraction,
by chance, leaves almost nothing, the larger of the two one-way variances is taken. Any statistic enters
through its influence values (Hampel 1974): what each judgement adds to the estimate, to first order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from demask.rng import rng_for
from demask.types import Floats64

Names = Sequence[str] | npt.NDArray[np.str_]

CONFIDENCE = 0.95

# A variance under this part of that of independent judgements is an accident of the subtraction.
_LEAST_OF_INDEPENDENT = 0.25


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


def two_way_variance(influence: Floats64, people: Names, faces: Names) -> float:
    """Variance of an estimate from the influence values [num] of its judgements."""
    one = _cluster_variance(influence, np.unique(np.asarray(people), return_inverse=True)[1])
    two = _cluster_variance(influence, np.unique(np.asarray(faces), return_inverse=True)[1])
    cells = np.asarray([f"{person}\t{face}" for person, face in zip(people, faces, strict=True)])
    both = _cluster_variance(influence, np.unique(cells, return_inverse=True)[1])
    variance = one + two - both
    return variance if variance > _LEAST_OF_INDEPENDENT * both else max(one, two)


def _cluster_variance(influence: Floats64, cluster: npt.NDArray[np.intp]) -> float:
    sums = np.bincount(cluster, weights=influence)
    if len(sums) < 2:
        return 0.0
    return float((sums**2).sum() * len(sums) / (len(sums) - 1))


def from_influence(value: float, influence: Floats64, people: Names, faces: Names) -> Estimate:
    """Interval of any statistic: value +- t times the two-way standard error, min(G) - 1 degrees of freedom."""
    half = quantile_of(people, faces) * math.sqrt(two_way_variance(influence, people, faces))
    return _estimate(value, value - half, value + half, people, faces)


def mean_estimate(values: Floats64, people: Names, faces: Names) -> Estimate:
    """Mean of judgements [num]."""
    if not len(values):
        return nothing()
    value = float(values.mean())
    return from_influence(value, (values - value) / len(values), people, faces)


def proportion_estimate(hits: Floats64, people: Names, faces: Names) -> Estimate:
    """Proportion of hits (0 or 1, [num]): Wilson's interval on the effective number of judgements.

    The effective number is proportion (1 - proportion) / two-way variance, as in surveys (Korn and Graubard,
    Survey Methodology 24(2), 1998), with t in place of z; it stays in [0, 1] near the ends. Where all
    judgements agree the data cannot say how alike people are; the number of people is taken.
    """
    if not len(hits):
        return nothing()
    value = float(hits.mean())
    variance = two_way_variance((hits - value) / len(hits), people, faces)
    effective = float(len(set(people)))
    if variance > 0:
        effective = value * (1 - value) / variance
    low, high = wilson(value, effective, quantile=quantile_of(people, faces))
    return _estimate(value, low, high, people, faces)


def quantile_of(people: Names, faces: Names) -> float:
    """Quantile of t with as many degrees of freedom as the smaller number of clusters less one."""
    freedom = max(1, min(len(set(people)), len(set(faces))) - 1)
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom))


def p_value(estimate: Estimate, people: Names, faces: Names) -> float:
    """Two-sided p of the figure being 0, by the same t."""
    quantile = quantile_of(people, faces)
    error = (estimate.high - estimate.low) / 2 / quantile
    freedom = max(1, min(len(set(people)), len(set(faces))) - 1)
    return 1.0 if not error else float(2 * stats.t.sf(abs(estimate.value) / error, freedom))


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
    rng = rng_for(seed, "study/bootstrap", str(len(values)))
    by_person = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=draws)
    by_face = rng.multinomial(len(columns), np.full(len(columns), 1 / len(columns)), size=draws)
    total = np.einsum("bf,bf->b", by_person @ sums, by_face)
    weight = np.einsum("bf,bf->b", by_person @ counts, by_face)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(total[weight > 0] / weight[weight > 0], [tail, 100 - tail])
    return float(low), float(high)


def nothing() -> Estimate:
    """The estimate of something nobody judged."""
    nan = float("nan")
    return Estimate(value=nan, low=nan, high=nan, num=0, num_people=0, num_faces=0)


def _estimate(value: float, low: float, high: float, people: Names, faces: Names) -> Estimate:
    return Estimate(
        value=value, low=low, high=high, num=len(people), num_people=len(set(people)), num_faces=len(set(faces))
    )
