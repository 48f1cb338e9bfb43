"""The run over all inputs that `remove` and `find` share: threads, progress, reports, exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from demask.cli.plan import Job
from demask.cli.pool import run_in_order
from demask.cli.report import Report, exit_code_of, failure
from demask.cli.streams import meter, print_json, say, say_error
from demask.errors import OutputError


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
        KeyboardInterrupt: After Ctrl-C; finished outputs stay, none is half written.
    """
    reports: list[Report] = []
    answers = run_in_order(jobs, process, workers=min(workers, len(jobs)))
    try:
        with meter("photos", shown=len(jobs) > 1 and not quiet) as show:
            for report in answers:
                reports.append(report)
                show(len(reports), len(jobs))
                _tell(report, json=json, quiet=quiet)
                if report.disk_full:
                    break
    except KeyboardInterrupt:
        say_error(f"interrupted; {len(reports)} of {len(jobs)} photos were done")
        raise
    finally:
        answers.close()
    if len(reports) < len(jobs):
        say_error(f"the disk is full; {len(jobs) - len(reports)} more photos were not tried")
        reports.append(failure("the rest", OutputError("the disk is full")))
    return exit_code_of(reports, fail_if_none=fail_if_none)


def _tell(report: Report, *, json: bool, quiet: bool) -> None:
    if json:
        print_json(report.as_json())
    if report.error is not None:
        say_error(report.error)
    elif not quiet and not json:
        say(report.as_line())
