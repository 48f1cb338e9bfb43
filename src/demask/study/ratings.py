"""Ratings: mean +- SD (the HQS), the likability index in three definitions, differences between systems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from demask.study.blocks import TRUTH, MushraBlock, RatingBlock
from demask.study.intervals import (
    Estimate,
    bootstrap_mean,
    from_influence,
    holm,
    mean_estimate,
    p_value,
    proportion_estimate,
)
from demask.study.records import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class RatingSummary:
    """How one condition was rated.

    Attributes:
        condition: A system, or the truth.
        mean: Mean rating (the mean opinion score, ITU-T P.800.1), two-way interval.
        sd: Standard deviation over ratings (n - 1): the figure after +- in "4.78 +- 1.08".
        sd_people: Standard deviation over people's means.
        sd_pictures: Standard deviation over pictures' means.
        bootstrap: Percentile interval of the mean by the pigeonhole bootstrap, as a second opinion.
        index_rescaled: Likability index as 100 (mean - lowest) / (highest - lowest).
        index_top_two: As the percentage of ratings in the top two categories (top fifth on a slider).
        index_of_maximum: As 100 mean / highest. On a scale from 1 it cannot reach 0.
        histogram: Ratings given, in categories from the lowest; tens on a slider.
    """

    condition: str
    mean: Estimate
    sd: float
    sd_people: float
    sd_pictures: float
    bootstrap: tuple[float, float]
    index_rescaled: Estimate
    index_top_two: Estimate
    index_of_maximum: Estimate
    histogram: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Mean of one condition minus that of another.

    Attributes:
        first: Condition whose mean is taken.
        second: Condition whose mean is subtracted.
        difference: Two-way interval, not adjusted.
        p: Two-sided, of no difference.
        p_holm: Adjusted for the number of comparisons in the block.
    """

    first: str
    second: str
    difference: Estimate
    p: float
    p_holm: float


def summarise(
    block: RatingBlock | MushraBlock, records: Sequence[Record], conditions: Sequence[str]
) -> list[RatingSummary]:
    """Summarise the main trials of a rating block for each condition that was rated."""
    summaries = []
    for condition in conditions:
        rows = [record for record in records if record.first == condition]
        if not rows:
            continue
        values = np.array([float(record.value) for record in rows])
        people, faces = [record.person for record in rows], [record.face for record in rows]
        mean = mean_estimate(values, people, faces, scale=(block.lowest, block.points))
        span = block.points - block.lowest
        top = (values >= (80 if block.points == 100 else block.points - 1)).astype(np.float64)
        summaries.append(
            RatingSummary(
                condition=condition,
                mean=mean,
                sd=_sd(values),
                sd_people=_sd_of_means(values, people),
                sd_pictures=_sd_of_means(values, faces),
                bootstrap=bootstrap_mean(values, people, faces),
                index_rescaled=mean.scaled(100 / span, -100 * block.lowest / span),
                index_top_two=proportion_estimate(top, people, faces).scaled(100),
                index_of_maximum=mean.scaled(100 / block.points),
                histogram=_histogram(block, values),
            )
        )
    return summaries


def differences(
    block: RatingBlock | MushraBlock, records: Sequence[Record], conditions: Sequence[str]
) -> list[Difference]:
    """Compare every two conditions that were rated, in their order."""
    span = block.points - block.lowest
    found = []
    for first, second in combinations(conditions, 2):
        rows = [record for record in records if record.first in (first, second)]
        values = np.array([float(record.value) for record in rows])
        is_first = np.array([record.first == first for record in rows], bool)
        if not is_first.any() or is_first.all():
            continue
        means = values[is_first].mean(), values[~is_first].mean()
        influence = np.where(
            is_first, (values - means[0]) / is_first.sum(), -(values - means[1]) / (~is_first).sum()
        )
        people, faces = [record.person for record in rows], [record.face for record in rows]
        value = float(means[0] - means[1])
        estimate = from_influence(value, influence, people, faces, scale=(-span, span))
        found.append((first, second, estimate, p_value(value, influence, people, faces, span=span)))
    adjusted = holm([p for *_, p in found])
    return [
        Difference(first=first, second=second, difference=estimate, p=p, p_holm=p_holm)
        for (first, second, estimate, p), p_holm in zip(found, adjusted, strict=True)
    ]


def dmos(block: RatingBlock | MushraBlock, compared: Sequence[Difference]) -> dict[str, Estimate]:
    """Difference to the hidden reference plus the highest rating (ITU-T P.910 (10/2023) ACR-HR), by system."""
    return {item.first: item.difference.scaled(1.0, block.points) for item in compared if item.second == TRUTH}


def _sd(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def _sd_of_means(values: np.ndarray, names: Sequence[str]) -> float:
    _, group = np.unique(np.asarray(names), return_inverse=True)
    return _sd(np.bincount(group, weights=values) / np.bincount(group))


def _histogram(block: RatingBlock | MushraBlock, values: np.ndarray) -> tuple[int, ...]:
    if block.points == 100:
        return tuple(int(count) for count in np.histogram(values, bins=10, range=(0, 100))[0])
    return tuple(int((values == point).sum()) for point in range(block.lowest, block.points + 1))
