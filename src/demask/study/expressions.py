"""Which expression people saw in a face, against the label: confusion matrices per condition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from demask.study.intervals import Estimate, proportion_estimate
from demask.study.records import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpressionSummary:
    """What people saw in the pictures of one condition.

    Attributes:
        condition: Masked, a system, or the truth.
        expressions: Order of rows and columns.
        confusion: Answers given, rows are labels, columns are answers.
        accuracy: Fraction of answers that are the label.
        per_expression: The same for each label that was shown.
    """

    condition: str
    expressions: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    accuracy: Estimate
    per_expression: dict[str, Estimate]


def summarise(
    records: Sequence[Record], conditions: Sequence[str], expressions: Sequence[str]
) -> list[ExpressionSummary]:
    """Summarise the main trials of an expression block for each condition."""
    summaries = []
    for condition in conditions:
        rows = [record for record in records if record.first == condition]
        if not rows:
            continue
        given = Counter((record.expected, record.value) for record in rows)
        confusion = tuple(tuple(given[label, answer] for answer in expressions) for label in expressions)
        summaries.append(
            ExpressionSummary(
                condition=condition,
                expressions=tuple(expressions),
                confusion=confusion,
                accuracy=_accuracy(rows),
                per_expression={
                    label: _accuracy([record for record in rows if record.expected == label])
                    for label in expressions
                    if any(record.expected == label for record in rows)
                },
            )
        )
    return summaries


def _accuracy(rows: Sequence[Record]) -> Estimate:
    hits = np.array([record.correct for record in rows], np.float64)
    return proportion_estimate(hits, [record.person for record in rows], [record.face for record in rows])
