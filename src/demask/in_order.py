"""Many inputs through a few threads: results in order, memory bounded, Ctrl-C clean."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


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
