"""How well faces are found in scenes whose truth is known: precision, recall, points; and a picture of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from demask.faces.finder import FinderSettings, suppress
from demask.training.data.scene_labels import Scene
from demask.types import AnyArray, ImageU8

MATCH_OVERLAP = 0.4
"""A found box is a face's if their intersection over union reaches this."""

USED_SCORE = FinderSettings().min_score
"""The score at which recall and false faces are counted: the runtime's."""

SIZES = {"small": (0.0, 32.0), "middle": (32.0, 96.0), "large": (96.0, np.inf)}
_WEAKEST = 0.05


class Finding(NamedTuple):
    """What was found in one scene, doubles merged, best first."""

    boxes: AnyArray  # float32 [K, 4]
    points: AnyArray  # float32 [K, 5, 2]
    scores: AnyArray  # float32 [K]

    @classmethod
    def of(cls, boxes: AnyArray, points: AnyArray, scores: AnyArray) -> Finding:
        """Reduce every cell's opinion to the distinct faces."""
        sure = scores >= _WEAKEST
        boxes, points, scores = boxes[sure], points[sure], scores[sure]
        kept = suppress(boxes, scores, max_overlap=0.4)
        return cls(boxes[kept], points[kept], scores[kept])


def figures(scenes: Sequence[Scene], found: Sequence[Finding]) -> dict[str, float]:
    """Compare findings with the truth.

    Args:
        scenes: With boxes, points and what was covered.
        found: One per scene.

    Returns:
        `score` (average precision: area under precision over recall, all points, as PASCAL VOC 2010
        counts it), `recall_small`, `recall_middle`, `recall_large`, `recall_covered`, `recall_bare`
        at `USED_SCORE`, `false_per_100` (false faces per 100 scenes there) and `point_error` (mean
        distance of the points of found faces as a fraction of the face's size).
    """
    scores: list[float] = []
    right: list[bool] = []
    was_found: list[bool] = []
    sizes: list[float] = []
    covered: list[bool] = []
    errors: list[float] = []
    for scene, finding in zip(scenes, found, strict=True):
        partner = match(scene, finding)
        size = np.sqrt(np.prod(scene.boxes[:, 2:] - scene.boxes[:, :2], axis=1))
        hit = np.zeros(len(scene.boxes), bool)
        for index, face in enumerate(partner):
            if face == _NOBODY_KNOWS:
                continue
            scores.append(float(finding.scores[index]))
            right.append(face >= 0)
            if face >= 0 and finding.scores[index] >= USED_SCORE:
                hit[face] = True
                distance = np.linalg.norm(finding.points[index] - scene.points[face], axis=1).mean()
                errors.append(float(distance / size[face]))
        was_found += hit.tolist()
        sizes += size.tolist()
        covered += scene.covered.tolist()
    hits, size_all, covered_all = np.array(was_found, bool), np.array(sizes), np.array(covered, bool)
    false = sum(not ok and score >= USED_SCORE for ok, score in zip(right, scores, strict=True))
    result = {
        "score": average_precision(np.array(scores), np.array(right, bool), len(hits)),
        "recall_covered": _fraction(hits[covered_all]),
        "recall_bare": _fraction(hits[~covered_all]),
        "false_per_100": 100.0 * false / max(1, len(scenes)),
        "point_error": float(np.mean(errors)) if errors else 1.0,
    }
    for name, (low, high) in SIZES.items():
        result[f"recall_{name}"] = _fraction(hits[(size_all >= low) & (size_all < high)])
    return result


_NOBODY_KNOWS = -2


def match(scene: Scene, finding: Finding) -> list[int]:
    """Which face each found box is: its index, -1 for none, -2 inside a region where nobody knows."""
    partner: list[int] = []
    free = np.ones(len(scene.boxes), bool)
    for box in finding.boxes:
        overlap = np.where(free, overlaps(box, scene.boxes), 0)
        if overlap.size and overlap.max() >= MATCH_OVERLAP:
            partner.append(int(overlap.argmax()))
            free[partner[-1]] = False
        elif len(scene.ignored) and overlaps(box, scene.ignored).max() >= 0.2:
            partner.append(_NOBODY_KNOWS)
        else:
            partner.append(-1)
    return partner


def overlaps(box: AnyArray, boxes: AnyArray) -> AnyArray:
    """Intersection over union of one box [4] with each of boxes [N, 4], float [N]."""
    common = np.prod(
        np.maximum(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0), axis=1
    )
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    iou: AnyArray = common / np.maximum(np.prod(box[2:] - box[:2]) + areas - common, 1e-9)
    return iou


def average_precision(scores: AnyArray, right: AnyArray, num_faces: int) -> float:
    """Area under the precision-recall curve, precision made monotone (PASCAL VOC 2010 development kit).

    Args:
        scores: Of every found box, float [K].
        right: Whether it is a face, bool [K].
        num_faces: How many there are.
    """
    if num_faces == 0 or len(scores) == 0:
        return 0.0
    hits = right[np.argsort(-scores, kind="stable")]
    recall = np.cumsum(hits) / num_faces
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def sample_grid(scenes: Sequence[Scene], found: Sequence[Finding], *, columns: int = 4) -> ImageU8:
    """Scenes side by side: found faces green, false ones yellow, missed ones red."""
    tiles = []
    for scene, finding in zip(scenes, found, strict=True):
        tile = np.ascontiguousarray(scene.photo)
        sure = Finding(*(part[finding.scores >= USED_SCORE] for part in finding))
        partner = match(scene, sure)
        for missed in set(range(len(scene.boxes))) - set(partner):
            _outline(tile, scene.boxes[missed], (255, 0, 0))
        for box, points, face in zip(sure.boxes, sure.points, partner, strict=True):
            _outline(tile, box, (0, 255, 0) if face >= 0 else (255, 255, 0))
            for x, y in np.round(points).astype(int):
                cv2.circle(tile, (int(x), int(y)), 1, (0, 255, 255), -1)
        tiles.append(tile)
    rows = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)]
    widest = max(row.shape[1] for row in rows)
    return np.concatenate([np.pad(row, ((0, 0), (0, widest - row.shape[1]), (0, 0))) for row in rows])


def _outline(picture: ImageU8, box: AnyArray, colour: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = (int(v) for v in np.round(np.clip(box, -1e4, 1e4)))
    cv2.rectangle(picture, (x0, y0), (x1, y1), colour, 1)


def _fraction(hits: AnyArray) -> float:
    return float(hits.mean()) if hits.size else 1.0
