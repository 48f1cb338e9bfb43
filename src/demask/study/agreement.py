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
        if record.person not in by_person:
            by_person[record.person] = np.zeros_like(counts)
        by_person[record.person][cell] += 1
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
    both = _jackknife(*_without_each(counts, domain, level))
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
    together = _together(paired)
    apart = _apart(given, domain, level)
    return float(1 - (given.sum() - 1) * (together * apart).sum() / (given @ apart @ given))


def _together(paired: np.ndarray) -> np.ndarray:
    """How often two answers were given to one picture, [answers, answers], each picture by its answers."""
    per_other = paired / (paired.sum(axis=1) - 1)[:, None]
    return np.asarray(paired.T @ per_other - np.diag(per_other.sum(axis=0)))


def _apart(given: np.ndarray, domain: list[float] | list[int], level: Level) -> np.ndarray:
    """How far two answers lie apart, [answers, answers], where each was given so often."""
    points = np.asarray(domain, np.float64)
    if level == "nominal":
        return np.asarray(points[:, None] != points, np.float64)
    if level == "ordinal":  # The answers between two, and half of those at both.
        points = np.cumsum(given) - given / 2
    return np.asarray((points[:, None] - points) ** 2)


def _without_each(
    counts: np.ndarray, domain: list[float] | list[int], level: Level
) -> tuple[np.ndarray, np.ndarray]:
    """Alpha without one answer of each kind that a picture got, and how many answers are alike in that.

    A picture adds k D k / (m - 1), its counts k being m answers and D their distances, so an answer less is a
    step from the whole and no new sum; D itself changes with the answers left, where it is ordinal.
    """
    judged = counts.sum(axis=1)
    paired = counts[judged > 1]
    given, together = paired.sum(axis=0), _together(paired)
    picture, answer = np.nonzero(counts)
    # A picture with one answer left says nothing, so the other one goes as well.
    gone = np.eye(counts.shape[1])[answer]
    gone[judged[picture] == 2] = counts[picture[judged[picture] == 2]]
    gone[judged[picture] == 1] = 0
    found = np.full(len(picture), np.nan)
    alike: dict[bytes, list[int]] = {}
    for row, taken in enumerate(gone):
        alike.setdefault(taken.tobytes(), []).append(row)
    for rows in alike.values():
        left = given - gone[rows[0]]
        if (left > 0).sum() < 2:
            continue
        apart = _apart(left, domain, level)
        own = counts[picture[rows]]
        num = own.sum(axis=1)
        of_picture = np.einsum("pa,ab,pb->p", own, apart, own, optimize=True)
        without = of_picture - 2 * (own @ apart)[np.arange(len(rows)), answer[rows]]
        observed = (together * apart).sum() + np.where(
            num > 1, without / np.maximum(num - 2, 1) * (num > 2) - of_picture / np.maximum(num - 1, 1), 0.0
        )
        found[rows] = 1 - (left.sum() - 1) * observed / (left @ apart @ left)
    return found, counts[picture, answer]


def _jackknife(
    without: Sequence[float] | np.ndarray, weights: Sequence[float] | np.ndarray | None = None
) -> float:
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
