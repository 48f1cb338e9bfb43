"""The run over all inputs that `remove` and `find` share, and one photo of it from the plan to its report."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demask.atomic import remove_leftovers
from demask.cli.outcome import Report, counted, exit_code_of, failure, summary
from demask.cli.outputs import refuse_existing, write_for_review, write_hole, write_output
from demask.cli.photo_jobs import Job
from demask.cli.streams import meter, print_json, read_stdin, say, say_error
from demask.clock import Clock
from demask.errors import OutputError
from demask.faces.choice import Faces
from demask.parallel import kill_is_ctrl_c, run_in_order
from demask.results import Result

log = logging.getLogger(__name__)
Work = Callable[[Job, Path | bytes], Result[bytes | None]]
"""Does what the command is for with a file or its bytes; gives the bytes to write, or None for none."""


def run_jobs(
    jobs: Sequence[Job],
    process: Callable[[Job], Report],
    *,
    workers: int,
    json: bool,
    quiet: bool,
    fail_if_none: bool = False,
) -> int:
    """Do all jobs and tell about each, in order; return the exit code.

    Args:
        jobs: What to do.
        process: Does one job; reports failures instead of raising them.
        workers: Photos at the same time.
        json: Print a JSON line per job on stdout.
        quiet: Say nothing on stderr but errors.
        fail_if_none: See `exit_code_of`.

    Raises:
        KeyboardInterrupt: After Ctrl-C or a plain kill; what was under way was finished, none is half written.
    """
    for folder in {target.parent for job in jobs for target in (job.target, job.hole_target) if target}:
        remove_leftovers(folder)
    start = time.monotonic()
    finished: dict[int, Report] = {}
    told = 0

    def numbered(pair: tuple[int, Job]) -> Report:
        index, job = pair
        finished[index] = process(job)
        return finished[index]

    def tell_the_rest() -> None:
        """What was under way when the run stopped was finished all the same."""
        for index in sorted(finished):
            if index >= told:
                _tell(finished[index], json=json, quiet=quiet)

    answers = run_in_order(list(enumerate(jobs)), numbered, workers=min(workers, len(jobs)))
    with kill_is_ctrl_c():
        try:
            with meter("photos", shown=len(jobs) > 1 and not quiet) as show:
                for report in answers:
                    told += 1
                    show(told, len(jobs))
                    _tell(report, json=json, quiet=quiet)
                    if report.disk_full:
                        break
        except KeyboardInterrupt:
            answers.close()
            tell_the_rest()
            done = sum(report.status != "failed" for report in finished.values())
            say_error(f"interrupted; {done} of {counted(len(jobs), 'photo')} done")
            raise
        finally:
            answers.close()
    tell_the_rest()
    reports = [finished[index] for index in sorted(finished)]
    if len(reports) < len(jobs):
        left = len(jobs) - len(reports)
        say_error(f"the disk is full; {counted(left, 'more photo')} {'was' if left == 1 else 'were'} not tried")
        reports.append(failure("the rest", OutputError("the disk is full")))
    if len(jobs) > 1 and not quiet and not json:
        say(summary(reports, seconds=time.monotonic() - start))
    return exit_code_of(reports, fail_if_none=fail_if_none)


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


def _tell(report: Report, *, json: bool, quiet: bool) -> None:
    if json:
        print_json(report.as_json())
    if report.error is not None:
        say_error(report.error)
    elif not quiet and not json:
        say(report.as_line())
    if report.credentials == "dropped" and not quiet:
        say(
            f"demask: {report.input}: its Content Credentials (C2PA) could not be kept; "
            "sign with --c2pa CERT KEY to carry them on"
        )
