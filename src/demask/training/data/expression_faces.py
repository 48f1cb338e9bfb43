"""Faces with a labelled expression, and how they are varied: as photographs and restored mouths vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from demask.dataset.expression_labels import EXPRESSIONS, expression_of
from demask.errors import DatasetError
from demask.geometry import FRAME_PX
from demask.training.data.loading import open_split
from demask.types import ImageU8

_SOFT_PX = 2.0  # Largest standard deviation of the blur: restored mouths are soft.
_NOSE_PX = (112, 146)  # Where a drawn covering begins, in pixels of the frame.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ExpressionFace:
    """One face.

    Attributes:
        face_id: Which photograph.
        source: Where it comes from.
        identity: Whose face it is.
        label: Number of its expression in `EXPRESSIONS`.
        crop: uint8 RGB [256, 256, 3].
    """

    face_id: str
    source: str
    identity: str
    label: int
    crop: ImageU8


def expression_faces(data: Path, *, split: str, sources: Sequence[str] = ()) -> list[ExpressionFace]:
    """All labelled faces of a split, in its order.

    Args:
        data: Folder of shards whose set has the label `expression`.
        split: train, val or test; no person is in two.
        sources: Only these; empty = all that have labels.

    Raises:
        DatasetError: There is none.
    """
    shards = open_split(data, split)
    faces = []
    for i, entry in enumerate(shards.entries):
        expression = expression_of(entry.labels)
        if expression is not None and (not sources or entry.source in sources):
            faces.append(
                ExpressionFace(
                    face_id=entry.face_id,
                    source=entry.source,
                    identity=entry.identity,
                    label=EXPRESSIONS.index(expression),
                    crop=shards[i].crop,
                )
            )
    if not faces:
        raise DatasetError(
            f"no face of the split {split!r} in {data} has an expression; build the set from an index whose "
            f"column `expression` holds {', '.join(EXPRESSIONS)}"
        )
    return faces


def covered_below(crop: ImageU8, rng: np.random.Generator) -> ImageU8:
    """The crop with a plain covering from somewhere on the nose to its lower edge.

    Args:
        crop: uint8 RGB [256, 256, 3].
        rng: Draws place and colour.
    """
    top, left, right = int(rng.integers(*_NOSE_PX)), int(rng.integers(10, 60)), int(rng.integers(196, 246))
    outline = np.array(
        [
            [left, top + 18],
            [FRAME_PX // 2, top],
            [right, top + 18],
            [right - 12, FRAME_PX - 30],
            [FRAME_PX // 2, FRAME_PX + 8],
            [left + 12, FRAME_PX - 30],
        ]
    )
    colour = rng.integers(0, 256, 3).tolist()
    return np.asarray(cv2.fillConvexPoly(crop.copy(), outline.astype(np.int32), colour), np.uint8)


def varied(crop: ImageU8, rng: np.random.Generator) -> ImageU8:
    """The crop mirrored, moved a little, re-lit, softened or greyed.

    Args:
        crop: uint8 RGB [256, 256, 3].
        rng: Draws what and how much.
    """
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    middle = (FRAME_PX - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), rng.uniform(-8, 8), rng.uniform(0.92, 1.08))
    matrix[0, 2] += rng.uniform(-8, 8)
    matrix[1, 2] += rng.uniform(-8, 8)
    moved = cv2.warpAffine(np.ascontiguousarray(crop), matrix, (FRAME_PX, FRAME_PX), flags=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        moved = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.3, _SOFT_PX))
    if rng.random() < 0.1:
        moved = cv2.cvtColor(cv2.cvtColor(moved, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    levels = (np.arange(256)[:, None] / 255.0) ** rng.uniform(0.7, 1.4) * rng.uniform(0.8, 1.15, 3)
    table = np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(moved, table), np.uint8)
