"""All figures of one restored crop at once, under the names that every table uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from demask.errors import WeightsError
from demask.evaluation.metrics.perceptual import Identity, Lpips
from demask.evaluation.metrics.pixels import mse, psnr, ssim
from demask.types import Hole, ImageU8, Points
from demask.weights.sessions import open_session

FIGURES: Mapping[str, str] = {
    "psnr": "PSNR, dB",
    "mse": "MSE",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "identity": "identity",
    "hole_psnr": "PSNR in hole, dB",
    "hole_mse": "MSE in hole",
    "hole_ssim": "SSIM in hole",
    "hole_lpips": "LPIPS in hole",
}
"""Every figure of `Suite` with the heading it gets in a table."""


Opened = TypeVar("Opened")


class Suite:
    """Measure a restored picture against the truth, whole and in the hole.

    Args:
        lpips: Perceptual distance; without it its figures are NaN.
        identity: Likeness of two faces; likewise.
    """

    def __init__(self, *, lpips: Lpips | None, identity: Identity | None) -> None:
        self.lpips, self.identity = lpips, identity

    @classmethod
    def open(cls, *, threads: int | None = None) -> Suite:
        """Open both networks by their registry names.

        Args:
            threads: For onnxruntime; None uses all cores.

        Raises:
            WeightsError: A file is missing or damaged.
        """
        return cls(
            lpips=Lpips(open_session("lpips_squeeze", device="cpu", threads=threads)),
            identity=Identity(open_session("mobileface", device="cpu", threads=threads)),
        )

    @classmethod
    def of_what_is_there(cls, *, threads: int | None = None) -> Suite:
        """Open those networks whose files are there.

        Args:
            threads: For onnxruntime; None uses all cores.
        """
        return cls(
            lpips=opened(lambda: Lpips(open_session("lpips_squeeze", device="cpu", threads=threads))),
            identity=opened(lambda: Identity(open_session("mobileface", device="cpu", threads=threads))),
        )

    def __call__(
        self, picture: ImageU8, truth: ImageU8, *, hole: Hole, valid: Hole, points: Points
    ) -> dict[str, float]:
        """Return every figure of `FIGURES`.

        Invalid pixels never count: they are black in both pictures before a network sees them.
        In the hole, LPIPS sees the truth outside it, so that only the filling can differ.

        Args:
            picture: Restored (or masked) crop, uint8 RGB [H, W, 3].
            truth: The bare face, same shape.
            hole: The true hole, bool [H, W].
            valid: Pixels inside the photo, bool [H, W].
            points: The truth's five points, float [5, 2] in pixels of the crop.
        """
        picture, truth = _blacked(picture, valid), _blacked(truth, valid)
        inside, nan = hole & valid, float("nan")
        filled = np.where(inside[:, :, None], picture, truth)
        return {
            "psnr": psnr(picture, truth, valid),
            "mse": mse(picture, truth, valid),
            "ssim": ssim(picture, truth, valid=valid),
            "lpips": self.lpips(picture, truth) if self.lpips else nan,
            "identity": self.identity(picture, truth, points) if self.identity else nan,
            "hole_psnr": psnr(picture, truth, inside),
            "hole_mse": mse(picture, truth, inside),
            "hole_ssim": ssim(picture, truth, inside, valid=valid),
            "hole_lpips": self.lpips(filled, truth) if self.lpips and inside.any() else nan,
        }


def opened(open_it: Callable[[], Opened]) -> Opened | None:
    """What `open_it` gives, or None where its weights are not there."""
    try:
        return open_it()
    except WeightsError:
        return None


def _blacked(picture: ImageU8, valid: Hole) -> ImageU8:
    return np.where(valid[:, :, None], picture, np.uint8(0))
