"""How likely a study of a given size finds a difference: by simulating the whole study many times."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from demask.study.assign import Assignment
from demask.study.blocks import RatingBlock
from demask.study.effects import Effects
from demask.study.intervals import CONFIDENCE, wilson
from demask.study.plan import Plan
from demask.study.ratings import differences
from demask.study.simulate import Crowd
from demask.study.trials import FaceLabel


@dataclass(frozen=True, kw_only=True, slots=True)
class Power:
    """The chance to find one difference in mean rating.

    Attributes:
        block: Rating block.
        first: System that is better by `difference`.
        second: The other.
        people: How many take part.
        difference: In rating categories, exact.
        power: Fraction of simulated studies with p below 1 - `CONFIDENCE`, not adjusted.
        interval: Wilson's, of `power`.
        studies: How many studies were simulated.
    """

    block: str
    first: str
    second: str
    people: int
    difference: float
    power: float
    interval: tuple[float, float]
    studies: int


def power_of_rating(
    plan: Plan,
    labels: Mapping[str, FaceLabel],
    effects: Effects,
    block: RatingBlock,
    first: str,
    second: str,
    *,
    people: int | None = None,
    studies: int = 200,
    seed: int = 0,
) -> Power:
    """Simulate `studies` studies and count how many find the difference between two conditions.

    Args:
        plan: The study; only `block` is simulated.
        labels: Faces as the study has them.
        effects: What people are like; their levels make the difference.
        block: A rating block of the plan.
        first: Condition.
        second: Condition.
        people: How many take part; None = as planned.
        studies: More studies, narrower interval of the power.
        seed: Same seed, same power.
    """
    people = people or plan.people
    alone = dataclasses.replace(block, same_pictures_as="", faces=block.faces)
    assignment = Assignment(dataclasses.replace(plan, blocks=(alone,)), labels)
    sessions = [
        [trial for trial in assignment.trials(slot) if trial.role == "main" and trial.first in (first, second)]
        for slot in range(people)
    ]
    found = 0
    for study in range(studies):
        crowd = Crowd(assignment.plan, effects, seed * 1_000_003 + study)
        records = [r for slot, trials in enumerate(sessions) for r in crowd.records(slot, trials)]
        (difference,) = differences(block, records, (first, second))
        found += difference.p < 1 - CONFIDENCE
    return Power(
        block=block.name,
        first=first,
        second=second,
        people=people,
        difference=effects.mean_rating(block, first) - effects.mean_rating(block, second),
        power=found / studies,
        interval=wilson(found / studies, studies),
        studies=studies,
    )
