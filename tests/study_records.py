"""Single answers for tests of the study's statistics."""

from __future__ import annotations

from demask.study.records import Record


def answer(
    person: str, block: str, value: str, first: str = "a", second: str = "", *, face: str = "f",
    expected: str = "", role: str = "main", reaction_ms: float = 1000.0, seen_ms: float | None = None,
) -> Record:  # fmt: skip
    """An answer about one face, or about two pictures of it."""
    return Record(
        person=person, position=0, block=block, role=role, face=face, first=first, second=second,
        second_face=face if second else "", expected=expected, value=value, reaction_ms=reaction_ms,
        first_ms=seen_ms, second_ms=seen_ms,
    )  # fmt: skip
