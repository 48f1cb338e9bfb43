"""What a restorer says of itself: its source, its parameters beside the paper's, and where it departs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One setting.

    Attributes:
        name: As the restorer's config or maker calls it.
        ours: What `get_restorer` uses.
        paper: What the paper uses or recommends; None where it does not say.
        what: Meaning and unit.
    """

    name: str
    ours: float | int | str
    paper: float | int | str | None
    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """One restorer, described.

    Attributes:
        name: What `get_restorer` knows it by.
        version: Goes up whenever the same input gives other pixels than before.
        what: How it fills a hole, in a sentence.
        paper: Authors, title, where and when; or that there is none.
        parameters: Its settings.
        departures: Where it differs from the paper, and why; empty = nowhere that we know of.
        extra: The optional extra of the package that it needs; empty = none.
    """

    name: str
    version: int
    what: str
    paper: str
    parameters: tuple[Parameter, ...] = ()
    departures: tuple[str, ...] = ()
    extra: str = ""
