"""What `demask remove` does with each photo, and the run over all of them or over a folder that is watched."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from demask.batch.manifest_row import made_with, sha256_of
from demask.cli.done_before import DoneBefore
from demask.cli.outcome import Report
from demask.cli.outputs import make_first_folder
from demask.cli.photo_jobs import Job
from demask.cli.photo_run import PhotoSettings, do_photo, run_jobs
from demask.cli.streams import say
from demask.photo.formats import READ_SUFFIXES
from demask.photo.handed_in import Output
from demask.photo.plain_pictures import read_hole
from demask.remover import Remover
from demask.results import Result

_PAUSE_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveSettings(PhotoSettings):
    """What the user asked for; the options of `demask remove` of the same names."""

    hole: Path | None = None
    quality: int | None = None
    c2pa: tuple[Path, Path] | None = None
    strip: Literal["nothing", "location", "all"] = "nothing"
    skip_untouched: bool = False
    restorer: str = "network"
    retry_failed: bool = False
    finder_network: Path | None = None
    hole_network: Path | None = None


def run(
    jobs: Sequence[Job],
    settings: RemoveSettings,
    *,
    workers: int,
    json: bool,
    quiet: bool,
    fail_if_none: bool = False,
    remover: Remover | None = None,
) -> int:
    """Do all jobs, tell about each; return the exit code.

    Args:
        jobs: What to do.
        settings: What the user asked for.
        workers: Photos at the same time.
        json: Print a JSON line per photo.
        quiet: Say nothing on stderr but errors.
        fail_if_none: See `exit_code_of`.
        remover: One that is there already.

    Raises:
        DemaskError: The remover cannot be made. What fails for one photo is reported, not raised.
    """
    make_first_folder(jobs)
    remover = remover or _remover(settings)

    def work(job: Job, source: Path | bytes) -> Result[bytes | None]:
        limit = settings.max_megapixels
        hole = None if settings.hole is None else read_hole(settings.hole, max_megapixels=limit)
        output = Output(
            format=job.format,
            quality=settings.quality,
            c2pa=settings.c2pa,
            strip=settings.strip,
            renamed=_is_renamed(job),
        )
        result: Result[Any] = remover(
            source, faces=settings.faces, hole=hole, output=output, max_megapixels=limit
        )
        is_written = result.hole is not None or not settings.skip_untouched
        return replace(result, photo=result.photo if is_written else None)

    def process(job: Job) -> Report:
        return do_photo(job, work, settings) if done_before is None else done_before(job, work)

    # One photo to one file is not a run that could be stopped half-way.
    several = len(jobs) > 1 or jobs[0].makes_folder
    done_before = _done_before(settings, jobs[0].format) if several else None
    return run_jobs(
        jobs,
        process,
        workers=workers,
        json=json,
        quiet=quiet,
        fail_if_none=fail_if_none,
    )


def watch_folder(
    folder: Path,
    plan: Callable[[], list[Job]],
    settings: RemoveSettings,
    *,
    workers: int,
    json: bool,
    quiet: bool,
) -> None:
    """Do what comes into a folder, until interrupted.

    Args:
        folder: Where photos arrive.
        plan: Gives every photo in it, whole or not, its output.
        settings: What the user asked for.
        workers: Photos at the same time.
        json: As for `run`.
        quiet: As for `run`.
    """
    remover = _remover(settings)
    if not quiet:
        say(f"watching {folder}; Ctrl-C ends it")
    for batch in arrivals(folder):
        whole = set(batch)
        jobs = [job for job in plan() if job.source in whole]
        if jobs:
            run(jobs, settings, workers=workers, json=json, quiet=quiet, remover=remover)


def arrivals(
    folder: Path,
    *,
    pause_s: float = _PAUSE_S,
    done: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[list[Path]]:
    """Yield the pictures that are new in a folder, in batches, for ever.

    A file counts as whole when neither its size nor its time has changed between two looks. Folders inside
    are looked through as well, hidden ones not. Looking costs a listing a second: no system's own notices are
    needed, so it works on network folders too.

    Args:
        folder: Where photos arrive. What is in it at the start counts as new.
        pause_s: Seconds between two looks.
        done: Asked after each look; True ends the watch.
        sleep: Waits.
    """
    told: dict[Path, tuple[int, int]] = {}
    before: dict[Path, tuple[int, int]] = {}
    while True:
        now = _pictures(folder)
        whole = [path for path, state in now.items() if before.get(path) == state and told.get(path) != state]
        told.update((path, now[path]) for path in whole)
        before = now
        if whole:
            yield sorted(whole)
        if done():
            return
        sleep(pause_s)


def _remover(settings: RemoveSettings) -> Remover:
    return Remover(
        device=settings.device,
        restorer=settings.restorer,
        threads=settings.threads,
        finder=settings.finder_network,
        hole_finder=settings.hole_network,
    )


def _own_networks(settings: RemoveSettings) -> dict[str, str]:
    own = {"own finder": settings.finder_network, "own hole network": settings.hole_network}
    return {name: sha256_of(path) for name, path in own.items() if path is not None}


def _done_before(settings: RemoveSettings, format: str | None) -> DoneBefore:
    made = made_with(
        restorer=settings.restorer,
        faces=settings.faces,
        output=Output(format=format, quality=settings.quality, c2pa=settings.c2pa),
        hole=settings.hole,
        skip_untouched=settings.skip_untouched,
        strip=settings.strip,
        **_own_networks(settings),
    )
    return DoneBefore(made, settings, retry_failed=settings.retry_failed)


def _is_renamed(job: Job) -> bool:
    return job.source is not None and job.target is not None and job.source.suffix != job.target.suffix


def _pictures(folder: Path) -> dict[Path, tuple[int, int]]:
    found = {}
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(here, name)
            if name.startswith(".") or path.suffix.lower() not in READ_SUFFIXES:
                continue
            try:
                status = path.stat()
            except OSError:  # Gone again.
                continue
            found[path] = (status.st_size, status.st_mtime_ns)
    return found
