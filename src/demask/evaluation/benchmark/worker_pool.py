"""The processes of a benchmark: who works on what, who takes too long, who died."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from demask.errors import UsageError
from demask.evaluation.benchmark.benchmark_plan import Job
from demask.evaluation.benchmark.restorer_worker import DONE, PATIENCE, READY, REFUSED, RESTORING, Task, serve

Record = dict[str, Any]

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
START_LIMIT_S = 600.0
"""Longest time to open a restorer."""
MEASURE_LIMIT_S = 600.0
"""Longest time for what is not restoring: warming up, reading, holes, pasting, metrics."""


@dataclass(kw_only=True, slots=True, eq=False)
class _Seat:
    """One process, and what it is doing."""

    process: BaseProcess
    line: Connection
    system: str
    job: Job | None = None
    opened: bool = False
    what: str = "starting"
    allowed_s: float = 0.0
    since: float = 0.0
    spent_s: float | None = None
    until: float = 0.0

    def limit(self, what: str, seconds: float) -> None:
        """From now on it does `what` and may spend so many processor seconds on it."""
        self.what, self.allowed_s, self.since = what, seconds, time.monotonic()
        self.spent_s, self.until = _spent_s(self.process), self.since + seconds

    def late(self) -> bool:
        """Whether its time is up; if it is not, `until` says when to look again."""
        now = time.monotonic()
        if now < self.until:
            return False
        spent = _spent_s(self.process)
        if spent is None or self.spent_s is None or now >= self.since + PATIENCE * self.allowed_s:
            return True
        left = self.allowed_s - (spent - self.spent_s)
        self.until = min(now + max(left, 0.1), self.since + PATIENCE * self.allowed_s)
        return left <= 0


class Pool:
    """Run jobs in processes of one thread each, one restorer to a process.

    Args:
        tasks: What a worker of each system needs to know.
        jobs: Number of processes.
        deadline_s: Processor seconds that a restorer may take for one picture.
    """

    def __init__(self, tasks: Mapping[str, Task], *, jobs: int, deadline_s: float) -> None:
        self._tasks, self._num, self._deadline_s = tasks, jobs, deadline_s
        # Forked from a process that has imported what a worker needs, and nothing else: each starts at once.
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload([serve.__module__])
        self._leaving: list[BaseProcess] = []

    def check(self, systems: Sequence[str]) -> None:
        """Open every restorer once, so that one which cannot be opened is an error before hours of work.

        Raises:
            UsageError: One cannot; the message says which and why.
        """
        waiting, seats = deque(systems), list[_Seat]()
        try:
            while waiting or seats:
                while waiting and len(seats) < self._num:
                    seats.append(self._start(waiting.popleft()))
                for seat in self._heard(seats):
                    message, what = self._message(seat)
                    if message == READY:
                        self._drop(seat)
                        seats.remove(seat)
                    elif message != "":
                        raise UsageError(f"the restorer {seat.system} cannot be opened: {what}")
        finally:
            self._close(seats)

    def run(self, pending: Mapping[str, Sequence[Job]], each: Callable[[str, Record], None]) -> None:
        """Measure all jobs.

        Args:
            pending: By system.
            each: Called in this process with the system and every record, failed ones included, as
                they come.
        """
        waiting = {system: deque(jobs) for system, jobs in pending.items() if jobs}
        seats: list[_Seat] = []
        try:
            while True:
                self._seat_all(seats, waiting)
                if not seats:
                    return
                for seat in self._heard(seats):
                    message, what = self._message(seat)
                    if message in (DONE, REFUSED, "died", "late"):
                        assert seat.job is not None
                        if message == DONE:
                            each(seat.system, what)
                        else:
                            self._drop(seat)
                            seats.remove(seat)
                            why = f"the restorer cannot be opened: {what}" if message == REFUSED else what
                            each(seat.system, _failed(seat.job, why))
                        seat.job = None
        finally:
            self._close(seats)

    def _seat_all(self, seats: list[_Seat], waiting: dict[str, deque[Job]]) -> None:
        """Give every idle process its next job; end those whose system is through; start new ones."""
        for seat in [seat for seat in seats if seat.job is None]:
            queue = waiting.get(seat.system)
            if queue:
                self._send(seat, queue.popleft())
            else:
                self._end(seat)
                seats.remove(seat)
        while len(seats) < self._num:
            system = next((name for name, queue in waiting.items() if queue), None)
            if system is None:
                return
            seat = self._start(system)
            seats.append(seat)
            self._send(seat, waiting[system].popleft())

    def _start(self, system: str) -> _Seat:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs, self._tasks[system]), daemon=True)
        with _one_thread():
            process.start()
        theirs.close()
        seat = _Seat(process=process, line=ours, system=system)
        seat.limit("starting", START_LIMIT_S)
        return seat

    def _send(self, seat: _Seat, job: Job) -> None:
        seat.job = job
        if seat.opened:
            seat.limit("measuring", MEASURE_LIMIT_S)
        with suppress(OSError):  # It has died since; the next look at its line says so.
            seat.line.send(job)

    def _heard(self, seats: Sequence[_Seat]) -> list[_Seat]:
        """Wait until a process has something to say, or has had its time."""
        soonest = min(seat.until for seat in seats)
        lines = connection.wait([seat.line for seat in seats], max(0.0, soonest - time.monotonic()))
        now = time.monotonic()
        return [seat for seat in seats if seat.line in lines or seat.until <= now]

    def _message(self, seat: _Seat) -> tuple[str, Any]:
        """What a process says: its own words, `late`, `died`, or "" where nothing has come of it yet."""
        try:
            if not seat.line.poll():
                if not seat.late():
                    return "", None
                return "late", f"no answer within {seat.allowed_s:g} s while {seat.what}"
            message, what = seat.line.recv()
        except (EOFError, OSError):
            seat.process.join(5)
            return "died", f"the process {_end_of(seat.process.exitcode)} while {seat.what}"
        if message == READY:
            seat.opened = True
            seat.limit("measuring", MEASURE_LIMIT_S)
        elif message == RESTORING:
            seat.limit(RESTORING, self._deadline_s)
        else:
            seat.limit("measuring", MEASURE_LIMIT_S)
        return message, what

    def _end(self, seat: _Seat) -> None:
        """Let a process go that is through; it is not waited for while others work."""
        with suppress(OSError):  # Gone already.
            seat.line.send(None)
        seat.line.close()
        self._leaving.append(seat.process)

    def _drop(self, seat: _Seat) -> None:
        seat.process.kill()
        seat.process.join()
        seat.line.close()

    def _close(self, seats: Sequence[_Seat]) -> None:
        for seat in seats:
            self._drop(seat)
        for process in self._leaving:
            process.join(5)
            process.kill()
            process.join()
        self._leaving.clear()


def _failed(job: Job, why: str) -> Record:
    return {"key": job.key, "slice": job.slice, "face_id": job.face_id, "setting": job.setting, "error": why}


@contextmanager
def _one_thread() -> Iterator[None]:
    """What a process inherits that is started now: libraries read these before they make threads."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _spent_s(process: BaseProcess) -> float | None:
    """Processor seconds of a process; None where the system does not say.

    A deadline by the clock would make results depend on what else the machine does.
    """
    try:
        # man 5 proc: the fields after the name, which may hold anything, in brackets.
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def _end_of(code: int | None) -> str:
    if code is None or code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
