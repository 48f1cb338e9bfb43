"""What goes to which stream: pictures and JSON to stdout; everything else to stderr."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any, Protocol, TextIO

from demask.errors import OutputError, UsageError

_STEERING = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode's control characters, bytes that are no text, and line ends."""
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of writing, and so show a name that is not there."""
_state = {"debug": False}


def set_debugging() -> None:
    """Show tracebacks of expected errors, and log everything our own modules say."""
    _state["debug"] = True
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("demask").setLevel(logging.DEBUG)


def show_log(of: str) -> None:
    """Show what the modules below a name report of their work; with `--debug` they do anyway."""
    if not debugging():
        logging.basicConfig(stream=sys.stderr, format="%(message)s")
        logging.getLogger(of).setLevel(logging.INFO)


def debugging() -> bool:
    """Whether `--debug` was given."""
    return _state["debug"]


def say(line: str) -> None:
    """Tell the user something on stderr; where that is full or closed, nobody is told and the work goes on."""
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(printable(line) + "\n")
        sys.stderr.flush()


def printable(text: str) -> str:
    """Text with everything escaped that would steer a terminal: a file's name may hold any of it."""
    return "".join(
        ch.encode("unicode_escape").decode() if unicodedata.category(ch) in _STEERING or ch in _TURNING else ch
        for ch in text
    )


def say_error(message: str) -> None:
    """One line, in the form of all our errors."""
    say("demask: " + " ".join(message.split()))


def print_json(record: dict[str, Any]) -> None:
    """One record as one line on stdout, at once.

    Raises:
        OutputError: Stdout is full or closed.
        BrokenPipeError: Whoever read it has gone.
    """
    with _stdout() as stdout:
        # Pure ASCII: a file name may hold bytes that no encoding can print.
        stdout.write(json.dumps(record) + "\n")
        stdout.flush()


def write_line(line: str) -> None:
    """One line for people on stdout, at once; what would steer a terminal is escaped.

    Raises:
        OutputError: Stdout is full or closed.
        BrokenPipeError: Whoever read it has gone.
    """
    with _stdout() as stdout:
        stdout.write(printable(line) + "\n")
        stdout.flush()


def read_stdin(*, max_megapixels: float) -> bytes:
    """All of stdin: the bytes of a photo.

    Raises:
        UsageError: Stdin is a terminal, or closed.
        PhotoUnreadable: It goes on beyond what a photo of so many megapixels can have.
    """
    from demask.photo.file_bytes import read_stream

    if sys.stdin is None:  # As a shell's <&- leaves it.
        raise UsageError("stdin is closed; pipe a picture in, or name a file")
    if sys.stdin.isatty():
        raise UsageError("stdin is a terminal; pipe a picture in, as in `demask remove - < photo.jpg`")
    return read_stream(sys.stdin.buffer, "stdin", max_megapixels=max_megapixels)


def refuse_terminal() -> None:
    """Keep pictures off a terminal.

    Raises:
        UsageError: Stdout is a terminal.
        OutputError: It is closed.
    """
    if sys.stdout is None:
        raise _closed()
    if sys.stdout.isatty():
        raise UsageError("stdout is a terminal; send the picture to a file with -o FILE or > FILE")


def write_stdout(data: bytes) -> None:
    """Bytes to stdout, flushed.

    Raises:
        OutputError: Stdout is full or closed, or whoever read it has gone.
    """
    try:
        with _stdout() as stdout:
            stdout.buffer.write(data)
            stdout.buffer.flush()
    except BrokenPipeError as error:
        give_up_stdout()
        raise OutputError("nobody reads stdout any more; name a file with -o FILE") from error


@contextlib.contextmanager
def _stdout() -> Iterator[TextIO]:
    """Stdout to write to; what is wrong with it becomes an OutputError."""
    if sys.stdout is None:  # As a shell's >&- leaves it.
        raise _closed()
    try:
        yield sys.stdout
    except BrokenPipeError:
        raise
    except OSError as error:
        give_up_stdout()
        raise OutputError(f"cannot write to stdout: {error.strerror}; send it elsewhere") from error


def _closed() -> OutputError:
    return OutputError("stdout is closed; send it to a file or a pipe")


def give_up_stdout() -> None:
    """Send what is still waiting to be written nowhere: at exit Python would try again, and complain."""
    if sys.stdout is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class Meter(Protocol):
    """Something that counts finished things."""

    def __call__(self, done: int, total: int | None) -> None:
        """Show that `done` of `total` are done; None where the total is not known."""
        ...


@contextlib.contextmanager
def meter(title: str, *, shown: bool = True) -> Iterator[Meter]:
    """A progress bar on stderr, or nothing where stderr is no terminal.

    Args:
        title: Stands before the bar.
        shown: False never shows one.
    """
    if not shown or sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
