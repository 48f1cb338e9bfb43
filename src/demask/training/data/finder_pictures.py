"""What the finder's scenes are made of: portraits from the shards, pictures without and with people."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from demask.dataset.shards import FaceShards
from demask.dataset.split import split_of
from demask.errors import ConfigError, DatasetError
from demask.training.data.labelled_people import LabelledPicture, label
from demask.training.data.portraits import Portrait, portrait_of
from demask.types import ImageU8

log = logging.getLogger(__name__)

_PICTURES = {".jpg", ".jpeg", ".png"}


class Backgrounds(NamedTuple):
    """Pictures of one split, sorted by whether they hold people."""

    empty: list[ImageU8]
    people: list[LabelledPicture]


def portraits_of(
    data: Path, split: str, *, soft_sources: Collection[str] = (), soft_weight: float = 1.0
) -> Iterator[Portrait]:
    """The faces of a split.

    Args:
        data: Folder of shards.
        split: train, val or test.
        soft_sources: Collections whose faces are shown
        soft_weight: this often next to the others.

    Raises:
        DatasetError: There is no face in this split.
    """
    shards = FaceShards(data, split=split, skip_damaged=True)
    if shards.num_skipped:
        log.warning("%s: %d damaged faces are left out", data, shards.num_skipped)
    if len(shards) == 0:
        raise DatasetError(f"{data} holds no face of the split {split!r}; build the set from more photographs")
    for record in shards:
        yield portrait_of(record, weight=soft_weight if record.source in soft_sources else 1.0)
    shards.close()


def backgrounds_of(
    folder: Path | None, split: str, *, with_people: Path | None = None, teacher: Path | None = None
) -> Backgrounds:
    """Pictures of a split; a file's name decides which, as a face's identity does.

    Args:
        folder: Photographs; None gives none.
        split: train, val or test.
        with_people: Text file, one name a line: the pictures that hold people. Without it the teacher
            tells: a picture in which it sees anything at all is no background.
        teacher: YuNet, which labels the faces of those pictures. Without it they are left out.

    Raises:
        ConfigError: The folder holds no picture of this split.
        WeightsError: The teacher cannot be loaded.
    """
    if folder is None:
        return Backgrounds([], [])
    listed: set[str] = set()
    if with_people is not None:
        lines = with_people.read_text(encoding="utf-8").splitlines()
        listed = {line.strip() for line in lines if not line.startswith("#")}
    empty: list[ImageU8] = []
    peopled: list[ImageU8] = []
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR) if split_of(path.name) == split else None
        if picture is not None:
            rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
            (peopled if path.name in listed else empty).append(rgb)
    people: list[LabelledPicture] = []
    if teacher is not None and with_people is not None:
        people = label(peopled, teacher)
    elif teacher is not None:
        seen = label(empty, teacher)
        people = [picture for picture in seen if len(picture.boxes) + len(picture.unclear)]
        empty = [picture.photo for picture in seen if not len(picture.boxes) + len(picture.unclear)]
    if not empty:
        raise ConfigError(f"{folder} holds no picture without people for the split {split!r}; add pictures")
    return Backgrounds(empty, people)
