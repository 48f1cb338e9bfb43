"""All figures of one restored crop at once, under the names that every table uses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

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


class Suite:
    """Measure a restored picture against the truth, whole and in the hole.

    Args:
        lpips: Perceptual distance.
        identity: Likeness of two faces.
    """

    def __init__(self, *, lpips: Lpips, identity: Identity) -> None:
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
        inside = hole & valid
        filled = np.where(inside[:, :, None], picture, truth)
        return {
            "psnr": psnr(picture, truth, valid),
            "mse": mse(picture, truth, valid),
            "ssim": ssim(picture, truth, valid=valid),
            "lpips": self.lpips(picture, truth),
            "identity": self.identity(picture, truth, points),
            "hole_psnr": psnr(picture, truth, inside),
            "hole_mse": mse(picture, truth, inside),
            "hole_ssim": ssim(picture, truth, inside, valid=valid),
            "hole_lpips": self.lpips(filled, truth) if inside.any() else float("nan"),
        }


def _blacked(picture: ImageU8, valid: Hole) -> ImageU8:
    return np.where(valid[:, :, None], picture, np.uint8(0))
