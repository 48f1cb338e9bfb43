"""From the shards or a folder of photographs to batches, drawn in worker processes, ahead of time."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from demask.dataset.shards import FaceShards
from demask.errors import ConfigError, DatasetError
from demask.types import ImageU8

log = logging.getLogger(__name__)
_SUFFIXES = {".jpg", ".jpeg", ".png"}


def open_split(data: Path, split: str) -> FaceShards:
    """The faces of one split; damaged ones are left out and counted in the log.

    Args:
        data: Folder of shards.
        split: train, val or test.

    Raises:
        DatasetError: There is no face in this split.
    """
    shards = FaceShards(data, split=split, skip_damaged=True)
    if shards.num_skipped:
        log.warning("%s: %d damaged faces are left out", data, shards.num_skipped)
    if len(shards) == 0:
        raise DatasetError(f"{data} holds no face of the split {split!r}; build it from more photographs")
    return shards


def read_pictures(
    folder: Path, *, wanted: Callable[[str], bool] = lambda _name: True, most: int | None = None
) -> list[ImageU8]:
    """Photographs of a folder, uint8 RGB [H, W, 3], in the order of their names.

    Args:
        folder: .jpg and .png files; one that cannot be decoded is left out.
        wanted: Which names.
        most: At most this many files are tried.

    Raises:
        ConfigError: The folder cannot be listed or holds no picture at all.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be listed ({error.strerror}); name a folder of pictures") from error
    if not paths:
        raise ConfigError(f"{folder} holds no .jpg or .png picture; add pictures")
    pictures = []
    for path in [path for path in paths if wanted(path.name)][:most]:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is not None:
            rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            pictures.append(np.asarray(rgb, np.uint8))
    return pictures


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
