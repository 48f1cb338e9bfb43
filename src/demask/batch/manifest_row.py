"""One photo's row in the manifest, and what an earlier run's row says to a later one."""

from __future__ import annotations

from dataclasses import dataclass

SUCCESS = frozenset({"restored", "no_face", "no_covering", "done"})
"""Statuses of photos whose output is there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What became of one photo.

    Attributes:
        name: The photo, relative to its source.
        output: Its output, relative to the target; None where none was written.
        key: sha256 over photo, networks and settings; empty where the photo could not be read.
        status: `restored`, `no_face`, `no_covering`; `done` (an earlier run says so, and its output is there);
            `failed` (the photo cannot be used), `error` (something else went wrong; the next run tries again),
            `poisoned` (it ended its workers again and again).
        reason: Why it failed.
        faces: Faces found.
        covered: Those that wore a covering.
        seconds: What it took its worker, reading and writing included.
        worker: Machine and process.
        made: Digest of networks and settings.
        photo_bytes: Size of the photo.
        output_bytes: Size of the output.
        at: When, in seconds since 1970.
        known: An earlier run's row says so already, so that this one is not written down again.
    """

    name: str
    output: str | None = None
    key: str = ""
    status: str
    reason: str | None = None
    faces: int = 0
    covered: int = 0
    seconds: float = 0.0
    worker: str = ""
    made: str = ""
    photo_bytes: int = 0
    output_bytes: int = 0
    at: float = 0.0
    known: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What an earlier run wrote down of a photo; as in `Row`."""

    key: str
    status: str
    output: str | None
    output_bytes: int
    made: str
    reason: str | None
    photo_bytes: int
