"""What the remover gives back, and how faces are chosen."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from demask.errors import UsageError
from demask.types import Face, Hole

P = TypeVar("P")
Status = Literal["restored", "no_face", "no_covering"]
FaceStatus = Literal["restored", "bare", "skipped"]
Faces = Literal["all", "largest"] | Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FaceResult:
    """What became of one face.

    Attributes:
        face: Box, points and score.
        covered: Whether it wears a covering; None where nobody looked (a face that was not asked for).
        status: `restored`; `bare` (left exactly as it was); or `skipped` (not asked for, or not usable).
        confidence: How sure `covered` is, in [0, 1].
    """

    face: Face
    covered: bool | None
    status: FaceStatus
    confidence: float

    def as_json(self) -> dict[str, Any]:
        """The face as the command line and the server print it."""
        return {
            "box": [round(value, 1) for value in self.face.box],
            "points": [[round(float(x), 1), round(float(y), 1)] for x, y in self.face.points],
            "score": round(self.face.score, 4),
            "covered": self.covered,
            "status": self.status,
            "confidence": round(self.confidence, 4),
        }


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Result(Generic[P]):
    """A photo without its coverings.

    Attributes:
        photo: Of the kind that was given: an array for an array, a PIL image for a PIL image, the bytes
            of a file for bytes or a path. Where nothing was restored it is what was given, unchanged.
        faces: All faces found, largest first.
        status: `restored`, `no_face` or `no_covering`.
        hole: The pixels that changed, bool [H, W] at the photo's resolution; None where none did.
        timings_ms: Milliseconds spent to decode, find, hole, restore, paste, encode, as far as done.
    """

    photo: P
    faces: tuple[FaceResult, ...]
    status: Status
    hole: Hole | None
    timings_ms: dict[str, float]


@dataclass(slots=True)
class Clock:
    """Adds up the milliseconds of each stage."""

    timings_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what runs inside the `with` block."""
        start = time.perf_counter()
        yield
        spent_ms = (time.perf_counter() - start) * 1000
        self.timings_ms[stage] = self.timings_ms.get(stage, 0.0) + spent_ms


def faces_from_text(text: str, *, name: str = "faces") -> Faces:
    """Read `all`, `largest` or `0,2`.

    Args:
        text: What a user wrote.
        name: How the message calls it.

    Raises:
        UsageError: It is none of these.
    """
    if text == "all" or text == "largest":
        return "all" if text == "all" else "largest"
    if not re.fullmatch(r"[0-9]{1,6}(,[0-9]{1,6})*", text):
        raise UsageError(f"{name} is {text!r}; it is all, largest, or numbers such as 0,2")
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
