"""What `demask find` does with each photo, and the run over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from demask.cli.outputs import make_first_folder
from demask.cli.photo_jobs import Job
from demask.cli.photo_run import PhotoSettings, do_photo, run_jobs
from demask.clock import Clock
from demask.faces.looker import Looker
from demask.photo.handed_in import Output, open_photo
from demask.results import FaceResult, Result, face_results
from demask.types import Hole, ImageU8


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


COVERED_RGB, BARE_RGB, POINT_RGB, HOLE_RGB = (255, 140, 0), (0, 200, 90), (255, 255, 0), (255, 0, 60)


def draw_faces(photo: ImageU8, faces: Sequence[FaceResult], hole: Hole | None) -> ImageU8:
    """Draw boxes, numbers, points and the hole over a copy of a photo.

    Orange boxes are covered faces, green ones bare or not looked at; the hole is tinted red.
    """
    drawn = photo.copy()
    if hole is not None:
        tint = 0.5 * drawn[hole] + 0.5 * np.array(HOLE_RGB)
        drawn[hole] = tint.astype(np.uint8)
    thick = max(1, round(max(photo.shape[:2]) / 640))
    for index, result in enumerate(faces):
        x0, y0, x1, y1 = (round(value) for value in result.face.box)
        colour = COVERED_RGB if result.covered else BARE_RGB
        cv2.rectangle(drawn, (x0, y0), (x1, y1), colour, thick)
        place = (x0, max(y0 - 4 * thick, 12 * thick))
        cv2.putText(drawn, str(index), place, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * thick, colour, thick, cv2.LINE_AA)
        for x, y in result.face.points:
            cv2.circle(drawn, (round(float(x)), round(float(y))), 2 * thick, POINT_RGB, -1, cv2.LINE_AA)
    return drawn
