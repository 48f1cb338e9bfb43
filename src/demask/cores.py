"""How many cores there are to compute on, and how work side by side shares them."""

from __future__ import annotations

import os


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
