"""Where training pictures come from: a split of the shards, a folder of photographs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

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
