"""Reports, exit codes, and the pool that does the jobs."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from demask.atomic import part_name
from demask.cli.outcome import Report, exit_code_of, failure
from demask.cli.photo_jobs import Job
from demask.cli.photo_run import run_jobs
from demask.errors import InputError, OutputError, UsageError
from demask.parallel import run_in_order


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


@pytest.mark.parametrize(
    ("num", "said"), [(5, "1 more photo was not tried"), (6, "2 more photos were not tried")]
)
def test_what_was_under_way_when_the_disk_got_full_is_told(
    capsys: pytest.CaptureFixture[str], num: int, said: str
) -> None:
    """Two at a time: when the first fails, others are done or under way, so they were tried."""
    jobs = [Job(source=Path(f"{index}.jpg"), target=Path(f"{index}.png")) for index in range(num)]
    third = threading.Event()

    def process(job: Job) -> Report:
        if job.label == "0.jpg":
            third.wait(10)
            return failure(job.label, OSError(errno.ENOSPC, "No space left on device"))
        if job.label == "3.jpg":
            third.set()
            time.sleep(0.2)
        return Report(input=job.label, output=str(job.target), status="restored")

    assert run_jobs(jobs, process, workers=2, json=True, quiet=False) == 3
    captured = capsys.readouterr()
    told = [json.loads(line)["input"] for line in captured.out.splitlines()]
    assert told == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert said in captured.err


@pytest.mark.parametrize(("num", "said"), [(1, "0 of 1 photo done"), (9, "1 of 9 photos done")])
def test_an_interrupt_counts_what_was_done(capsys: pytest.CaptureFixture[str], num: int, said: str) -> None:
    jobs = [Job(source=Path(f"{index}.jpg"), target=Path(f"{index}.png")) for index in range(num)]

    def process(job: Job) -> Report:
        if job.label == "0.jpg" and num > 1:
            return Report(input=job.label, output=str(job.target), status="restored")
        signal.raise_signal(signal.SIGTERM)  # A plain kill is a Ctrl-C.
        raise AssertionError("the signal came to nothing")

    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, process, workers=1, json=False, quiet=True)
    assert f"interrupted; {said}" in capsys.readouterr().err


def test_a_run_clears_up_after_a_killed_one(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine = part_name(tmp_path / "a.png")
    left = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{gone.pid}-"))
    foreign = tmp_path / ".a.png.part"
    for path in (mine, left, foreign):
        path.write_bytes(b"half")
    jobs = [Job(source=Path("a.jpg"), target=tmp_path / "a.png")]
    run_jobs(jobs, lambda job: Report(input="a", status="no_face"), workers=1, json=False, quiet=True)
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, foreign.name}


def test_names_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\x1b[31m\u202egpj\n\x9b2Jb\udcff 写真\u3000é.jpg"
    jobs = [Job(source=Path(name), target=Path("b.jpg"))]
    run_jobs(jobs, lambda job: Report(input=job.label, status="no_face"), workers=1, json=False, quiet=False)
    run_jobs(jobs, lambda job: failure(job.label, InputError("odd")), workers=1, json=False, quiet=False)
    said = capsys.readouterr().err
    assert said.splitlines() == [
        "a\\x1b[31m\\u202egpj\\n\\x9b2Jb\\udcff 写真\u3000é.jpg: no face found",
        "demask: a\\x1b[31m\\u202egpj \\x9b2Jb\\udcff 写真 é.jpg: odd",
    ]


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
