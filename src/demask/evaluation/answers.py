"""What a system makes of one picture of a frozen set, in each of four settings.

raw     what the restorer draws in the true hole and nothing else: no tone matched, no grain, no soft rim.
        This compares restorers.
pasted  the true hole, filled and pasted as for a user who gave that hole: tone and grain matched.
found   the way of a user's photo: the hole is found (in portraits the face too), filled and pasted.
whole   the restorer's whole answer to the crop, nothing pasted, as studies of blind translators judge it.

A table compares systems in one setting, and says in which.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import cv2
import numpy as np

from demask.dataset.expression_labels import expression_of
from demask.dataset.frozen_set import FrozenPicture
from demask.errors import InputError
from demask.evaluation.aggregate import number
from demask.evaluation.metrics.comparison import FIGURES, FROZEN_METRICS, Comparison
from demask.evaluation.metrics.expression_metric import ExpressionKept
from demask.evaluation.metrics.networks import open_networks
from demask.evaluation.metrics.pixels import hole_iou
from demask.evaluation.traits import head_turn, skin_tone
from demask.faces.crop_networks import HoleFinder
from demask.faces.finder import Finder
from demask.faces.judge import JudgeSettings, judge
from demask.faces.looker import Looked, Looker
from demask.faces.reach import coverage_from_photo
from demask.geometry import FRAME_POINTS, TIGHT, Window, crop_to_frame, scale_of, to_frame, warp_back
from demask.photo.paste import PasteConfig, composite
from demask.remover import Remover
from demask.types import Alpha, Face, Hole, ImageU8, Restorer

Setting = Literal["raw", "pasted", "found", "whole"]
SETTINGS: tuple[Setting, ...] = get_args(Setting)

NAN = float("nan")

_CLEARLY, _UNCHANGED = 24, 6  # Grey levels between covering and face, and between covering and answer.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Answer:
    """What came of one picture.

    Attributes:
        picture: uint8 RGB [H, W, 3].
        restored: Whether a hole was found (or given) and filled.
        filled: The pixels that were filled, bool [H, W].
        hole_iou: Overlap of the hole found, not widened, with the true hole; NaN where none was looked for.
    """

    picture: ImageU8
    restored: bool
    filled: Hole
    hole_iou: float = NAN


class Answering:
    """Bring pictures to restorers in any setting; each picture is looked at once. Not thread-safe.

    Args:
        finder: Looks for faces in portraits, which are photos like any other; None = the shipped one. An
            aligned crop is cut by its true points, so there the face is where they say.
        hole_finder: Maps crops uint8 [N, 256, 256, 3] to coverage [N, 256, 256]; None = the shipped one.
        config: Thresholds and widening; None = those of the main job.
        paste: How found holes are pasted; None = as the main job does.
    """

    def __init__(
        self,
        *,
        finder: Callable[[ImageU8], list[Face]] | None = None,
        hole_finder: Callable[[ImageU8], Alpha] | None = None,
        config: JudgeSettings | None = None,
        paste: PasteConfig | None = None,
    ) -> None:
        self._config, self._paste = config or JudgeSettings(), paste
        self._finder = finder
        self._hole_finder = _Remembering(hole_finder)
        self._picture: FrozenPicture | None = None
        self._looked: Looked | None = None

    def __call__(self, picture: FrozenPicture, setting: Setting, restorer: Restorer) -> Answer:
        """Restore one picture.

        Args:
            picture: Of a frozen set.
            setting: See the module.
            restorer: Fills holes.

        Raises:
            InputError: The setting `whole` was asked for a whole portrait.
        """
        if picture is not self._picture:
            self._picture, self._looked, self._hole_finder.seen = picture, None, None
        masked, hole = picture.masked, picture.hole
        if setting == "whole":
            if picture.is_photo:
                raise InputError("a whole photo has no whole answer: restorers see aligned crops")
            return Answer(picture=restorer(masked, hole), restored=True, filled=np.ones_like(hole))
        if setting == "found":
            self._looked = self._looked or self._looker(photo=picture.is_photo)(masked)
            return self._restored(picture, self._looked, restorer, self._overlap(picture))
        if not hole.any():
            return Answer(picture=masked, restored=False, filled=hole)
        if setting == "raw":
            drawn, reached = _raw(picture, restorer)
            return Answer(picture=drawn, restored=True, filled=reached)
        return self._restored(picture, self._looker(photo=False)(masked, hole=hole), restorer, NAN)

    def _restored(self, picture: FrozenPicture, looked: Looked, restorer: Restorer, overlap: float) -> Answer:
        remover = Remover(restorer=restorer, finder=self._true_face, hole_finder=self._hole_finder)
        result = remover.restore(picture.masked, looked, paste=self._paste)
        return Answer(
            picture=result.photo,
            restored=result.status == "restored",
            filled=np.zeros_like(picture.hole) if result.hole is None else result.hole,
            hole_iou=overlap,
        )

    def _overlap(self, picture: FrozenPicture) -> float:
        """Intersection over union of the true hole and the one found, before that is widened; crops only."""
        if picture.is_photo or self._hole_finder.seen is None:
            return NAN
        exact = dataclasses.replace(self._config, widen_px=0)
        found = judge(self._hole_finder.seen[0], picture.masked, picture.valid, exact)
        return hole_iou(found.hole, picture.hole, picture.valid)

    def _looker(self, *, photo: bool) -> Looker:
        if photo:
            self._finder = self._finder or Finder.shipped("cpu", threads=1)
            return Looker(self._finder, self._hole_finder, self._config)
        return Looker(self._true_face, self._hole_finder, self._config)

    def _true_face(self, photo: ImageU8) -> list[Face]:
        """Stand in for the finder: the face is where the truth says."""
        assert self._picture is not None
        points = self._picture.points if self._picture.is_photo else FRAME_POINTS
        height, width = photo.shape[:2]
        return [Face(box=(0.0, 0.0, float(width), float(height)), points=points, score=1.0)]


class _Remembering:
    """A hole finder that keeps the coverage it gave last, so that it need not be computed twice."""

    def __init__(self, hole_finder: Callable[[ImageU8], Alpha] | None) -> None:
        self._finder = hole_finder or HoleFinder.shipped(device="cpu", threads=1)
        self.windows: tuple[Window, ...] = getattr(self._finder, "windows", (TIGHT,))
        self.seen: Alpha | None = None

    def __call__(self, crops: ImageU8) -> Alpha:
        self.seen = self._finder(crops)
        return self.seen


EXPRESSION = "expression"
"""The metric that names what a face shows; measured where its network is."""


class Measuring:
    """From an answer to its record; figures whose network is not there are null.

    Args:
        comparison: The metrics; None opens those of a frozen set that are there.
    """

    def __init__(self, comparison: Comparison | None = None, *, threads: int | None = 1) -> None:
        if comparison is None:
            asked = (*FROZEN_METRICS, EXPRESSION)
            networks = open_networks(asked, device="cpu", threads=threads, points_known=True)
            comparison = Comparison(FROZEN_METRICS, networks, holes=True)
        self._comparison = comparison
        named = comparison.networks.by_points.get(EXPRESSION)
        self._expression = named if isinstance(named, ExpressionKept) else None

    def __call__(self, answer: Answer, truth: FrozenPicture, setting: Setting) -> dict[str, Any]:
        """Compare an answer with the truth; what lay outside the photo never counts.

        Returns:
            A record as `aggregate` takes it.
        """
        compared = self._comparison(
            answer.picture, truth.face, hole=truth.hole, valid=truth.valid, points=truth.points
        ).figures
        wanted, filled = truth.hole & truth.valid, answer.filled & truth.valid
        return {
            "slice": truth.slice,
            "face_id": truth.face_id,
            "setting": setting,
            "error": None,
            "restored": answer.restored,
            "hole_iou": number(answer.hole_iou),
            "hole_reached": float(filled[wanted].mean()) if wanted.any() else None,
            "hole_extra": float((~wanted)[filled].mean()) if filled.any() else None,
            "covering_left": covering_left(answer.picture, truth),
            "figures": {name: number(compared.get(name)) for name in FIGURES},
            "traits": traits_of(truth),
            "expressions": self._expressions(answer, truth),
        }

    def _expressions(self, answer: Answer, truth: FrozenPicture) -> dict[str, str | None] | None:
        """What the source calls the face's expression, and what true, masked and restored faces show."""
        if self._expression is None:
            return None
        sides = {"truth": truth.face, "masked": truth.masked, "restored": answer.picture}
        named = self._expression.named(list(sides.values()), truth.points)
        return {"label": expression_of(truth.labels), **dict(zip(sides, named, strict=True))}


def measure(
    picture: FrozenPicture,
    setting: Setting,
    systems: Mapping[str, tuple[Answering, Restorer]],
    measuring: Measuring,
) -> dict[str, dict[str, Any]]:
    """The records of several systems on one picture, in this process, by name."""
    return {
        name: measuring(answering(picture, setting, restorer), picture, setting)
        for name, (answering, restorer) in systems.items()
    }


def covering_left(answer: ImageU8, truth: FrozenPicture) -> float | None:
    """Of the covering's pixels that clearly differ from the bare face, the part that an answer left as it was.

    Returns:
        0 to 1; None where no pixel differs clearly.
    """
    differs = _furthest(truth.masked, truth.face) > _CLEARLY
    differs &= truth.hole & truth.valid
    if not differs.any():
        return None
    return float((_furthest(answer, truth.masked) <= _UNCHANGED)[differs].mean())


def _furthest(one: ImageU8, other: ImageU8) -> ImageU8:
    """The largest difference of any channel, uint8 [H, W]."""
    return np.asarray(cv2.absdiff(one, other).max(axis=2), np.uint8)


def traits_of(picture: FrozenPicture) -> dict[str, str]:
    """What results are broken down by."""
    try:
        skin: str = skin_tone(picture.face, picture.points, picture.valid)
    except InputError:
        skin = "unknown"
    try:
        turn: str = head_turn(picture.points)
    except InputError:
        turn = "unknown"
    kind = str(picture.recipe.get("kind", "unknown"))
    return {"source": picture.source, "kind": kind, "turn": turn, "skin": skin}


def _raw(picture: FrozenPicture, restorer: Restorer) -> tuple[ImageU8, Hole]:
    """What the restorer draws in the true hole, and the pixels of it that its crop reaches."""
    masked, hole = picture.masked, picture.hole
    if not picture.is_photo:
        return composite(restorer(masked, hole), masked, hole), hole
    matrix = to_frame(picture.points)
    crop, _ = crop_to_frame(masked, matrix)
    drawn = restorer(crop, coverage_from_photo(hole, matrix) > 0)
    scale = scale_of(matrix)
    if scale > 1:  # A face smaller than the frame: blur what the photo's pixels could not show.
        drawn = cv2.GaussianBlur(drawn, (0, 0), 0.5 * math.sqrt(scale**2 - 1)).astype(np.uint8)
    height, width = masked.shape[:2]
    box = (0, 0, width, height)
    warped = warp_back(drawn, matrix, box, how=cv2.INTER_CUBIC, border=cv2.BORDER_REPLICATE)
    frame = np.ones(drawn.shape[:2], np.uint8)
    reached = hole & (warp_back(frame, matrix, box, how=cv2.INTER_NEAREST, border=cv2.BORDER_CONSTANT) > 0)
    return composite(warped.astype(np.uint8), masked, reached), reached
