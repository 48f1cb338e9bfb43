"""The run over all inputs that `remove` and `find` share: progress, reports, exit code."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from demask.atomic import remove_leftovers
from demask.cli.outcome import Report, counted, exit_code_of, failure, summary
from demask.cli.photo_jobs import Job
from demask.cli.streams import meter, print_json, say, say_error
from demask.errors import OutputError
from demask.parallel import kill_is_ctrl_c, run_in_order


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
