"""What a restorer must beat to be worth anything: doing nothing, and the same face for everyone."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from demask.errors import ShapeMismatch, WeightsError
from demask.restorers.about import About, Parameter
from demask.types import Hole, ImageU8

MEAN_FACE = Path(__file__).with_name("mean_face.png")
FACE_ELLIPSE = (128, 132, 58, 70)
"""Centre and half axes (x, y, x, y) of what is skin on nearly every face, in pixels of the 256 px frame."""


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
    """Put the mean of the training faces into the hole, in the tone of the skin that shows.

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
        skin = _ellipse(height, width) & ~hole
        if skin.any():
            mean = mean + (masked[skin] - mean[skin]).mean(axis=0)
        restored = masked.copy()
        restored[hole] = np.rint(np.clip(mean[hole], 0, 255))
        return restored


def _require_same_pixels(masked: ImageU8, hole: Hole) -> None:
    if masked.shape[:2] != hole.shape:
        raise ShapeMismatch(image=masked.shape, hole=hole.shape)


def _ellipse(height: int, width: int) -> Hole:
    y, x = np.ogrid[0:height, 0:width]
    middle_x, middle_y, half_x, half_y = FACE_ELLIPSE
    across = (x * 256 / width - middle_x) / half_x
    down = (y * 256 / height - middle_y) / half_y
    inside: Hole = across**2 + down**2 <= 1
    return inside


ABOUTS = (
    About(
        name="nothing",
        version=1,
        licence="Apache-2.0",
        what="Returns the masked crop as it is.",
        paper="no paper; the floor of every table",
    ),
    About(
        name="mean-face",
        version=1,
        licence="research and personal use, as part of its photographs: docs/model-card.md",
        what="Puts the mean of the training faces into the hole, shifted to the tone of the bare skin.",
        paper="no paper; what a face looks like when nothing is known of it",
        parameters=(
            Parameter(
                name="FACE_ELLIPSE",
                ours=" ".join(map(str, FACE_ELLIPSE)),
                paper=None,
                what="known pixels in it set the tone: centre and half axes, pixels of the 256 px frame",
            ),
        ),
    ),
)
