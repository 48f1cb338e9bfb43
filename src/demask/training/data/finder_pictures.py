"""What the finder's scenes are made of: portraits from the shards, pictures without and with people.

Pictures of whole people, labelled by the teacher: what shows the finder that hands and coats are no faces.
Portraits hold little but heads, and pictures without people hold no clothes. Here a face that the
teacher is sure of is a face, one it doubts is nobody's business, and all the rest is background.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from demask.dataset.split import split_of
from demask.errors import ConfigError, WeightsError
from demask.faces.finder import suppress
from demask.training.data.loading import open_split, read_pictures
from demask.training.data.portraits import Portrait, portrait_of
from demask.types import AnyArray, ImageU8


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


SURE, DOUBTFUL = 0.7, 0.3
"""The teacher's scores from which a face counts, and from which a place is left undecided."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelledPicture:
    """A picture with its faces, in its pixels.

    Attributes:
        photo: uint8 RGB [H, W, 3].
        boxes: float32 [M, 4].
        points: float32 [M, 5, 2].
        unclear: float32 [K, 4].
    """

    photo: ImageU8
    boxes: AnyArray
    points: AnyArray
    unclear: AnyArray


def label(pictures: Iterable[ImageU8], teacher: Path) -> list[LabelledPicture]:
    """Let YuNet look at pictures in their own size and twice as large.

    Args:
        pictures: uint8 RGB [H, W, 3].
        teacher: The file of YuNet, for `cv2.FaceDetectorYN`.

    Raises:
        WeightsError: The file cannot be loaded.
    """
    try:
        detector = cv2.FaceDetectorYN.create(str(teacher), "", (320, 320), score_threshold=DOUBTFUL)
    except cv2.error as error:
        raise WeightsError(f"{teacher} cannot be loaded as YuNet: {error.err}") from error
    return [_label(picture, detector) for picture in pictures]


def _label(picture: ImageU8, detector: cv2.FaceDetectorYN) -> LabelledPicture:
    found = [np.zeros((0, 15), np.float32)]
    for factor in (1, 2):
        size = (picture.shape[1] * factor, picture.shape[0] * factor)
        seen = picture if factor == 1 else cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
        detector.setInputSize(size)
        _, rows = detector.detect(cv2.cvtColor(seen, cv2.COLOR_RGB2BGR))
        if rows is not None:
            found.append(np.hstack([rows[:, :14] / factor, rows[:, 14:]]).astype(np.float32))
    rows = np.concatenate(found)
    boxes = np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:4]])
    kept = suppress(boxes, rows[:, 14], max_overlap=0.3)
    boxes, points, scores = boxes[kept], rows[kept, 4:14].reshape(-1, 5, 2), rows[kept, 14]
    sure = scores >= SURE
    return LabelledPicture(photo=picture, boxes=boxes[sure], points=points[sure], unclear=boxes[~sure])
