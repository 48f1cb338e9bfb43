"""One photo from the plan to its report: what `remove` and `find` share around their work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demask.cli.outcome import Report, failure
from demask.cli.outputs import refuse_existing, write_for_review, write_hole, write_output
from demask.cli.photo_jobs import Job
from demask.cli.streams import read_stdin
from demask.clock import Clock
from demask.faces.choice import Faces
from demask.results import Result

log = logging.getLogger(__name__)

Work = Callable[[Job, Path | bytes], Result[bytes | None]]
"""Does what the command is for with a file or its bytes; gives the bytes to write, or None for none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoSettings:
    """What the user asked for; the options of these names."""

    faces: Faces = "all"
    max_megapixels: float = 100
    overwrite: bool = False
    device: str = "auto"
    threads: int | None = None


def do_photo(job: Job, work: Work, settings: PhotoSettings, *, photo: bytes | None = None) -> Report:
    """Take one photo from file to file; never raises but for an interrupt.

    Args:
        job: Which photo, and where to.
        work: What the command does.
        settings: What the user asked for.
        photo: The bytes of the photo's file, where they were read already.
    """
    clock = Clock()
    try:
        refuse_existing(job, overwrite=settings.overwrite)
        source: Path | bytes | None = photo or job.source
        if source is None:
            source = read_stdin(max_megapixels=settings.max_megapixels)
        result = work(job, source)
        with clock("write"):
            nothing = np.zeros(result.size, bool)
            write_hole(job, nothing if result.hole is None else result.hole, overwrite=settings.overwrite)
            output = None
            if result.photo is not None:
                if result.doubtful:
                    write_for_review(job, result.photo, overwrite=settings.overwrite)
                output = write_output(job, result.photo, overwrite=settings.overwrite)
        return Report(
            input=job.label,
            output=output,
            status=result.status,
            faces=result.faces,
            timings_ms={**result.timings_ms, **clock.timings_ms},
            credentials=result.credentials,
        )
    except Exception as error:  # One bad photo must not end a run over thousands.
        log.debug("%s failed", job.label, exc_info=True)
        return failure(job.label, error)
