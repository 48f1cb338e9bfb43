"""Reports, exit codes, and the pool that does the jobs."""

from __future__ import annotations

import errno
import io
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from demask.cli.plan import Job
from demask.cli.pool import run_in_order
from demask.cli.report import Report, exit_code_of, failure
from demask.cli.run import run_jobs
from demask.errors import InputError, OutputError, UsageError


def report(status: str) -> Report:
    return Report(input="x", status=status, exit_code=1 if status == "failed" else 0)


@pytest.mark.parametrize(
    ("statuses", "fail_if_none", "code"),
    [
        (["restored"], False, 0),
        (["no_face", "no_covering"], False, 0),
        (["no_face", "no_covering"], True, 4),
        (["no_face", "restored"], True, 0),
        (["failed"], False, 1),
        (["failed", "failed"], True, 1),
        (["failed", "restored"], True, 3),
        (["failed", "no_face"], True, 3),
    ],
)
def test_exit_codes(statuses: Sequence[str], fail_if_none: bool, code: int) -> None:
    assert exit_code_of([report(status) for status in statuses], fail_if_none=fail_if_none) == code


def test_the_only_input_gives_its_own_code() -> None:
    assert exit_code_of([failure("x", UsageError("no such face"))]) == 2


def test_a_failure_names_its_input_once() -> None:
    assert failure("a.jpg", InputError("a.jpg is empty")).error == "a.jpg is empty"
    assert failure("a.jpg", InputError("the hole\n is   empty")).error == "a.jpg: the hole is empty"
    unexpected = failure("a.jpg", ZeroDivisionError("oh"))
    assert unexpected.error == "a.jpg: unexpected ZeroDivisionError: oh (--debug shows where)"


def test_a_full_disk_is_recognised_through_its_causes() -> None:
    error = OutputError("cannot write")
    assert not failure("x", error).disk_full
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert failure("x", error).disk_full


@pytest.mark.parametrize("workers", [1, 3])
def test_answers_come_in_order(workers: int) -> None:
    def work(number: int) -> int:
        time.sleep(0.01 if number % 3 == 0 else 0)
        return number * number

    assert list(run_in_order(range(40), work, workers=workers)) == [n * n for n in range(40)]


def test_few_items_are_under_way_at_a_time() -> None:
    begun = 0
    lock = threading.Lock()

    def work(number: int) -> int:
        nonlocal begun
        with lock:
            begun += 1
        return number

    answers = run_in_order(range(1000), work, workers=2)
    for _ in range(5):
        next(answers)
    assert begun <= 5 + 2 * 2
    answers.close()
    assert begun <= 5 + 2 * 2


def test_closing_waits_for_what_is_under_way() -> None:
    finished: list[int] = []

    def work(number: int) -> int:
        time.sleep(0.05)
        finished.append(number)
        return number

    answers = run_in_order(range(100), work, workers=2)
    next(answers)
    answers.close()
    count = len(finished)
    assert 1 <= count <= 5
    time.sleep(0.1)
    assert len(finished) == count


def test_a_full_disk_stops_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [Job(source=Path(f"{index}.jpg"), target=Path(f"{index}.png")) for index in range(9)]
    full = OSError(errno.ENOSPC, "No space left on device")

    def process(job: Job) -> Report:
        if job.label >= "3.jpg":
            return failure(job.label, full)
        return Report(input=job.label, output=str(job.target), status="restored")

    assert run_jobs(jobs, process, workers=1, json=True, quiet=False) == 3
    captured = capsys.readouterr()
    assert [json.loads(line)["status"] for line in captured.out.splitlines()] == ["restored"] * 3 + ["failed"]
    assert "5 more photos were not tried" in captured.err


def test_lines_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [Job(source=Path("a.jpg"), target=Path("b.jpg"))]

    def process(job: Job) -> Report:
        return Report(input=job.label, output=str(job.target), status="no_face")

    assert run_jobs(jobs, process, workers=1, json=False, quiet=False) == 0
    assert capsys.readouterr() == ("", "a.jpg: no face found -> b.jpg\n")
    assert run_jobs(jobs, process, workers=1, json=False, quiet=True) == 0
    assert capsys.readouterr() == ("", "")


def test_no_progress_bar_off_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from demask.cli.streams import meter

    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with meter("photos") as show:
        show(3, 10)
    assert stream.getvalue() == ""
