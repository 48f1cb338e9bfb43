"""One photo of `demask remove` from file to file, and the run over all of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demask.cli.files import make_first_folder, refuse_existing, write_hole, write_output
from demask.cli.plan import Job
from demask.cli.report import Report, failure
from demask.cli.run import run_jobs
from demask.cli.streams import read_stdin
from demask.clock import Clock
from demask.faces.choice import Faces
from demask.photo.hole_picture import read_hole
from demask.photo.session import Output
from demask.remover import Remover

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveSettings:
    """What the user asked for; the options of `demask remove` of the same names."""

    faces: Faces = "all"
    hole: Path | None = None
    quality: int | None = None
    c2pa: tuple[Path, Path] | None = None
    max_megapixels: float = 100
    overwrite: bool = False
    skip_untouched: bool = False
    restorer: str = "network"
    device: str = "auto"
    threads: int | None = None


def run(
    jobs: Sequence[Job],
    settings: RemoveSettings,
    *,
    workers: int,
    json: bool,
    quiet: bool,
    fail_if_none: bool,
) -> int:
    """Do all jobs, tell about each; return the exit code.

    Raises:
        DemaskError: The remover cannot be made. What fails for one photo is reported, not raised.
    """
    make_first_folder(jobs)
    remover = Remover(
        device=settings.device,
        restorer=settings.restorer,
        threads=settings.threads,
    )
    return run_jobs(
        jobs,
        lambda job: process(job, remover, settings),
        workers=workers,
        json=json,
        quiet=quiet,
        fail_if_none=fail_if_none,
    )


def process(job: Job, remover: Remover, settings: RemoveSettings) -> Report:
    """Take one photo from file to file; never raises but for an interrupt."""
    clock = Clock()
    try:
        refuse_existing(job, overwrite=settings.overwrite)
        limit = settings.max_megapixels
        hole = None if settings.hole is None else read_hole(settings.hole, max_megapixels=limit)
        result = remover(
            read_stdin(max_megapixels=limit) if job.source is None else job.source,
            faces=settings.faces,
            hole=hole,
            output=Output(
                format=job.format, quality=settings.quality, c2pa=settings.c2pa, renamed=_is_renamed(job)
            ),
            max_megapixels=limit,
        )
        with clock("write"):
            nothing = np.zeros(result.size, bool)
            write_hole(job, nothing if result.hole is None else result.hole, overwrite=settings.overwrite)
            output = None
            if result.hole is not None or not settings.skip_untouched:
                output = write_output(job, result.photo, overwrite=settings.overwrite)
        return Report(
            input=job.label,
            output=output,
            status=result.status,
            faces=result.faces,
            timings_ms={**result.timings_ms, **clock.timings_ms},
        )
    except Exception as error:  # One bad photo must not end a run over thousands.
        log.debug("%s failed", job.label, exc_info=True)
        return failure(job.label, error, timings_ms=clock.timings_ms)


def _is_renamed(job: Job) -> bool:
    return job.source is not None and job.target is not None and job.source.suffix != job.target.suffix
