"""How far people agree: Krippendorff's alpha, with an interval over people and pictures; test and retest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import krippendorff
import numpy as np

from demask.study.intervals import Estimate, Spread, nothing
from demask.study.records import Record

Level = Literal["nominal", "ordinal", "interval"]


def alpha(records: Sequence[Record], answers: Sequence[str], level: Level) -> Estimate:
    """Krippendorff's alpha of the main trials (Content Analysis, 4th ed., 2018, ch. 12).

    Units are pictures, coders are people. The interval is a jackknife over people plus one over faces minus
    one over single answers, like `intervals.spread_of` (drawing people again with replacement would let a
    person agree with themselves). Faces, not pictures, are left out: they are what was sampled, while the
    conditions are those of the plan.

    Args:
        records: Main trials of one block.
        answers: All answers that could be given, in their order.
        level: How answers are compared.
    """
    pictures = sorted({(record.first, record.face) for record in records})
    row = {picture: place for place, picture in enumerate(pictures)}
    column = {answer: place for place, answer in enumerate(answers)}
    counts = np.zeros((len(pictures), len(answers)))
    by_person: dict[str, np.ndarray] = {}
    for record in records:
        cell = row[record.first, record.face], column[record.value]
        counts[cell] += 1
        by_person.setdefault(record.person, np.zeros_like(counts))[cell] += 1
    domain = list(range(len(answers))) if level == "nominal" else [float(answer) for answer in answers]
    # Answers that nobody gave change nothing but the time.
    used = counts.sum(axis=0) > 0
    counts, domain = counts[:, used], [point for point, given in zip(domain, used, strict=True) if given]
    by_person = {person: own[:, used] for person, own in by_person.items()}
    value = _alpha(counts, domain, level)
    if not math.isfinite(value):
        return nothing()

    people = _jackknife([_quick_alpha(counts - own, domain, level) for own in by_person.values()])
    faces = np.array([face for _, face in pictures])
    of_faces = _jackknife([_quick_alpha(counts[faces != face], domain, level) for face in np.unique(faces)])
    single, weights = [], []
    for cell in zip(*np.nonzero(counts), strict=True):
        less = counts.copy()
        less[cell] -= 1
        single.append(_quick_alpha(less, domain, level))
        weights.append(counts[cell])
    both = _jackknife(single, weights)
    num_faces = len(np.unique(faces))
    spread = Spread(
        variance=max(people + of_faces - both, people, of_faces),
        freedom=float(max(1, min(len(by_person), num_faces) - 1)),
    )
    half = spread.quantile * math.sqrt(spread.variance)
    return Estimate(
        value=value,
        low=max(-1.0, value - half),
        high=min(1.0, value + half),
        num=len(records),
        num_people=len(by_person),
        num_faces=num_faces,
    )


def _alpha(counts: np.ndarray, domain: list[float] | list[int], level: Level) -> float:
    """Alpha of value counts [pictures, answers]; NaN where nobody differs or no picture was judged twice."""
    paired = counts[counts.sum(axis=1) > 1]
    if (paired.sum(axis=0) > 0).sum() < 2:
        return float("nan")
    return float(krippendorff.alpha(value_counts=paired, value_domain=domain, level_of_measurement=level))


def _quick_alpha(counts: np.ndarray, domain: list[float] | list[int], level: Level) -> float:
    """The same as `_alpha`, in a few array operations, for the many that a jackknife wants."""
    paired = counts[counts.sum(axis=1) > 1]
    given = paired.sum(axis=0)
    if (given > 0).sum() < 2:
        return float("nan")
    per_other = paired / (paired.sum(axis=1) - 1)[:, None]
    together = paired.T @ per_other - np.diag(per_other.sum(axis=0))
    points = np.asarray(domain, np.float64)
    if level == "nominal":
        apart = (points[:, None] != points).astype(np.float64)
    elif level == "interval":
        apart = (points[:, None] - points) ** 2
    else:  # The answers between two, and half of those at both.
        middle = np.cumsum(given) - given / 2
        apart = (middle[:, None] - middle) ** 2
    expected = float((np.outer(given, given) * apart).sum())
    return float(1 - (given.sum() - 1) * (together * apart).sum() / expected)


def _jackknife(without: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """Variance from the statistic without each cluster (Efron and Tibshirani 1993, eq. 11.5)."""
    left = np.array(without)
    weight = np.ones(len(left)) if weights is None else np.array(weights)
    known = np.isfinite(left)
    num = float(weight[known].sum())
    if num < 2:
        return 0.0
    middle = float((weight[known] * left[known]).sum()) / num
    return float((num - 1) / num * (weight[known] * (left[known] - middle) ** 2).sum())


def retest(records: Sequence[Record]) -> tuple[float, float, int]:
    """Fraction of repeated trials answered alike, mean absolute change of ratings (NaN for words), number."""
    first = {
        (record.person, record.block, record.face, record.first): record.value
        for record in records
        if record.role == "main"
    }
    same, moved = [], []
    for record in records:
        key = record.person, record.block, record.face, record.first
        if record.role == "repeat" and key in first:
            same.append(record.value == first[key])
            if record.value.isdigit():
                moved.append(abs(int(record.value) - int(first[key])))
    nan = float("nan")
    return (float(np.mean(same)) if same else nan, float(np.mean(moved)) if moved else nan, len(same))
