"""The engine of many machines: actors of a Ray cluster. Ray places and watches them, and does nothing else."""

from __future__ import annotations

import os
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

from demask.batch.batch_worker import Answer, Setup, Task, work
from demask.batch.scheduling import WorkerDied
from demask.errors import DemaskError, UsageError
from demask.extras import install_command

_TASKS_PER_WORKER = 2
"""One that it is at, one that waits for it."""


class _Seat:
    """An actor, and how much it has to do."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.started: Future[Any] = actor.ready.remote().future()
        self.is_ready = False
        self.load = 0
        self.alone = False  # Is kept for, or has, a task that it shares with no other.


class RayEngine:
    """Workers as actors of a Ray cluster.

    Args:
        setup: What each worker needs to know; demask must be installed on every machine.
        address: As `ray.init` takes it; empty starts a cluster of this machine alone.
        workers: How many there are; None asks the cluster how many fit.
        gpus: GPUs of each worker; a part of one lets several share it.

    Raises:
        UsageError: Ray is not installed, or no cluster answers there.
    """

    def __init__(
        self, setup: Setup, *, address: str = "", workers: int | None = None, gpus: float = 0.0
    ) -> None:
        try:
            import ray
            import ray.exceptions
        except ImportError:
            raise UsageError(f"--on ray needs Ray; run: {install_command('ray')}") from None
        self._setup = setup
        self._ray: Any = ray
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        self._owns = not ray.is_initialized()
        if self._owns:
            try:
                here = {} if address else {"num_cpus": workers, "include_dashboard": False}
                self._ray.init(address=address or "local", log_to_driver=False, logging_level="error", **here)
            except Exception as error:  # Among others a bare one, where it did not start in time.
                why = " ".join(str(error).split())
                raise UsageError(f"no Ray cluster at {address or 'this machine'}: {why}; try again") from error
        cpus = setup.threads or 1
        self._options = {
            "num_cpus": cpus,
            "num_gpus": gpus,
            "max_restarts": 0,  # A new one is started here: one that was restarted looks like the old.
            "scheduling_strategy": "SPREAD",
        }
        self._class = ray.remote(_Actor)
        self.workers = workers or self._that_fit(cpus, gpus)
        self._events: SimpleQueue[tuple[_Seat, str]] = SimpleQueue()
        self._seats: list[_Seat] = []
        self._failed_starts = 0
        for _ in range(self.workers):
            self._start()

    def has_room(self, *, alone: bool) -> bool:
        """See `Engine`."""
        self._take_events()
        if not alone:
            return self._for_any() is not None
        if any(seat.alone and not seat.load and seat.is_ready for seat in self._seats):
            return True
        free = [seat for seat in self._seats if seat.is_ready and not seat.alone]
        kept = any(seat.alone for seat in self._seats)
        if free and (not kept or not min(seat.load for seat in free)):
            min(free, key=lambda seat: seat.load).alone = True  # It gets no more until it is through.
        return any(seat.alone and not seat.load and seat.is_ready for seat in self._seats)

    def submit(self, task: Task, *, alone: bool) -> Future[Answer]:
        """See `Engine`."""
        empty = (seat for seat in self._seats if seat.alone and not seat.load and seat.is_ready)
        seat = next(empty) if alone else self._for_any()
        assert seat is not None  # There was room.
        seat.load += 1
        inner: Future[Answer] = seat.actor.do.remote(task).future()
        outer: Future[Answer] = Future()

        def pass_on(done: Future[Answer]) -> None:
            error = done.exception()
            if error is None:
                self._events.put((seat, "answered"))
                outer.set_result(done.result())
            elif isinstance(error, self._ray.exceptions.RayTaskError):
                self._events.put((seat, "answered"))
                cause = error.cause
                outer.set_exception(cause if isinstance(cause, DemaskError) else error)
            else:
                self._events.put((seat, "died"))
                outer.set_exception(WorkerDied(type(error).__name__))

        inner.add_done_callback(pass_on)
        return outer

    def pending(self) -> list[Future[Any]]:
        """See `Engine`."""
        return [seat.started for seat in self._seats if not seat.is_ready]

    def close(self) -> None:
        """See `Engine`; a cluster that was found running is left so."""
        for seat in self._seats:
            self._ray.kill(seat.actor)
        self._seats.clear()
        if self._owns:
            self._ray.shutdown()

    def _that_fit(self, cpus: int, gpus: float) -> int:
        have = self._ray.cluster_resources()
        fit = int(have.get("CPU", 0) // cpus)
        if gpus:
            fit = min(fit, int(have.get("GPU", 0) / gpus))
        if not fit:
            raise UsageError(
                f"no worker of {cpus} CPUs and {gpus:g} GPUs fits into the cluster ({dict(have)}); start nodes "
                "or say with --jobs how many workers an autoscaler shall make room for"
            )
        return fit

    def _start(self) -> None:
        seat = _Seat(self._class.options(**self._options).remote(self._setup))
        seat.started.add_done_callback(
            lambda done: self._events.put((seat, "ready" if done.exception() is None else "died"))
        )
        self._seats.append(seat)

    def _for_any(self) -> _Seat | None:
        """The worker with the least to do; None where all have enough."""
        free = [
            seat for seat in self._seats if seat.is_ready and not seat.alone and seat.load < _TASKS_PER_WORKER
        ]
        return min(free, key=lambda seat: seat.load, default=None)

    def _take_events(self) -> None:
        """What futures said in their own threads."""
        while True:
            try:
                seat, what = self._events.get_nowait()
            except Empty:
                return
            if seat not in self._seats:
                continue
            if what == "ready":
                seat.is_ready, self._failed_starts = True, 0
            elif what == "answered":
                seat.load -= 1
                seat.alone = seat.alone and seat.load > 0
            else:
                self._seats.remove(seat)
                self._failed_starts += not seat.is_ready
                if self._failed_starts > 3 * self.workers + 10:
                    raise UsageError(
                        "no worker starts on the cluster: is the same demask installed on every machine?"
                    )
                self._ray.kill(seat.actor)
                self._start()


class _Actor:
    """What runs on the cluster."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    def ready(self) -> int:
        """Answer as soon as it is there."""
        return os.getpid()

    def do(self, task: Task) -> Answer:
        """Do a task."""
        return work(self._setup, task)
