"""Work on a few photos at a time, let a few more wait, send the rest away."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from demask.webkit.responses import ClientGone, Refusal

Answer = TypeVar("Answer")


class Abandoned(Exception):
    """Raised inside a job whose answer nobody waits for any more."""


class Wanted:
    """Tells a job in its thread whether somebody still waits for it."""

    def __init__(self) -> None:
        self._gone = threading.Event()

    def drop(self) -> None:
        """Nobody waits any more."""
        self._gone.set()

    def check(self) -> None:
        """Go on.

        Raises:
            Abandoned: It would be for nothing.
        """
        if self._gone.is_set():
            raise Abandoned


class Workshop:
    """Threads and a bounded queue. All methods but the jobs themselves run in the event loop.

    Args:
        workers: Jobs at the same time.
        max_waiting: Jobs that may wait.
    """

    def __init__(self, *, workers: int, max_waiting: int) -> None:
        self._workers, self._most = workers, workers + max_waiting
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="demask")
        self._mean_s = 0.5  # Of the latest jobs; what the first one takes is a guess.
        self.accepted = 0
        self.working = 0

    @property
    def full(self) -> bool:
        """Whether the next job would be sent away."""
        return self.accepted >= self._most

    def refuse_if_full(self) -> None:
        """Send a client away before it has sent a whole photo for nothing.

        Raises:
            Refusal: 503, with the seconds after which there is likely room.
        """
        if self.full:
            wait_s = min(60, max(1, math.ceil(self._mean_s * self.accepted / self._workers / 2)))
            raise Refusal(
                503,
                "busy",
                f"{self.accepted} photos are under way, as many as fit; come back in about {wait_s} s",
                headers={"Retry-After": str(wait_s)},
            )

    async def run(
        self, job: Callable[[Wanted], Answer], *, deadline_s: float, client_left: Callable[[], Awaitable[Any]]
    ) -> Answer:
        """Run a job in a thread.

        Args:
            job: Called with a `Wanted` that it asks between its steps.
            deadline_s: Seconds to wait for it, queue included.
            client_left: Called once the job is accepted; what it gives is done when nobody is there to be
                answered any more.

        Raises:
            Refusal: 503, the queue is full; 504, the deadline has passed.
            ClientGone: `client_left` came first. A job that waits is dropped, one that runs ends at its
                next step; its place is free only then.
        """
        self.refuse_if_full()
        wanted, loop = Wanted(), asyncio.get_running_loop()
        self.accepted += 1
        running = self._pool.submit(self._timed, job, wanted, loop)
        running.add_done_callback(lambda _: self._later(loop, self._leave))
        left = asyncio.ensure_future(client_left())
        answer = asyncio.wrap_future(running)
        try:
            await asyncio.wait({answer, left}, timeout=deadline_s, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            if left.done():
                raise ClientGone
            raise Refusal(
                504, "deadline", f"the photo was not done within {deadline_s:g} s; send a smaller one, or later"
            )
        finally:
            wanted.drop()
            answer.cancel()
            left.cancel()

    def close(self) -> None:
        """Finish what runs, drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _timed(
        self, job: Callable[[Wanted], Answer], wanted: Wanted, loop: asyncio.AbstractEventLoop
    ) -> Answer:
        wanted.check()
        start = time.perf_counter()
        self._later(loop, self._begin)
        try:
            return job(wanted)
        finally:
            self._later(loop, self._end, time.perf_counter() - start)

    @staticmethod
    def _later(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: Any) -> None:
        if not loop.is_closed():  # A forced exit leaves threads behind.
            loop.call_soon_threadsafe(call, *arguments)

    def _begin(self) -> None:
        self.working += 1

    def _end(self, spent_s: float) -> None:
        self.working -= 1
        self._mean_s += 0.1 * (spent_s - self._mean_s)

    def _leave(self) -> None:
        self.accepted -= 1
