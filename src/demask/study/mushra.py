"""Several systems rated at once against an open reference: who rated with care, and how the systems stand.

After ITU-R BS.1534-3 (2015). Means and differences are those of `ratings`, whose variance takes all ratings of
one screen together: people who see all systems of a face compare them there and then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from demask.study.blocks import TRUTH, MushraBlock
from demask.study.records import Record

LEAST_FOR_REFERENCE = 90
MOST_BELOW = 0.15
"""Sec. 4.1.2: the hidden reference below 90 on more than 15 % of the items."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MushraSummary:
    """How the ratings of one condition lie, without assuming that they are normal (sec. 9.2).

    Attributes:
        condition: System, truth (the hidden reference) or anchor.
        median: Of all ratings.
        quartiles: Lower and upper.
        best: Fraction of screens on which no other condition but the truth was rated higher.
    """

    condition: str
    median: float
    quartiles: tuple[float, float]
    best: float


def left_out(block: MushraBlock, records: Sequence[Record]) -> dict[str, str]:
    """People who did not find the hidden reference, with the reason."""
    if not block.post_screening:
        return {}
    found = {}
    for person in dict.fromkeys(record.person for record in records):
        own = [float(r.value) for r in records if r.person == person and r.first == TRUTH]
        below = sum(value < LEAST_FOR_REFERENCE for value in own)
        if own and below / len(own) > MOST_BELOW:
            found[person] = (
                f"rated the hidden reference below {LEAST_FOR_REFERENCE} on {below} of {len(own)} faces"
            )
    return found


def summarise(records: Sequence[Record], conditions: Sequence[str]) -> list[MushraSummary]:
    """Summarise the main trials of a MUSHRA block for each condition."""
    screens: dict[tuple[str, str], dict[str, float]] = {}
    for record in records:
        screens.setdefault((record.person, record.face), {})[record.first] = float(record.value)
    summaries = []
    for condition in conditions:
        values = np.array([screen[condition] for screen in screens.values() if condition in screen])
        if not len(values):
            continue
        wins = [
            screen[condition]
            >= max(value for name, value in screen.items() if name == condition or name != TRUTH)
            for screen in screens.values()
            if condition in screen
        ]
        low, median, high = np.percentile(values, [25, 50, 75])
        summaries.append(
            MushraSummary(
                condition=condition,
                median=float(median),
                quartiles=(float(low), float(high)),
                best=float(np.mean(wins)),
            )
        )
    return summaries
