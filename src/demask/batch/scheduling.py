"""Which worker gets what: as many tasks at a time as are needed, and again what a dead worker was at.

Engines only run tasks (`Engine`); what is retried, and what is given up, is decided here for all of them.

A worker that dies takes its tasks along, and one photo of them may be why. So each of them is then done by a
worker that has nothing else; a photo that ended three workers is poisoned, and its neighbours are not.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import suppress
from typing import Any, Protocol

from demask.batch.batch_worker import Answer, Task
from demask.batch.manifest_row import Row
from demask.errors import DemaskError, OutputError

DEADLY = 3
"""Workers that a photo may end."""
_HOPELESS = 4 * DEADLY
"""Workers that may end one after the other without a single answer between them."""


class WorkerDied(Exception):
    """The worker ended before it had answered; what it was at may be done or not."""


class Engine(Protocol):
    """Runs tasks, on one machine or many."""

    def has_room(self, *, alone: bool) -> bool:
        """Whether a worker waits for a task; `alone`: one that has no other."""
        ...

    def submit(self, task: Task, *, alone: bool) -> Future[Answer]:
        """Start a task; the future raises `WorkerDied` if its worker does."""
        ...

    def pending(self) -> list[Future[Any]]:
        """What to wait for besides tasks: workers that are being started."""
        ...

    def close(self) -> None:
        """End all workers."""
        ...


class Schedule:
    """Do tasks with an engine, and give their rows as they come.

    Args:
        engine: Runs them.
        tasks: Taken one by one, when a worker has room.
    """

    def __init__(self, engine: Engine, tasks: Iterable[Task]) -> None:
        self._engine, self._tasks = engine, iter(tasks)
        self._waiting: dict[Future[Answer], tuple[Task, bool]] = {}
        self._suspects: deque[Task] = deque()
        self._deaths: dict[str, int] = {}
        self._rows: deque[Row] = deque()  # Where a run is interrupted, what was heard must not be lost.
        self._exhausted = False
        self._stop: str | None = None
        self._since_answer = 0

    def __iter__(self) -> Iterator[Row]:
        """All rows, in the order of their being finished.

        Raises:
            OutputError: The target cannot be written to.
        """
        while True:
            while self._rows:
                yield self._rows.popleft()
            if self._stop is not None:
                raise OutputError(self._stop)
            self._hand_out()
            if not self._waiting and not self._suspects and self._exhausted:
                return
            self._hear()

    def drain(self) -> Iterator[Row]:
        """What is under way is finished, nothing is begun: for a run that was interrupted or cannot go on."""
        self._exhausted = True
        self._suspects.clear()
        for future in list(self._waiting):
            if future.cancel():
                del self._waiting[future]
        while self._waiting:
            with suppress(DemaskError):  # What ended the run may be said once more.
                self._engine.has_room(alone=False)  # An engine takes note of its workers when it is asked.
                self._hear()
            self._suspects.clear()
        yield from self._rows

    def _hand_out(self) -> None:
        while self._suspects and self._engine.has_room(alone=True):
            self._submit(self._suspects.popleft(), alone=True)
        while not self._exhausted and self._engine.has_room(alone=False):
            task = next(self._tasks, None)
            if task is None:
                self._exhausted = True
            else:
                self._submit(task, alone=False)

    def _submit(self, task: Task, *, alone: bool) -> None:
        self._waiting[self._engine.submit(task, alone=alone)] = (task, alone)

    def _hear(self) -> None:
        futures: list[Future[Any]] = [*self._waiting, *self._engine.pending()]
        if not futures:
            time.sleep(0.05)
            return
        done, _ = wait(futures, timeout=5.0, return_when=FIRST_COMPLETED)
        for future in done:
            if future not in self._waiting:
                continue
            task, alone = self._waiting.pop(future)
            try:
                answer: Answer = future.result()
            except CancelledError:
                continue
            except WorkerDied as death:
                self._after_death(task, str(death), alone=alone)
                continue
            self._since_answer = 0
            self._rows.extend(answer.rows)
            for row in answer.rows:
                self._deaths.pop(row.name, None)
            self._stop = self._stop or answer.stop

    def _after_death(self, task: Task, how: str, *, alone: bool) -> None:
        self._since_answer += alone
        if self._since_answer >= _HOPELESS:
            raise OutputError(
                f"{_HOPELESS} workers ended one after the other, the last one {how}, and none has answered; "
                "see whether one has memory enough (`demask doctor`)"
            )
        for photo in task.photos:
            ref = photo[0]
            self._deaths[ref.name] = deaths = self._deaths.get(ref.name, 0) + 1
            if deaths < DEADLY or not alone:
                self._suspects.append(Task(photos=(photo,), again=True))
            else:
                del self._deaths[ref.name]
                reason = f"{deaths} workers ended while they were at it ({how}); it is left out"
                self._rows.append(
                    Row(
                        name=ref.name,
                        status="poisoned",
                        reason=reason,
                        photo_bytes=ref.num_bytes,
                        at=time.time(),
                    )
                )
