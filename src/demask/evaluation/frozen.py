"""Measure the main job on a frozen test set, along the very path a user's photo takes.

Every crop goes through `Remover` with the hole network, the widening, the restorer and the paste-back
that it has in the field; only the finder is told where the face is, because a crop is cut by it.
Portraits are whole photos, so there the finder looks too. Four answers are compared with the truth:

masked  the covered face as it is: what doing nothing costs
telea   OpenCV's Telea in the true hole: the best that needs no learning
oracle  our restorer in the true hole: compares restorers
found   our restorer in the hole that was found: what a user gets, the headline
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from demask.dataset.frozen_set import PORTRAIT, FrozenPicture
from demask.evaluation.metrics.pixels import hole_iou
from demask.evaluation.metrics.suite import Suite
from demask.evaluation.traits import Skin, Turn, head_turn, skin_tone
from demask.faces.judge import JudgeSettings, judge
from demask.geometry import FRAME_POINTS
from demask.photo.composite import composite
from demask.remover import Remover
from demask.restorers.classical import telea
from demask.types import Alpha, Face, Hole, ImageU8, Points, Restorer

SYSTEMS = ("masked", "telea", "oracle", "found")

Figures = dict[str, float]
Finder = Callable[[ImageU8], list[Face]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What was measured on one picture.

    Attributes:
        slice: Slice of the frozen set.
        face_id: Which picture of it.
        source: Collection of the face.
        kind: Kind of covering, from the recipe.
        turn: Whether the head is turned, see `traits.head_turn`.
        skin: How light the skin is in the picture, see `traits.skin_tone`.
        restored: Whether the remover took the face for covered and restored it.
        hole_iou: Overlap of the hole that was found, not widened, with the true hole; NaN for portraits.
        hole_reached: Share of the true hole that lies in the hole that was filled.
        figures: For each of `SYSTEMS`, the figures of `metrics.suite`.
    """

    slice: str
    face_id: str
    source: str
    kind: str
    turn: Turn
    skin: Skin
    restored: bool
    hole_iou: float
    hole_reached: float
    figures: dict[str, Figures]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Answers:
    """The pictures behind a row: one per system, uint8 RGB [H, W, 3], and the hole that was filled."""

    pictures: dict[str, ImageU8]
    used_hole: Hole


class Bench:
    """Hold the parts under test and measure one picture at a time; not thread-safe.

    Args:
        hole_finder: Maps crops uint8 [N, 256, 256, 3] to coverage [N, 256, 256].
        restorer: Fills holes.
        suite: The metrics.
        finder: Looks for faces in portraits; None = it is told the true points there as well.
        config: Thresholds and widening; None = those of the main job.
    """

    def __init__(
        self,
        *,
        hole_finder: Callable[[ImageU8], Alpha],
        restorer: Restorer,
        suite: Suite,
        finder: Finder | None = None,
        config: JudgeSettings | None = None,
    ) -> None:
        self._config = config or JudgeSettings()
        self._suite, self._finder, self._hole_finder = suite, finder, hole_finder
        self._telea = telea()
        self._points: Points = FRAME_POINTS
        self._coverage: Alpha | None = None
        parts: dict[str, Any] = {
            "restorer": restorer,
            "hole_finder": self._remembered,
            "config": self._config,
        }
        self._told = Remover(finder=self._tell, **parts)
        self._looking = Remover(finder=finder, **parts) if finder else self._told

    def __call__(self, picture: FrozenPicture) -> tuple[Row, Answers]:
        """Measure one picture with all systems."""
        answers, restored = self._answers(picture)
        figures = {
            name: self._suite(
                answer, picture.face, hole=picture.hole, valid=picture.valid, points=picture.points
            )
            for name, answer in answers.pictures.items()
        }
        true_hole = picture.hole & picture.valid
        reached = float(answers.used_hole[true_hole].mean()) if true_hole.any() else float("nan")
        overlap = float("nan")
        if picture.slice != PORTRAIT and self._coverage is not None:
            overlap = found_overlap(self._coverage[0], picture, self._config)
        row = Row(
            slice=picture.slice,
            face_id=picture.face_id,
            source=picture.source,
            kind=str(picture.recipe.get("kind", "unknown")),
            turn=head_turn(picture.points),
            skin=skin_tone(picture.face, picture.points, picture.valid),
            restored=restored,
            hole_iou=overlap,
            hole_reached=reached,
            figures=figures,
        )
        return row, answers

    def _answers(self, picture: FrozenPicture) -> tuple[Answers, bool]:
        masked, hole = picture.masked, picture.hole
        portrait = picture.slice == PORTRAIT
        # An aligned crop is its own frame; a portrait's frame follows from its true points.
        self._points = picture.points if portrait else FRAME_POINTS
        oracle = self._told(masked, hole=hole).photo if hole.any() else masked
        found = (self._looking if portrait else self._told)(masked)
        pictures = {
            "masked": masked,
            "telea": composite(self._telea(masked, hole), masked, hole),
            "oracle": oracle,
            "found": found.photo,
        }
        used = np.zeros_like(hole) if found.hole is None else found.hole
        return Answers(pictures=pictures, used_hole=used), found.status == "restored"

    def _tell(self, photo: ImageU8) -> list[Face]:
        """Stand in for the finder: the face is where the truth says."""
        height, width = photo.shape[:2]
        return [Face(box=(0.0, 0.0, float(width), float(height)), points=self._points, score=1.0)]

    def _remembered(self, crops: ImageU8) -> Alpha:
        """Keep the coverage that the remover saw, so that it need not be computed twice."""
        self._coverage = self._hole_finder(crops)
        return self._coverage


def found_overlap(coverage: Alpha, picture: FrozenPicture, config: JudgeSettings) -> float:
    """Intersection over union of the true hole and the one found, before that is widened.

    Args:
        coverage: The hole network's answer for the picture, float32 [256, 256] in [0, 1].
        picture: An aligned crop of a frozen set.
        config: Thresholds.
    """
    exact = dataclasses.replace(config, widen_px=0)
    found = judge(coverage, picture.masked, picture.valid, exact)
    return hole_iou(found.hole, picture.hole, picture.valid)


def measure(
    frozen: Iterable[FrozenPicture],
    bench: Bench,
    *,
    each: Callable[[Row, FrozenPicture, Answers], None] | None = None,
) -> list[Row]:
    """Measure every picture of a frozen set.

    Args:
        frozen: From `demask.dataset.frozen_set.load_frozen`.
        bench: The parts under test.
        each: Called after every picture, to show progress or to keep the pictures.
    """
    rows = []
    for picture in frozen:
        row, answers = bench(picture)
        rows.append(row)
        if each:
            each(row, picture, answers)
    return rows
