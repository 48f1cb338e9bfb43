"""What the finder's scenes are made of: portraits from the shards, pictures without and with people."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from demask.dataset.split import split_of
from demask.errors import ConfigError
from demask.training.data.labelled_people import LabelledPicture, label
from demask.training.data.portraits import Portrait, portrait_of
from demask.training.data.raw_pictures import open_split, read_pictures
from demask.types import ImageU8


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
    shards = open_split(data, split)
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
    peopled = read_pictures(folder, wanted=lambda name: split_of(name) == split and name in listed)
    empty = read_pictures(folder, wanted=lambda name: split_of(name) == split and name not in listed)
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
