"""From numbered pictures to batches: drawn in worker processes, ahead of time."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


def numbered_batches(
    dataset: Dataset[dict[str, Any]], *, numbers: Sequence[int], batch_size: int, workers: int
) -> Iterator[dict[str, torch.Tensor]]:
    """Pictures of these numbers in batches.

    Args:
        dataset: Gives arrays by name for any number.
        numbers: Which, in order; a last batch that is not full is left out.
        batch_size: Pictures in each.
        workers: Processes that draw; 0 draws in this one. The pictures are the same.
    """
    loader: DataLoader[Any] = DataLoader(
        dataset,
        sampler=numbers,
        batch_size=batch_size,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_start_worker,
        drop_last=True,
    )
    yield from loader


def fixed_batch(dataset: Dataset[dict[str, Any]], count: int) -> dict[str, torch.Tensor]:
    """The first `count` pictures of a data set, stacked: the same at every call."""
    items = [dataset[number] for number in range(count)]
    return {key: torch.from_numpy(np.stack([item[key] for item in items])) for key in items[0]}


def _start_worker(_number: int) -> None:
    """One thread each, and deaf to Ctrl-C and to a kill of the whole group, which schedulers send.

    The main process ends the workers itself, after the step that it saves; without it they end too.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
