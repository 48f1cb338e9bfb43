"""What a restorer says of itself: its source, its parameters beside the paper's, and where it departs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WindowName = Literal["tight", "wide"]


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
        licence: Of its code and of whatever it works with: SPDX identifiers, or words where there is none.
        invents: Whether it draws a face that it learned to draw; others go on with pixels that are there.
        blind: Whether it sees the covering and is told no hole.
        windows: Which windows' crops it takes: `tight` (256 px), and `wide` (384 px) too.
        parameters: Its settings.
        departures: Where it differs from the paper, and why; empty = nowhere that we know of.
        extra: The optional extra of the package that it needs; empty = none.
        needs_demask: The oldest version of demask that will do, such as `0.2`; empty = any.
        note: What whoever uses it must know besides, such as patents.
        digest: Checksum of the file it works with, if it works with one.
        package: Name and version of the package it comes from; a plug-in need not say, empty = demask itself.
    """

    name: str
    version: int
    what: str
    paper: str
    licence: str = "not stated"
    invents: bool = False
    blind: bool = False
    windows: tuple[WindowName, ...] = ("tight",)
    parameters: tuple[Parameter, ...] = ()
    departures: tuple[str, ...] = ()
    extra: str = ""
    needs_demask: str = ""
    note: str = ""
    digest: str = ""
    package: str = ""
