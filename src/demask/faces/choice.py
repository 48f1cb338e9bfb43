"""Which of the faces found are meant: all, the largest, or some by number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from demask.errors import UsageError
from demask.types import Face

Faces = Literal["all", "largest"] | Sequence[int]


def faces_from_text(text: str, *, name: str = "faces") -> Faces:
    """Read `all`, `largest`, `none` or `0,2`.

    Args:
        text: What a user wrote.
        name: How the message calls it.

    Raises:
        UsageError: It is none of these.
    """
    if text == "all" or text == "largest":
        return "all" if text == "all" else "largest"
    if text == "none":  # For a hole that marks a face nobody found.
        return []
    if not re.fullmatch(r"[0-9]{1,6}(,[0-9]{1,6})*", text):
        raise UsageError(f"{name} is {text!r}; it is all, largest, none, or numbers such as 0,2")
    return [int(number) for number in text.split(",")]


def choose(found: Sequence[Face], faces: Faces) -> list[int]:
    """Indices of the chosen faces.

    Raises:
        UsageError: An index is not there, or `faces` is no known word.
    """
    if faces == "all":
        return list(range(len(found)))
    if faces == "largest":
        return [max(range(len(found)), key=lambda index: found[index].size_px)] if found else []
    if isinstance(faces, str):
        raise UsageError(f"faces is {faces!r}; it is `all`, `largest` or indices such as 0,2")
    for index in faces:
        if not 0 <= index < len(found):
            there = f"0 to {len(found) - 1}" if found else "none"
            raise UsageError(f"face {index} was asked for, but the faces found are {there}; see `demask find`")
    return sorted(set(faces))
