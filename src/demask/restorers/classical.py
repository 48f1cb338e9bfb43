"""The inpainting methods of before learning, as OpenCV implements them; the baselines to beat.

Sources: A. Telea, "An Image Inpainting Technique Based on the Fast Marching Method", Journal of
Graphics Tools 9(1), 2004. M. Bertalmio, A. Bertozzi, G. Sapiro, "Navier-Stokes, Fluid Dynamics, and
Image and Video Inpainting", CVPR 2001.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from demask.errors import ShapeMismatch
from demask.restorers.about import About, Parameter
from demask.types import Hole, ImageU8

RADIUS_PX = 5


class ClassicalRestorer:
    """Fill the hole from its rim inwards, without any knowledge of faces.

    Args:
        flags: `cv2.INPAINT_TELEA` or `cv2.INPAINT_NS`.
        radius_px: Neighbourhood that a filled pixel is computed from.
    """

    def __init__(self, flags: int, *, radius_px: float = RADIUS_PX) -> None:
        self._flags, self._radius_px = flags, radius_px

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill one crop: uint8 RGB [H, W, 3] and bool [H, W] to uint8 RGB [H, W, 3].

        Raises:
            ShapeMismatch: `masked` and `hole` cover different pixels.
        """
        if masked.shape[:2] != hole.shape:
            raise ShapeMismatch(image=masked.shape, hole=hole.shape)
        # Channels are treated alike, so their order does not matter here.
        filled = cv2.inpaint(np.ascontiguousarray(masked), hole.astype(np.uint8), self._radius_px, self._flags)
        return filled.astype(np.uint8, copy=False)


def telea() -> ClassicalRestorer:
    """Fast marching (Telea 2004)."""
    return ClassicalRestorer(cv2.INPAINT_TELEA)


def navier_stokes() -> ClassicalRestorer:
    """Isophote transport (Bertalmio et al. 2001)."""
    return ClassicalRestorer(cv2.INPAINT_NS)


_RADIUS = Parameter(
    name="radius_px",
    ours=RADIUS_PX,
    paper=None,
    what="neighbourhood that a pixel is computed from, pixels",
)
ABOUTS = (
    About(
        name="telea",
        version=1,
        licence="Apache-2.0",
        what="Fills from the rim inwards, each pixel from a weighted mean of those already there.",
        paper=(
            "A. Telea, An Image Inpainting Technique Based on the Fast Marching Method, Journal of Graphics "
            "Tools 9(1), 2004"
        ),
        parameters=(replace(_RADIUS, paper="about the hole's thickness"),),
        departures=("OpenCV's implementation (cv2.inpaint), as it is.",),
    ),
    About(
        name="navier-stokes",
        version=1,
        licence="Apache-2.0",
        what="Carries lines of equal brightness on into the hole, as a fluid would flow.",
        paper=(
            "M. Bertalmio, A. L. Bertozzi, G. Sapiro, Navier-Stokes, Fluid Dynamics, and Image and Video "
            "Inpainting, CVPR 2001"
        ),
        parameters=(_RADIUS,),
        departures=(
            "OpenCV's implementation (cv2.inpaint), as it is: one pass from the rim inwards by fast marching, "
            "where the paper lets the flow settle over many iterations; radius_px is OpenCV's own.",
        ),
    ),
)
