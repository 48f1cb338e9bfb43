"""One photo of `demask remove` from file to file, and the run over all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demask.cli.files import make_first_folder, refuse_existing, write_hole, write_output
from demask.cli.plan import Job
from demask.cli.report import Report, failure
from demask.cli.run import run_jobs
from demask.cli.streams import read_stdin
from demask.photo.decode import Photo, read_photo
from demask.photo.encode import encode_photo
from demask.photo.formats import output_format
from demask.photo.hole_picture import read_hole
from demask.photo.provenance import sign_c2pa
from demask.remover import Remover
from demask.results import Clock, Faces, Result
from demask.types import ImageU8

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
    workers: int | None,
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
        quick=len(jobs) == 1,
    )
    return run_jobs(
        jobs,
        lambda job: process(job, remover, settings),
        workers=workers,
        json=json,
        quiet=quiet,
        fail_if_none=fail_if_none,
    )


def process(job: Job, remover: Callable[..., Result[ImageU8]], settings: RemoveSettings) -> Report:
    """Take one photo from file to file; never raises but for an interrupt."""
    clock = Clock()
    try:
        refuse_existing(job, overwrite=settings.overwrite)
        with clock("decode"):
            source = read_stdin() if job.source is None else job.source
            photo = read_photo(source, max_megapixels=settings.max_megapixels)
            limit = settings.max_megapixels
            hole = None if settings.hole is None else read_hole(settings.hole, max_megapixels=limit)
        result = remover(photo.pixels, faces=settings.faces, hole=hole)
        with clock("encode"):
            data = _encoded(job, photo, result, settings)
        with clock("write"):
            nothing = np.zeros(photo.pixels.shape[:2], bool)
            write_hole(job, nothing if result.hole is None else result.hole, overwrite=settings.overwrite)
            output = None if data is None else write_output(job, data, overwrite=settings.overwrite)
        # An array needs no decoding: those two stages are ours.
        timings_ms = {**result.timings_ms, **clock.timings_ms}
        return Report(
            input=job.label, output=output, status=result.status, faces=result.faces, timings_ms=timings_ms
        )
    except Exception as error:  # One bad photo must not end a run over thousands.
        log.debug("%s failed", job.label, exc_info=True)
        return failure(job.label, error, timings_ms=clock.timings_ms)


def _encoded(job: Job, photo: Photo, result: Result[ImageU8], settings: RemoveSettings) -> bytes | None:
    """The output's bytes; the input's own where nothing changed; None where nothing is to be written."""
    if result.hole is not None:
        data = encode_photo(
            photo, result.photo, changed=result.hole, format=job.format, quality=settings.quality
        )
        if settings.c2pa is None:
            return data
        return sign_c2pa(data, job.format or output_format(photo.format), *settings.c2pa)
    if settings.skip_untouched:
        return None
    if _keeps_format(job, photo):
        return photo.source_bytes
    nothing = np.zeros(photo.pixels.shape[:2], bool)
    # Another format was asked for. Nothing is invented here, so nothing is labelled.
    return encode_photo(
        photo, photo.pixels, changed=nothing, format=job.format, quality=settings.quality, label=False
    )


def _keeps_format(job: Job, photo: Photo) -> bool:
    if job.format is not None:
        return job.format == photo.format
    # A BMP's output is named .png: then even an untouched one has to become a PNG.
    renamed = job.source is not None and job.target is not None and job.source.suffix != job.target.suffix
    return not renamed or output_format(photo.format) == photo.format
