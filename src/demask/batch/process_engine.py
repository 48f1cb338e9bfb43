"""The engine of one machine: the standard library's pool of processes."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from demask.batch.batch_worker import Answer, Setup, Task, work
from demask.batch.scheduling import WorkerDied
from demask.parallel import end_with_parent, interrupts_ignored

_TASKS_PER_WORKER = 2
"""One that it is at, one that waits for it."""


class ProcessEngine:
    """Workers as processes of this machine.

    The pool of the standard library breaks as a whole when one process dies. So a task that may have been the
    reason runs in a pool of its own, of one process.

    Args:
        setup: What each worker needs to know.
        workers: How many there are.
    """

    def __init__(self, setup: Setup, *, workers: int) -> None:
        self._setup, self._workers = setup, workers
        self._pools: dict[bool, ProcessPoolExecutor] = {}
        self._under_way = {True: 0, False: 0}
        self._lock = threading.Lock()

    def has_room(self, *, alone: bool) -> bool:
        """See `Engine`."""
        with self._lock:
            return self._under_way[alone] < (1 if alone else _TASKS_PER_WORKER * self._workers)

    def submit(self, task: Task, *, alone: bool) -> Future[Answer]:
        """See `Engine`."""
        self._count(alone, 1)
        try:
            inner = self._pool(alone).submit(work, self._setup, task)
        except BrokenProcessPool:
            self._pools.pop(alone).shutdown(wait=False, cancel_futures=True)
            inner = self._pool(alone).submit(work, self._setup, task)
        outer: Future[Answer] = _Cancelling(inner)

        def pass_on(done: Future[Answer]) -> None:
            self._count(alone, -1)
            if done.cancelled():
                return
            error = done.exception()
            if isinstance(error, BrokenProcessPool):
                outer.set_exception(WorkerDied("killed, crashed or out of memory"))
            elif error is not None:
                outer.set_exception(error)
            else:
                outer.set_result(done.result())

        inner.add_done_callback(pass_on)
        return outer

    def pending(self) -> list[Future[Any]]:
        """See `Engine`."""
        return []

    def close(self) -> None:
        """See `Engine`."""
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)
        self._pools.clear()

    def _count(self, alone: bool, by: int) -> None:
        with self._lock:
            self._under_way[alone] += by

    def _pool(self, alone: bool) -> ProcessPoolExecutor:
        if alone not in self._pools:
            # Spawned, not forked: onnxruntime's threads do not survive a fork.
            pool = ProcessPoolExecutor(
                1 if alone else self._workers, mp_context=get_context("spawn"), initializer=_begin
            )
            with interrupts_ignored():
                for _ in range(1 if alone else self._workers):
                    pool.submit(os.getpid)  # A process starts when it is first wanted: that is now.
            self._pools[alone] = pool
        return self._pools[alone]


class _Cancelling(Future[Answer]):
    """Stands for a pool's future, and cancels it."""

    def __init__(self, inner: Future[Answer]) -> None:
        super().__init__()
        self._inner = inner

    def cancel(self) -> bool:
        return self._inner.cancel()


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows inherits nothing.
    end_with_parent()
