"""One photo of `demask find`, and the run over all of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from demask.cli.files import make_first_folder, refuse_existing, write_hole, write_output
from demask.cli.pictures import draw_faces
from demask.cli.plan import Job
from demask.cli.report import Report, failure
from demask.cli.run import run_jobs
from demask.cli.streams import read_stdin
from demask.clock import Clock
from demask.faces.choice import Faces
from demask.faces.looker import Looker
from demask.photo.session import Output, open_session
from demask.results import face_results

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class FindSettings:
    """What the user asked for; the options of `demask find` of the same names."""

    draws: bool = False
    faces: Faces = "all"
    max_megapixels: float = 100
    overwrite: bool = False
    device: str = "auto"
    threads: int | None = None


def run(jobs: Sequence[Job], settings: FindSettings, *, workers: int, json: bool, quiet: bool) -> int:
    """Look at all photos; return the exit code.

    Raises:
        DemaskError: The networks cannot be loaded. What fails for one photo is reported, not raised.
    """
    if settings.draws:
        make_first_folder(jobs)
    looker = Looker.shipped(device=settings.device, threads=settings.threads)
    return run_jobs(jobs, lambda job: process(job, looker, settings), workers=workers, json=json, quiet=quiet)


def process(job: Job, looker: Looker, settings: FindSettings) -> Report:
    """Look at one photo; never raises but for an interrupt."""
    clock = Clock()
    try:
        if settings.draws:
            refuse_existing(job, overwrite=settings.overwrite)
        with clock("decode"):
            limit = settings.max_megapixels
            source = read_stdin(max_megapixels=limit) if job.source is None else job.source
            session = open_session(source, max_megapixels=limit)
        looked = looker(session.pixels, faces=settings.faces, clock=clock)
        faces, hole = face_results(looked.faces, restored=False), looked.hole()
        everywhere = np.ones(looked.size, bool)
        output = None
        if settings.draws:
            drawn = draw_faces(session.pixels, faces, hole)
            # A drawing invents no face, so it carries no label.
            data, _ = session.give_back(drawn, everywhere, Output(format=job.format, label=False))
            output = write_output(job, data, overwrite=settings.overwrite)
        write_hole(job, ~everywhere if hole is None else hole, overwrite=settings.overwrite)
        return Report(
            input=job.label, output=output, status=looked.status, faces=faces, timings_ms=clock.timings_ms
        )
    except Exception as error:  # One bad photo must not end a run over thousands.
        log.debug("%s failed", job.label, exc_info=True)
        return failure(job.label, error, timings_ms=clock.timings_ms)
