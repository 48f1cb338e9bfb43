"""Pictures of whole people, labelled by the teacher: what shows the finder that hands and coats are no faces.

Portraits hold little but heads, and pictures without people hold no clothes. Here a face that the
teacher is sure of is a face, one it doubts is nobody's business, and all the rest is background.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from demask.errors import WeightsError
from demask.faces.finder import suppress
from demask.types import AnyArray, ImageU8

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
