"""Participants' secret codes: all that connects a person with their answers."""

from __future__ import annotations

import re
import secrets

from demask.errors import InputError

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # No 0 o 1 l i: a person may have to type it.
LENGTH = 16

_CODE = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")


class UnknownParticipant(InputError):
    """No participant has this code: mistyped, or withdrawn."""

    code = "unknown_participant"

    def __init__(self) -> None:
        super().__init__("no participant has this code; it was mistyped, or the participant has withdrawn")


class StudyFull(InputError):
    """As many people are enrolled as the study takes."""

    code = "study_full"

    def __init__(self, most: int) -> None:
        super().__init__(f"the study has {most} people and takes no more")


def new_code() -> str:
    """Draw a code of 79 bits that a person can type."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def check_code(code: str) -> str:
    """Return the code.

    Raises:
        InputError: It is not of the right form.
    """
    if not _CODE.fullmatch(code):
        raise InputError(f"a code has {LENGTH} of the characters {ALPHABET}; draw a new one")
    return code
