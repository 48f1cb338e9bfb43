"""What a command says about one input: the JSON line, the line for people, the exit code of a run."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from demask.errors import DemaskError

if TYPE_CHECKING:
    from demask.results import FaceResult

DISK_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""Numbers of the system's errors that say so."""
FAILED_SOME = 3
NOTHING_TO_REMOVE = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """One input's outcome.

    Attributes:
        input: The input as messages call it.
        output: The file written, `-` for stdout, None where none was.
        status: `restored`, `no_face`, `no_covering`, `failed`; `covered` where only looking was asked; `done`
            where an earlier run did it.
        faces: What was found.
        timings_ms: Milliseconds per stage.
        error: Why it failed, one line.
        exit_code: What the command returns if this was its only input.
        disk_full: The failure will repeat for every further output.
        before: The status that an earlier run gave it.
        credentials: What became of the photo's C2PA manifest.
    """

    input: str
    output: str | None = None
    status: str
    faces: tuple[FaceResult, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    exit_code: int = 0
    disk_full: bool = False
    before: str | None = None
    credentials: str = "none"

    @property
    def doubtful(self) -> bool:
        """Whether a person should look at it."""
        return any(face.doubts for face in self.faces)

    def as_json(self) -> dict[str, Any]:
        """The record of `--json`."""
        return {
            "input": self.input,
            "output": self.output,
            "status": self.status,
            "faces": [face.as_json() for face in self.faces],
            "timings_ms": {stage: round(spent, 1) for stage, spent in self.timings_ms.items()},
            "credentials": self.credentials,
            "error": self.error,
        }

    def as_line(self) -> str:
        """The line for people."""
        from demask.results import WORDS

        statuses = [face.status for face in self.faces]
        words = {
            "restored": f"{counted(statuses.count('restored'), 'face')} restored",
            "no_face": "no face found",
            "no_covering": f"nothing to remove on {counted(len(self.faces), 'face')}",
            "done": "done before",
            "covered": f"{sum(face.covered is True for face in self.faces)} of "
            f"{counted(len(self.faces), 'face')} covered",
        }
        where = "" if self.output in (None, "-") else f" -> {self.output}"
        doubts = sorted({doubt for face in self.faces for doubt in face.doubts})
        doubt = f" (doubtful: {', '.join(WORDS[doubt] for doubt in doubts)})" if doubts else ""
        return f"{self.input}: {words.get(self.status, self.status)}{doubt}{where}"


def failure(input: str, error: Exception, *, timings_ms: dict[str, float] | None = None) -> Report:
    """Report an input that failed; the message names it once."""
    cause: BaseException | None = error
    disk_full = False
    while cause is not None:
        disk_full = disk_full or (isinstance(cause, OSError) and cause.errno in DISK_FULL)
        cause = cause.__cause__
    if isinstance(error, DemaskError):
        message, exit_code = str(error), error.exit_code
    elif isinstance(error, OSError) and error.filename is not None:
        message, exit_code = about_file(error), 1
    else:
        message, exit_code = f"unexpected {type(error).__name__}: {error} (--debug shows where)", 1
    message = " ".join(message.split())
    return Report(
        input=input,
        status="failed",
        error=message if input in message else f"{input}: {message}",
        exit_code=exit_code,
        disk_full=disk_full,
        timings_ms=timings_ms or {},
    )


def about_file(error: OSError) -> str:
    """What the system says of a file, and what to do."""
    hints = {
        errno.ENAMETOOLONG: "shorten it, or name an output with -o",
        errno.EACCES: "allow it, or name another",
        errno.ENOSPC: "free some, or name another place",
    }
    hint = hints.get(error.errno or 0, "name another")
    return f"{error.filename or 'the output'}: {error.strerror}; {hint}"


def exit_code_of(reports: Sequence[Report], *, fail_if_none: bool = False) -> int:
    """Exit code of a run over all its inputs, as the conventions list them."""
    failed = [report for report in reports if report.status == "failed"]
    if failed and len(failed) < len(reports):
        return FAILED_SOME
    if failed:
        return failed[0].exit_code if len(failed) == 1 else 1
    if fail_if_none and not any("restored" in (report.status, report.before) for report in reports):
        return NOTHING_TO_REMOVE
    return 0


def summary(reports: Sequence[Report], *, seconds: float) -> str:
    """One line about a run over many photos."""
    kinds = {
        "restored": "restored",
        "covered": "with covered faces",
        "no_covering": "bare",
        "no_face": "without a face",
        "done": "done before",
        "failed": "failed",
    }
    counts = [(sum(report.status == status for report in reports), words) for status, words in kinds.items()]
    doubtful = sum(report.doubtful for report in reports)
    parts = [f"{count} {words}" for count, words in counts if count]
    if doubtful:
        parts.append(f"{doubtful} doubtful")
    return f"{counted(len(reports), 'photo')} in {seconds:.0f} s: {', '.join(parts)}"


def counted(number: int, noun: str) -> str:
    """A number and its noun: `1 photo`, `2 photos`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
