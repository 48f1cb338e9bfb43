"""The processes of a build: photographs in, outcomes out, in the same order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context

from demask.dataset.worker import Job, LabellerFactory, Outcome, run_job, start_pool_worker, start_worker
from demask.errors import DatasetError
from demask.parallel import interrupts_ignored


@contextmanager
def running_workers(
    count: int, labellers: LabellerFactory
) -> Iterator[Callable[[list[Job]], Iterator[Outcome]]]:
    """Give a function that labels photographs and keeps their order.

    Args:
        count: Processes; 1 = this one, 0 = none are needed, since every part is there already.
        labellers: Makes the labeller of each process; picklable if `count` is above 1.

    Raises:
        DatasetError: A process was killed.
    """
    if count <= 1:
        if count:
            start_worker(labellers)
        yield lambda jobs: map(run_job, jobs)
        return
    # Spawned, not forked: onnxruntime's threads do not survive a fork.
    pool = ProcessPoolExecutor(
        count, mp_context=get_context("spawn"), initializer=start_pool_worker, initargs=(labellers,)
    )
    try:
        with interrupts_ignored():
            for _ in range(count):
                pool.submit(os.getpid)  # A process starts when it is first wanted: that is now.
        yield lambda jobs: pool.map(run_job, jobs, chunksize=4)
    except BrokenProcessPool as error:
        raise DatasetError(
            "a worker process ended before its time (killed, or out of memory); "
            "run the same command again to go on, perhaps with fewer workers"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
