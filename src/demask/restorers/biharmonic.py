"""Biharmonic filling, as scikit-image implements it: the smoothest surface through the known pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from demask.errors import InputError, ShapeMismatch, UsageError
from demask.extras import install_command
from demask.restorers.about import About
from demask.types import Hole, ImageU8


class Biharmonic:
    """Solve the biharmonic equation in the hole, with the known pixels as they are.

    C. K. Chui, H. N. Mhaskar, "MRA contextual-recovery extension of smooth functions on manifolds",
    Applied and Computational Harmonic Analysis 28, 2010; discrete form of S. B. Damelin, N. S. Hoang, "On
    surface completion and image inpainting by biharmonic functions: numerical aspects", International
    Journal of Mathematics and Mathematical Sciences, 2018.

    Raises:
        UsageError: scikit-image is not installed.
    """

    def __init__(self) -> None:
        try:
            from skimage.restoration import inpaint_biharmonic
        except ImportError:
            raise UsageError(
                f"biharmonic needs scikit-image, which is not here; run: {install_command('measure')}"
            ) from None
        self._inpaint: Any = inpaint_biharmonic

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill one crop: uint8 RGB [H, W, 3] and bool [H, W] to uint8 RGB [H, W, 3].

        Raises:
            ShapeMismatch: `masked` and `hole` cover different pixels.
            InputError: No pixel is known.
        """
        if masked.shape[:2] != hole.shape:
            raise ShapeMismatch(image=masked.shape, hole=hole.shape)
        if not hole.any():
            return masked.copy()
        if hole.all():
            raise InputError("the hole covers the whole picture; biharmonic needs at least one known pixel")
        # Holes read from 1-bit pictures may store True as 255; scikit-image counts the bytes as they are.
        plain = hole.astype(np.uint8) > 0
        filled = self._inpaint(masked / 255.0, plain, channel_axis=-1)
        restored = masked.copy()
        restored[plain] = np.rint(filled[plain] * 255)
        return restored


ABOUT = About(
    name="biharmonic",
    version=1,
    what="Fills the hole with the smoothest surface that continues its rim; knows neither edges nor faces.",
    licence="Apache-2.0",
    paper=(
        "C. K. Chui, H. N. Mhaskar, MRA Contextual-Recovery Extension of Smooth Functions on Manifolds, "
        "Applied and Computational Harmonic Analysis 28, 2010; S. B. Damelin, N. S. Hoang, On Surface "
        "Completion and Image Inpainting by Biharmonic Functions: Numerical Aspects, International Journal "
        "of Mathematics and Mathematical Sciences, 2018"
    ),
    departures=(
        "As in scikit-image: the picture is mirrored at the crop's edge, and values beyond the known range of "
        "a channel are cut off.",
    ),
    extra="measure",
)
