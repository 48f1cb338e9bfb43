"""Threads and a bounded queue: who is taken, who is sent away, and what happens to work that nobody awaits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import own_loop
from demask.server.workshop import Wanted, Workshop
from demask.webkit.responses import ClientGone, Refusal


async def stays() -> None:
    """A client that waits."""
    await asyncio.Event().wait()


async def leaves() -> None:
    """A client that is gone."""


def run(work: Callable[[Workshop], Awaitable[Any]], *, workers: int = 1, waiting: int = 1) -> Any:
    async def inside() -> Any:
        workshop = Workshop(workers=workers, max_waiting=waiting)
        try:
            return await work(workshop)
        finally:
            await asyncio.to_thread(workshop.close)
            await asyncio.sleep(0)  # What the threads handed to the loop.
            await asyncio.sleep(0)
            assert (workshop.accepted, workshop.working) == (0, 0)

    return own_loop.run(inside())


def test_gives_what_the_job_gives_in_a_thread() -> None:
    async def work(workshop: Workshop) -> Any:
        return await workshop.run(
            lambda wanted: threading.current_thread().name, deadline_s=20, client_left=stays
        )

    assert run(work).startswith("demask")


def test_gives_the_error_of_the_job() -> None:
    async def work(workshop: Workshop) -> None:
        def fail(wanted: Wanted) -> None:
            raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            await workshop.run(fail, deadline_s=20, client_left=stays)

    run(work)


def test_a_full_queue_refuses_and_leaves_nothing_unawaited() -> None:
    """The 503 came before the client was listened to: a coroutine made for that would never be awaited."""
    listened = []

    async def work(workshop: Workshop) -> None:
        go = threading.Event()
        first = asyncio.create_task(workshop.run(lambda _: go.wait(20), deadline_s=20, client_left=stays))
        second = asyncio.create_task(workshop.run(lambda _: 2, deadline_s=20, client_left=stays))
        await asyncio.sleep(0.05)
        assert workshop.full

        def listen() -> Awaitable[None]:
            listened.append(True)
            return stays()

        with pytest.raises(Refusal) as caught:
            await workshop.run(lambda _: 3, deadline_s=20, client_left=listen)
        assert (caught.value.status, caught.value.code) == (503, "busy")
        assert 1 <= int(caught.value.headers["Retry-After"]) <= 60
        go.set()
        assert await second == 2
        assert await first
        assert await workshop.run(lambda _: 4, deadline_s=20, client_left=stays) == 4

    run(work)
    assert listened == []


def test_no_more_than_the_workers_work_at_once() -> None:
    lock, now, most = threading.Lock(), 0, 0

    def job(wanted: Wanted) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1

    async def work(workshop: Workshop) -> None:
        await asyncio.gather(*(workshop.run(job, deadline_s=20, client_left=stays) for _ in range(8)))

    run(work, workers=2, waiting=6)
    assert most == 2


def test_a_client_that_left_is_not_worked_for() -> None:
    steps = []

    def job(wanted: Wanted) -> None:
        steps.append("begun")
        for _ in range(400):
            time.sleep(0.01)
            wanted.check()
        steps.append("done")

    async def work(workshop: Workshop) -> None:
        with pytest.raises(ClientGone):
            await workshop.run(job, deadline_s=20, client_left=leaves)

    start = time.perf_counter()
    run(work)
    assert time.perf_counter() - start < 3
    assert "done" not in steps


def test_a_deadline_is_504_and_counts_the_wait_in_the_queue() -> None:
    ran = []

    async def work(workshop: Workshop) -> None:
        go = threading.Event()
        first = asyncio.create_task(workshop.run(lambda _: go.wait(20), deadline_s=20, client_left=stays))
        await asyncio.sleep(0.05)
        with pytest.raises(Refusal) as caught:
            await workshop.run(lambda _: ran.append(True), deadline_s=0.1, client_left=stays)
        assert (caught.value.status, caught.value.code) == (504, "deadline")
        go.set()
        await first

    run(work)
    assert ran == []  # It was dropped while it waited.


def test_the_wait_that_is_announced_follows_how_long_photos_take() -> None:
    async def work(workshop: Workshop) -> int:
        for _ in range(30):
            await workshop.run(lambda _: time.sleep(0.001), deadline_s=20, client_left=stays)
        go = threading.Event()
        tasks = [
            asyncio.create_task(workshop.run(lambda _: go.wait(20), deadline_s=20, client_left=stays))
            for _ in range(4)
        ]
        await asyncio.sleep(0.05)
        with pytest.raises(Refusal) as caught:
            workshop.refuse_if_full()
        go.set()
        await asyncio.gather(*tasks)
        return int(caught.value.headers["Retry-After"])

    assert run(work, waiting=3) == 1
