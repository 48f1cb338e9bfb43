"""Measure restored pictures against the truth, whoever made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from demask.errors import DemaskError, InputError, ShapeMismatch
from demask.evaluation.metrics.comparison import Comparison
from demask.evaluation.metrics.distributions import SetDistance, fid, kid
from demask.evaluation.metrics.feature_networks import as_crop
from demask.evaluation.metrics.lpips_metric import MIN_SIDE_PX
from demask.evaluation.metrics.metric_catalogue import CHANGED_OUTSIDE, METRICS
from demask.evaluation.metrics.networks import Networks
from demask.evaluation.pairs import Pair
from demask.photo.decode import read_photo
from demask.types import Floats32, Hole, ImageU8

Figures = dict[str, float]

RESTORED, MASKED, TRUTH = "restored", "masked", "truth"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What was measured on one picture.

    Attributes:
        pair: The files.
        size: Width and height in pixels; None when the picture failed.
        figures: By column; NaN where the picture has none.
        masked: The same figures of the masked input; empty without one.
        reasons: Why a figure is NaN, by column.
        error: Why the picture could not be measured at all, one line.
    """

    pair: Pair
    size: tuple[int, int] | None = None
    figures: Figures = field(default_factory=dict)
    masked: Figures = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    error: str | None = None


class Scorer:
    """Measure pairs one after the other, and the set as a whole at the end; not thread-safe.

    Args:
        metrics: Names of `METRICS`; those that `networks` lacks are left out.
        networks: What needs weights.
        holes: Whether there are holes, so that figures in the hole are taken.
        masked: Whether there are masked inputs, which are then measured like the restored pictures.
        max_megapixels: Larger pictures are refused before they are decoded.
    """

    def __init__(
        self,
        metrics: Sequence[str],
        networks: Networks,
        *,
        holes: bool = False,
        masked: bool = False,
        max_megapixels: float = 100,
    ) -> None:
        self._comparison = Comparison(metrics, networks, holes=holes)
        self.metrics = self._comparison.metrics
        self.columns = [*self._comparison.columns, *([CHANGED_OUTSIDE] if holes and masked else [])]
        self.networks = networks
        self._max_megapixels = max_megapixels
        self._features: dict[str, list[Floats32]] = {RESTORED: [], MASKED: [], TRUTH: []}

    def __call__(self, pair: Pair) -> Row:
        """Measure one pair; whatever is wrong with it becomes the row's error."""
        try:
            return self._measure(pair)
        except DemaskError as error:
            return Row(pair=pair, error=" ".join(str(error).split()))
        except Exception as error:  # A picture that breaks a library costs its own row, not the run.
            return Row(pair=pair, error=f"unexpected {type(error).__name__}: {' '.join(str(error).split())}")

    def set_distances(self) -> dict[str, dict[str, SetDistance]]:
        """FID and KID, where asked for: by metric, then `restored` and `masked`, each against the truth."""
        formulas = {"fid": fid, "kid": kid}
        truth = self._features[TRUTH]
        return {
            name: {
                side: formulas[name](np.stack(self._features[side]), np.stack(truth))
                for side in (RESTORED, MASKED)
                if self._features[side]
            }
            for name in self.metrics
            if METRICS[name].of_set and truth
        }

    def _measure(self, pair: Pair) -> Row:
        truth = self._read(pair.truth)
        restored = self._read_like(pair.restored, truth, pair.truth)
        masked = None if pair.masked is None else self._read_like(pair.masked, truth, pair.truth)
        hole = None if pair.hole is None else self._read_hole(pair.hole, truth)
        points = self.networks.find_points(truth) if self.networks.find_points else None
        compared = self._comparison(restored, truth, hole=hole, points=points)
        figures, reasons = dict(compared.figures), dict(compared.reasons)
        if CHANGED_OUTSIDE in self.columns:
            figures[CHANGED_OUTSIDE], reason = _changed_outside(restored, masked, hole)
            reasons |= {CHANGED_OUTSIDE: reason} if reason else {}
        floor = {} if masked is None else self._comparison(masked, truth, hole=hole, points=points).figures
        self._describe({RESTORED: restored, MASKED: masked, TRUTH: truth})
        size = (truth.shape[1], truth.shape[0])
        return Row(pair=pair, size=size, figures=figures, masked=floor, reasons=reasons)

    def _describe(self, pictures: dict[str, ImageU8 | None]) -> None:
        """Keep the features of a measured picture for the figures of the set."""
        network = self.networks.features
        if network is None or not any(METRICS[name].of_set for name in self.metrics):
            return
        shown = {side: picture for side, picture in pictures.items() if picture is not None}
        vectors = network(np.stack([as_crop(picture) for picture in shown.values()]))
        for side, vector in zip(shown, vectors, strict=True):
            self._features[side].append(vector)

    def _read(self, path: Path) -> ImageU8:
        try:
            pixels = read_photo(path, max_megapixels=self._max_megapixels).pixels
        except DemaskError as error:
            # Errors about the content do not always know the file's name.
            raise InputError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
        height, width = pixels.shape[:2]
        if min(height, width) < MIN_SIDE_PX:
            raise InputError(f"{path} is {width}x{height} px; a picture needs {MIN_SIDE_PX} px a side")
        return pixels

    def _read_like(self, path: Path, truth: ImageU8, truth_path: Path) -> ImageU8:
        pixels = self._read(path)
        if pixels.shape != truth.shape:
            raise InputError(
                f"{path} is {pixels.shape[1]}x{pixels.shape[0]} px but {truth_path} is "
                f"{truth.shape[1]}x{truth.shape[0]} px; nothing is resized here, make both one size"
            )
        return pixels

    def _read_hole(self, path: Path, truth: ImageU8) -> Hole:
        try:
            pixels = read_photo(path, max_megapixels=self._max_megapixels).pixels
        except DemaskError as error:
            raise InputError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
        hole: Hole = np.asarray(pixels.max(axis=2) > 0)
        if hole.shape != truth.shape[:2]:
            raise InputError(f"{path}: {ShapeMismatch(image=truth.shape, hole=hole.shape)}")
        return hole


def _changed_outside(restored: ImageU8, masked: ImageU8 | None, hole: Hole | None) -> tuple[float, str]:
    """Fraction of the pixels outside the hole that restoring changed, or NaN and why there is none."""
    if hole is None:
        return float("nan"), "no hole of that name"
    if masked is None:
        return float("nan"), "no masked input of that name"
    if hole.all():
        return float("nan"), "the hole is everywhere"
    return float((restored != masked).any(axis=2)[~hole].mean()), ""
