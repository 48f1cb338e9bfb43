"""One picture through one restorer: the way of a user's photo, and what came of it against the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from demask.dataset.frozen_set import PORTRAIT, FrozenPicture
from demask.errors import InputError
from demask.evaluation.benchmark.plan import HoleSetting
from demask.evaluation.frozen import found_overlap
from demask.evaluation.metrics.landmarks import LandmarkError
from demask.evaluation.metrics.suite import Suite, opened
from demask.evaluation.traits import head_turn, skin_tone
from demask.faces.finder import Finder
from demask.faces.hole import HoleFinder
from demask.faces.judge import JudgeSettings
from demask.faces.landmark_network import LandmarkFinder
from demask.faces.reach import coverage_from_photo
from demask.geometry import FRAME_POINTS, crop_to_frame, scale_of, to_frame
from demask.photo.composite import composite
from demask.remover import Remover
from demask.types import Alpha, Face, Hole, ImageU8, Points, Restorer

FIGURES = (
    "hole_psnr", "hole_mse", "hole_ssim", "hole_lpips",
    "psnr", "mse", "ssim", "lpips", "identity", "landmarks",
)  # fmt: skip
"""Every figure of a picture, by its name in `metrics.catalogue`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Answer:
    """What came of one picture.

    Attributes:
        picture: uint8 RGB [H, W, 3].
        restored: Whether a hole was found (or given) and filled.
        hole_iou: Overlap of the hole found, not widened, with the true hole; NaN where none was looked for.
        hole_reached: Share of the true hole that was filled.
    """

    picture: ImageU8
    restored: bool
    hole_iou: float
    hole_reached: float


class Way:
    """Bring pictures to a restorer, with the true hole or as the main job does; not thread-safe.

    In the true hole stands what the restorer drew and nothing else: no tone is matched, no grain added,
    no rim softened, so that restorers are compared and not the pasting. With the found hole every restorer
    goes through the same `Remover`, as a user's photo does.

    Args:
        restorer: Fills holes.
    """

    def __init__(self, restorer: Restorer) -> None:
        self._restorer = restorer
        self._config = JudgeSettings()
        self._points: Points = FRAME_POINTS
        self._coverage: Alpha | None = None
        self._hole_finder: HoleFinder | None = None
        self._aligned = Remover(finder=self._tell, hole_finder=self._remembered, restorer=restorer)
        self._looking: Remover | None = None

    def __call__(self, picture: FrozenPicture, setting: HoleSetting) -> Answer:
        """Restore one picture.

        Args:
            picture: Of a frozen set.
            setting: See `BenchmarkConfig.holes`.
        """
        masked, hole = picture.masked, picture.hole
        portrait = picture.slice == PORTRAIT
        self._points, self._coverage = (picture.points if portrait else FRAME_POINTS), None
        nan = float("nan")
        if setting == "whole":
            whole = self._restorer(masked, hole)
            return Answer(picture=whole, restored=True, hole_iou=nan, hole_reached=1.0)
        if setting == "oracle":
            filled, used = self._alone(picture) if hole.any() else (masked, hole)
            return Answer(
                picture=filled, restored=bool(hole.any()), hole_iou=nan, hole_reached=_reached(used, picture)
            )
        found = (self._portraits() if portrait else self._aligned)(masked)
        overlap = nan
        if not portrait and self._coverage is not None:
            overlap = found_overlap(self._coverage[0], picture, self._config)
        used = np.zeros_like(hole) if found.hole is None else found.hole
        return Answer(
            picture=found.photo,
            restored=found.status == "restored",
            hole_iou=overlap,
            hole_reached=_reached(used, picture),
        )

    def _alone(self, picture: FrozenPicture) -> tuple[ImageU8, Hole]:
        """What the restorer draws in the true hole, and the pixels of it that its crop reaches."""
        masked, hole = picture.masked, picture.hole
        if picture.slice != PORTRAIT:
            return composite(self._restorer(masked, hole), masked, hole), hole
        matrix = to_frame(picture.points)
        crop, _ = crop_to_frame(masked, matrix)
        drawn = self._restorer(crop, coverage_from_photo(hole, matrix) > 0)
        scale = scale_of(matrix)
        if scale > 1:  # A face smaller than the frame: blur what the photo's pixels could not show.
            drawn = cv2.GaussianBlur(drawn, (0, 0), 0.5 * math.sqrt(scale**2 - 1)).astype(np.uint8)
        size, back = masked.shape[1::-1], cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(
            drawn, matrix, size, flags=cv2.INTER_CUBIC | back, borderMode=cv2.BORDER_REPLICATE
        )
        frame = np.ones(drawn.shape[:2], np.uint8)
        reached = hole & (cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_NEAREST | back) > 0)
        return composite(warped.astype(np.uint8), masked, reached), reached

    def _portraits(self) -> Remover:
        """A whole portrait is a photo like any other: its face is looked for."""
        if self._looking is None:
            finder = Finder.shipped("cpu", threads=1)
            self._looking = Remover(finder=finder, hole_finder=self._remembered, restorer=self._restorer)
        return self._looking

    def _tell(self, photo: ImageU8) -> list[Face]:
        """Stand in for the finder: the face is where the truth says."""
        height, width = photo.shape[:2]
        return [Face(box=(0.0, 0.0, float(width), float(height)), points=self._points, score=1.0)]

    def _remembered(self, crops: ImageU8) -> Alpha:
        if self._hole_finder is None:
            self._hole_finder = HoleFinder.shipped(device="cpu", threads=1)
        self._coverage = self._hole_finder(crops)
        return self._coverage


class Metrics:
    """All figures of a picture; those whose network is not there are NaN."""

    def __init__(self) -> None:
        self._suite = Suite.of_what_is_there(threads=1)
        self._landmarks = opened(lambda: LandmarkError(LandmarkFinder.shipped(device="cpu", threads=1)))

    def __call__(self, picture: ImageU8, truth: FrozenPicture) -> dict[str, float]:
        """Compare a picture with the truth; what lay outside the photo never counts.

        Returns:
            Every figure of `FIGURES`.
        """
        figures = self._suite(picture, truth.face, hole=truth.hole, valid=truth.valid, points=truth.points)
        figures["landmarks"] = float("nan")
        if self._landmarks is not None:
            shown = [np.where(truth.valid[:, :, None], side, np.uint8(0)) for side in (picture, truth.face)]
            if truth.slice == PORTRAIT:
                matrix = to_frame(truth.points)
                shown = [crop_to_frame(side, matrix)[0] for side in shown]
            figures["landmarks"] = self._landmarks(*shown)
        return {name: figures[name] for name in FIGURES}


def traits_of(picture: FrozenPicture) -> dict[str, Any]:
    """What results are broken down by."""
    try:
        skin: str = skin_tone(picture.face, picture.points, picture.valid)
    except InputError:
        skin = "unknown"
    try:
        turn: str = head_turn(picture.points)
    except InputError:
        turn = "unknown"
    return {
        "source": picture.source,
        "kind": str(picture.recipe.get("kind", "unknown")),
        "turn": turn,
        "skin": skin,
    }


def _reached(used: Hole, picture: FrozenPicture) -> float:
    true_hole = picture.hole & picture.valid
    return float(used[true_hole].mean()) if true_hole.any() else float("nan")
