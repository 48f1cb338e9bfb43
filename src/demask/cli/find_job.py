"""What `demask find` does with each photo, and the run over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demask.cli.face_drawing import draw_faces
from demask.cli.outputs import make_first_folder
from demask.cli.photo_job import PhotoSettings, do_photo
from demask.cli.photo_jobs import Job
from demask.cli.photo_run import run_jobs
from demask.clock import Clock
from demask.faces.looker import Looker
from demask.photo.handed_in import Output, open_photo
from demask.results import Result, face_results


@dataclass(frozen=True, kw_only=True, slots=True)
class FindSettings(PhotoSettings):
    """What the user asked for; the options of `demask find` of the same names."""

    draws: bool = False
    finder_network: Path | None = None
    hole_network: Path | None = None


def run(jobs: Sequence[Job], settings: FindSettings, *, workers: int, json: bool, quiet: bool) -> int:
    """Look at all photos; return the exit code.

    Raises:
        DemaskError: The networks cannot be loaded. What fails for one photo is reported, not raised.
    """
    make_first_folder(jobs)
    looker = Looker.shipped(
        device=settings.device,
        threads=settings.threads,
        finder=settings.finder_network,
        hole_finder=settings.hole_network,
    )

    def work(job: Job, source: Path | bytes) -> Result[bytes | None]:
        clock = Clock()
        with clock("decode"):
            opened = open_photo(source, max_megapixels=settings.max_megapixels)
        looked = looker(opened.pixels, faces=settings.faces, clock=clock)
        faces, hole = face_results(looked.faces, restored=False), looked.hole()
        drawing = None
        if settings.draws:
            drawn = draw_faces(opened.pixels, faces, hole)
            # A drawing invents no face, so it carries no label.
            output = Output(format=job.format, label=False)
            drawing = opened.give_back(drawn, np.ones(looked.size, bool), output).photo
        return Result(
            photo=drawing,
            size=looked.size,
            faces=faces,
            status=looked.status,
            hole=hole,
            timings_ms=clock.timings_ms,
        )

    return run_jobs(jobs, lambda job: do_photo(job, work, settings), workers=workers, json=json, quiet=quiet)
