"""One trial: which pictures one person sees at one place, and what would be right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["practice", "main", "repeat", "check"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceLabel:
    """What is known of a face before the study; empty = not known.

    Attributes:
        identity: Who it is, as a code; two photographs of one person share it.
        expression: One of `blocks.EXPRESSIONS`.
    """

    identity: str = ""
    expression: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One trial of one slot; a slot is a place for one person.

    Attributes:
        slot: From 0.
        position: Place in the person's whole session, from 0; with `slot` it is unique.
        block: Name of the block.
        role: Only `main` answers enter the results; `repeat` ones the steadiness, `check` ones the rule.
        face: Name of the face judged; of a check, one that the person has seen in this block.
        first: Condition of the first (or only) picture.
        second: Condition of the second picture, or empty.
        second_face: Face of the second picture, or empty.
        expected: The right answer; empty where there is none, as in a rating.
        break_before: A pause is offered first.
        screen: Position of the first trial that is shown together with this one; -1 = it is shown alone.
    """

    slot: int
    position: int
    block: str
    role: Role
    face: str = ""
    first: str = ""
    second: str = ""
    second_face: str = ""
    expected: str = ""
    break_before: bool = False
    screen: int = -1

    @property
    def pictures(self) -> tuple[tuple[str, str], ...]:
        """(condition, face) of the pictures to judge, in order."""
        one = ((self.first, self.face),) if self.first else ()
        return (*one, (self.second, self.second_face)) if self.second else one
