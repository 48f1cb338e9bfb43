"""Measure restored pictures against the truth, whoever made them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from demask.errors import DemaskError, InputError, ShapeMismatch
from demask.evaluation.metrics.catalogue import CHANGED_OUTSIDE, METRICS, columns
from demask.evaluation.metrics.distributions import SetDistance, fid, kid
from demask.evaluation.metrics.features import as_crop
from demask.evaluation.metrics.multiscale import MIN_SIDE_PX as MS_SSIM_PX
from demask.evaluation.metrics.multiscale import ms_ssim
from demask.evaluation.metrics.networks import Networks
from demask.evaluation.metrics.perceptual import MIN_SIDE_PX
from demask.evaluation.metrics.pixels import mse, psnr, ssim
from demask.evaluation.pairs import Pair
from demask.photo.decode import read_photo
from demask.types import Floats32, Hole, ImageU8, Points

Figures = dict[str, float]
_Formulas = dict[str, Callable[[], float]]

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
        self.metrics = [name for name in metrics if name not in networks.missing]
        self.columns = columns(self.metrics, holes=holes, masked=masked)
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
        points, without_points = self._points(truth)
        figures, reasons = {}, {}
        for column, formula in self._formulas(restored, truth, hole, points).items():
            figures[column], reason = _taken(formula)
            if reason:
                reasons[column] = reason
        floor = {}
        if masked is not None:
            floor = {
                column: _taken(formula)[0]
                for column, formula in self._formulas(masked, truth, hole, points).items()
            }
        if masked is not None and hole is not None and not hole.all():
            figures[CHANGED_OUTSIDE] = float((restored != masked).any(axis=2)[~hole].mean())
        for column in self.columns:
            if column not in figures:
                figures[column] = float("nan")
                reasons[column] = self._why(column, pair, hole, without_points)
        self._describe({RESTORED: restored, MASKED: masked, TRUTH: truth})
        return Row(
            pair=pair,
            size=(truth.shape[1], truth.shape[0]),
            figures={column: figures[column] for column in self.columns},
            masked=floor,
            reasons=reasons,
        )

    def _formulas(
        self, picture: ImageU8, truth: ImageU8, hole: Hole | None, points: Points | None
    ) -> _Formulas:
        """What can be computed for one picture, by column."""
        formulas: _Formulas = {
            "mse": partial(mse, picture, truth),
            "psnr": partial(psnr, picture, truth),
            "ssim": partial(ssim, picture, truth),
        }
        large = min(truth.shape[:2]) >= MS_SSIM_PX
        if large:
            formulas["ms_ssim"] = partial(ms_ssim, picture, truth)
        for name, distance in self.networks.distances.items():
            formulas[name] = partial(distance, picture, truth)
        if points is not None:
            for name, compare in self.networks.by_points.items():
                formulas[name] = partial(compare, picture, truth, points)
        if hole is not None and hole.any():
            formulas["hole_mse"] = partial(mse, picture, truth, hole)
            formulas["hole_psnr"] = partial(psnr, picture, truth, hole)
            formulas["hole_ssim"] = partial(ssim, picture, truth, hole)
            # What looks far beyond the hole sees the truth there, so that only the filling can differ.
            filled = np.where(hole[:, :, None], picture, truth)
            if large:
                formulas["hole_ms_ssim"] = partial(ms_ssim, filled, truth, hole)
            for name, distance in self.networks.distances.items():
                formulas[f"hole_{name}"] = partial(distance, filled, truth)
        return {column: formula for column, formula in formulas.items() if column in self.columns}

    def _why(self, column: str, pair: Pair, hole: Hole | None, without_points: str) -> str:
        """Why a picture has no such figure."""
        if column == CHANGED_OUTSIDE or column.startswith("hole_"):
            if pair.hole is None or hole is None:
                return "no hole of that name"
            if column == CHANGED_OUTSIDE:
                return "no masked input of that name" if pair.masked is None else "the hole is everywhere"
            if not hole.any():
                return "the hole is empty"
        return f"smaller than {MS_SSIM_PX} px a side" if column.endswith("ms_ssim") else without_points

    def _points(self, truth: ImageU8) -> tuple[Points | None, str]:
        """Five points of the truth's largest face, or why there are none."""
        if self.networks.find_points is None:
            return None, ""
        points = self.networks.find_points(truth)
        return points, "" if points is not None else "no face found in the truth"

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


def _taken(formula: Callable[[], float]) -> tuple[float, str]:
    """A figure, or NaN and why: what one metric cannot do must not cost the others."""
    try:
        value = formula()
    except DemaskError as error:
        return float("nan"), " ".join(str(error).split())
    return (value, "") if np.isfinite(value) else (float("nan"), "not a finite number")
