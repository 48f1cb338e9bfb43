"""Work side by side: cores shared, inputs in order through threads, processes that end when they should."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import FrameType
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_cores(num_photos: int, *, jobs: int | None = None, threads: int | None = None) -> tuple[int, int]:
    """Divide the cores: photos worked on at the same time, and threads of each network.

    Their product is the number of cores, where the user does not say otherwise: more threads than cores take
    turns, and cost more than they bring. Photos side by side come first, since half of what a photo takes runs
    on one thread.

    Args:
        num_photos: How many photos there are; no more are worked on.
        jobs: Photos at the same time, if the user said so.
        threads: Threads of each network, if the user said so.

    Returns:
        Jobs and threads, both 1 or more.
    """
    cores = usable_cores()
    side_by_side = max(1, min(jobs or cores // (threads or 1), num_photos))
    return side_by_side, threads or max(1, cores // side_by_side)


def run_in_order(
    items: Iterable[Item], work: Callable[[Item], Answer], *, workers: int
) -> Generator[Answer, None, None]:
    """Do `work` on every item and yield the answers in the order of the items.

    At most `workers` items are worked on and as many finished ones wait. When the consumer stops, or
    on Ctrl-C, nothing new is begun; what is under way is finished first, so that no file is left half
    written.

    Args:
        items: What to work on.
        work: Called in a thread; must catch what it expects to fail.
        workers: Number of threads; 1 works in the calling thread.
    """
    if workers == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[Answer]] = deque()
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="demask")
    try:
        for item in items:
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
            waiting.append(pool.submit(work, item))
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Start processes that are deaf to Ctrl-C from their first moment: only the parent acts on it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only the main thread change this; then the start is not protected.
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end_with_parent() -> None:
    """End this process once its parent was killed: nobody else would, and it holds the parent's pipes."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


@contextlib.contextmanager
def kill_is_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM inside the block, once; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only the main thread change this.
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait_for_the_end() -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()  # Waits on a pipe that the system closes with the parent, however that ends.
        os._exit(1)
