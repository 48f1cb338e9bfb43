"""One picture against the truth: every figure that is asked for, whole and in the hole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from demask.errors import DemaskError
from demask.evaluation.metrics.metric_catalogue import columns
from demask.evaluation.metrics.multiscale import MIN_SIDE_PX as MS_SSIM_PX
from demask.evaluation.metrics.multiscale import ms_ssim
from demask.evaluation.metrics.networks import Networks
from demask.evaluation.metrics.pixels import mse, psnr, ssim
from demask.types import Hole, ImageU8, Points

FROZEN_METRICS = ("mse", "psnr", "ssim", "lpips", "identity", "landmarks")
"""What is measured on a frozen set."""

FIGURES = (
    "hole_psnr", "hole_mse", "hole_ssim", "hole_lpips",
    "psnr", "mse", "ssim", "lpips", "identity", "landmarks",
)  # fmt: skip
"""The figures that they give, in the order of the tables."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """The figures of one picture.

    Attributes:
        figures: By column; NaN where the picture has none.
        reasons: Why a figure is NaN, by column.
    """

    figures: dict[str, float]
    reasons: dict[str, str]


class Comparison:
    """Compare pictures with their truth.

    Args:
        metrics: Names of `METRICS`; those that `networks` lacks are left out.
        networks: What needs weights.
        holes: Whether there are holes, so that figures in the hole are taken.
    """

    def __init__(self, metrics: Sequence[str], networks: Networks, *, holes: bool) -> None:
        self.metrics = [name for name in metrics if name not in networks.missing]
        self.columns = columns(self.metrics, holes=holes)
        self.networks = networks

    def __call__(
        self,
        picture: ImageU8,
        truth: ImageU8,
        *,
        hole: Hole | None = None,
        valid: Hole | None = None,
        points: Points | None = None,
    ) -> Compared:
        """Every figure of `columns`; what one metric cannot do costs no other.

        What lies outside the photo never counts: it is black in both pictures before a network sees them.
        In the hole, a metric that looks far beyond it sees the truth around it, so that only the filling can
        differ.

        Args:
            picture: uint8 RGB [H, W, 3].
            truth: Same shape.
            hole: Where figures in the hole look, bool [H, W]; None has none.
            valid: Pixels that were inside the photo, bool [H, W]; None = all.
            points: The truth's five points, float [5, 2]; without them there is no identity, no landmark error.
        """
        if valid is not None and not valid.all():
            picture, truth = (np.where(valid[:, :, None], side, np.uint8(0)) for side in (picture, truth))
        inside = hole if hole is None or valid is None else hole & valid
        formulas = self._of_whole(picture, truth, valid, points)
        if inside is not None and inside.any():
            formulas |= self._of_hole(picture, truth, inside, valid)
        figures, reasons = {}, {}
        for column in self.columns:
            reason = ""
            if column in formulas:
                figures[column], reason = _taken(formulas[column])
            else:
                figures[column] = float("nan")
                reason = _why_none(column, inside)
            if reason:
                reasons[column] = reason
        return Compared(figures=figures, reasons=reasons)

    def _of_whole(
        self, picture: ImageU8, truth: ImageU8, valid: Hole | None, points: Points | None
    ) -> dict[str, Callable[[], float]]:
        formulas: dict[str, Callable[[], float]] = {
            "mse": partial(mse, picture, truth, valid),
            "psnr": partial(psnr, picture, truth, valid),
            "ssim": partial(ssim, picture, truth, valid=valid),
        }
        if min(truth.shape[:2]) >= MS_SSIM_PX:
            formulas["ms_ssim"] = partial(ms_ssim, picture, truth)
        for name, distance in self.networks.distances.items():
            formulas[name] = partial(distance, picture, truth)
        if points is not None:
            for name, compare in self.networks.by_points.items():
                formulas[name] = partial(compare, picture, truth, points)
        return formulas

    def _of_hole(
        self, picture: ImageU8, truth: ImageU8, inside: Hole, valid: Hole | None
    ) -> dict[str, Callable[[], float]]:
        filled = np.where(inside[:, :, None], picture, truth)
        formulas: dict[str, Callable[[], float]] = {
            "hole_mse": partial(mse, picture, truth, inside),
            "hole_psnr": partial(psnr, picture, truth, inside),
            "hole_ssim": partial(ssim, picture, truth, inside, valid=valid),
        }
        if min(truth.shape[:2]) >= MS_SSIM_PX:
            formulas["hole_ms_ssim"] = partial(ms_ssim, filled, truth, inside)
        for name, distance in self.networks.distances.items():
            formulas[f"hole_{name}"] = partial(distance, filled, truth)
        return formulas


def _why_none(column: str, inside: Hole | None) -> str:
    """Why a picture has no such figure."""
    if column.startswith("hole_"):
        if inside is None:
            return "no hole of that name"
        if not inside.any():
            return "the hole is empty"
    if column.endswith("ms_ssim"):
        return f"smaller than {MS_SSIM_PX} px a side"
    return "no face found in the truth"


def _taken(formula: Callable[[], float]) -> tuple[float, str]:
    """A figure, or NaN and why."""
    try:
        value = formula()
    except DemaskError as error:
        return float("nan"), " ".join(str(error).split())
    return (value, "") if np.isfinite(value) else (float("nan"), "not a finite number")
