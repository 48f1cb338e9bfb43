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


class StudyNotOpen(InputError):
    """The study takes nobody in now, or no answers any more."""

    def __init__(self, state: str) -> None:
        self.code = f"study_{state}"
        super().__init__(f"the study is {state}; come back later, or ask those who invited you")


class AlreadyJoined(InputError):
    """A recruited person takes part already, from another browser or tab."""

    code = "already_joined"

    def __init__(self) -> None:
        super().__init__("you have joined already; go on in the browser in which you began")


class PlaceGone(InputError):
    """The participant's place was given to somebody else, or was never theirs."""

    def __init__(self, status: str) -> None:
        self.code = status
        super().__init__(f"this session has ended ({status.replace('_', ' ')}); it takes no more answers")


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
