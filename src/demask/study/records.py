"""An answer together with what it answers: the one kind of row that all statistics read."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One answer to one trial.

    Attributes:
        person: Pseudonym such as `p007`, never the secret token.
        position: Place in the person's session.
        block: Name of the block.
        role: practice, main, repeat or check.
        face: Face judged.
        first: Condition of the first (or only) picture.
        second: Condition of the second, or empty.
        second_face: Face of the second picture, or empty.
        expected: The right answer, or empty.
        value: The answer.
        reaction_ms: From the end of the pictures, or from their start where they stay, to the answer.
        first_ms: How long the first picture was really seen; None where it stayed.
        second_ms: The same for the second.
        simulated: No person gave this answer.
        shown_px: Width of the first picture on the page, in its pixels; None where the page did not say.
        follow_up: The answer to the block's follow-up question, or empty.
    """

    person: str
    position: int
    block: str
    role: str
    face: str
    first: str
    second: str
    second_face: str
    expected: str
    value: str
    reaction_ms: float
    first_ms: float | None = None
    second_ms: float | None = None
    simulated: bool = False
    shown_px: float | None = None
    follow_up: str = ""

    @property
    def correct(self) -> bool:
        """Whether the answer is the expected one."""
        return self.value == self.expected


FIELDS = tuple(field.name for field in dataclasses.fields(Record))


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """One participant as the statistics know them.

    Attributes:
        person: Pseudonym.
        num_trials: Of the session, without blocks that were left out.
        num_answers: Given.
        finished: Reached the end.
        replies: By question.
        group: Of the plan, or empty.
        status: `active`, or `timed_out`: the place went to another.
        devices: What the screen was like, each time the study was opened.
    """

    person: str
    num_trials: int
    num_answers: int
    finished: bool
    replies: dict[str, str]
    group: str = ""
    status: str = "active"
    devices: tuple[dict[str, Any], ...] = ()
