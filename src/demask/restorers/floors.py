"""What a restorer must beat to be worth anything: doing nothing, and the same face for everyone."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from demask.errors import ShapeMismatch, WeightsError
from demask.restorers.about import About, Parameter
from demask.types import Hole, ImageU8

MEAN_FACE = Path(__file__).with_name("mean_face.png")
TONE_RING_PX = 24
"""How far from the hole a known pixel may lie to have a say in the mean face's tone; of a 256 px crop."""


class Nothing:
    """Leave the covering where it is: the masked picture itself."""

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Return a copy of uint8 RGB [H, W, 3]; the one restorer for which the hole's content matters.

        Raises:
            ShapeMismatch: `masked` and `hole` cover different pixels.
        """
        _require_same_pixels(masked, hole)
        return masked.copy()


class MeanFace:
    """Put the mean of the training faces into the hole, in the tone of the skin beside it.

    Args:
        path: The mean face, any picture that OpenCV reads; it is scaled to the crop.

    Raises:
        WeightsError: The file is missing or damaged.
    """

    def __init__(self, path: Path = MEAN_FACE) -> None:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        if picture is None:
            raise WeightsError(
                f"{path} is missing or no picture; install demask again, or make the file with "
                "`python -m demask.dataset.mean_face`"
            )
        self._picture = picture.astype(np.float32)

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill one crop: uint8 RGB [H, W, 3] and bool [H, W] to uint8 RGB [H, W, 3].

        Raises:
            ShapeMismatch: `masked` and `hole` cover different pixels.
        """
        _require_same_pixels(masked, hole)
        height, width = hole.shape
        mean = cv2.resize(self._picture, (width, height), interpolation=cv2.INTER_CUBIC)
        near = _ring(hole, TONE_RING_PX * max(height, width) / 256)
        if near.any():
            mean = mean + (masked[near] - mean[near]).mean(axis=0)
        restored = masked.copy()
        restored[hole] = np.rint(np.clip(mean[hole], 0, 255))
        return restored


def _require_same_pixels(masked: ImageU8, hole: Hole) -> None:
    if masked.shape[:2] != hole.shape:
        raise ShapeMismatch(image=masked.shape, hole=hole.shape)


def _ring(hole: Hole, reach_px: float) -> Hole:
    """Known pixels at most `reach_px` from the hole."""
    known = (~hole).astype(np.uint8)
    ring: Hole = (known > 0) & (cv2.distanceTransform(known, cv2.DIST_L2, 5) <= reach_px)
    return ring


ABOUTS = (
    About(
        name="nothing",
        version=1,
        what="Returns the masked crop as it is.",
        paper="no paper; the floor of every table",
    ),
    About(
        name="mean-face",
        version=1,
        what="Puts the mean of the training faces into the hole, shifted to the mean tone beside the hole.",
        paper="no paper; what a face looks like when nothing is known of it",
        parameters=(
            Parameter(
                name="TONE_RING_PX",
                ours=TONE_RING_PX,
                paper=None,
                what="known pixels this near the hole set the tone, pixels of a 256 px crop",
            ),
        ),
    ),
)
