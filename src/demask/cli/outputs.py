"""Writing what a job made: the picture, its hole, and the folders above them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from demask.atomic import write_atomic
from demask.cli.photo_jobs import STDIO, Job
from demask.cli.streams import write_stdout
from demask.errors import OutputError, OutputExists
from demask.photo.plain_pictures import hole_png
from demask.types import Hole


def refuse_existing(job: Job, *, overwrite: bool) -> None:
    """Stop before any work is done for an output that could not be written anyway.

    Raises:
        OutputExists: A target is there and may not be replaced.
    """
    for target in (job.target, job.hole_target):
        if target is not None and not overwrite and target.exists():
            raise OutputExists(f"{target} exists; name another output or pass --overwrite")


def write_output(job: Job, data: bytes, *, overwrite: bool) -> str:
    """Write the picture to its file or to stdout; return what `--json` calls it."""
    if job.target is None:
        write_stdout(data)
        return STDIO
    if job.makes_folder:
        make_folder(job.target.parent)
    write_atomic(job.target, data, overwrite=overwrite, mode=_mode_of(job.source))
    return str(job.target)


def write_for_review(job: Job, data: bytes, *, overwrite: bool) -> None:
    """Write a doubtful result a second time, to be looked at, if that was asked for."""
    target = job.review_target
    if target is None:
        return
    make_folder(target.parent)
    if not overwrite and target.is_file() and target.read_bytes() == data:  # Of a run that was stopped.
        return
    write_atomic(target, data, overwrite=overwrite, mode=_mode_of(job.source))


def _mode_of(source: Path | None) -> int | None:
    """Permissions for what is made of a photo: whoever may not read that may not read this."""
    if source is None:
        return None
    with contextlib.suppress(OSError):
        return source.stat().st_mode & 0o666
    return None


def write_hole(job: Job, hole: Hole, *, overwrite: bool) -> None:
    """Write the found hole, if it was asked for."""
    if job.hole_target is not None:
        make_folder(job.hole_target.parent)
        write_atomic(job.hole_target, hole_png(hole), overwrite=overwrite)


def make_first_folder(jobs: Sequence[Job]) -> None:
    """Make the first output folder: where that fails it is known before the networks are loaded."""
    for job in jobs:
        if job.makes_folder and job.target is not None:
            make_folder(job.target.parent)
            return


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}; name another") from error
