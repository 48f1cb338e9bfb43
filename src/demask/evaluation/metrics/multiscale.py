"""MS-SSIM: structural similarity at five scales.

Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment", Asilomar
Conference on Signals, Systems and Computers 2003, eq. 7 and sec. 3.2: contrast and structure are
compared at every scale, luminance at the coarsest only, and the five means are multiplied with
published exponents. Between scales a picture is averaged over 2 x 2 pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from demask.errors import InputError
from demask.evaluation.metrics.pixels import (
    WINDOW_PX,
    require_comparable,
    similarity_terms,
    whole_windows,
)
from demask.types import Floats64, Hole, ImageU8

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weight of each scale, finest first (sec. 3.2 of the paper)."""

MIN_SIDE_PX = WINDOW_PX * 2 ** (len(EXPONENTS) - 1)
"""176 px: the coarsest scale must still hold one whole window."""


def ms_ssim(picture: ImageU8, truth: ImageU8, region: Hole | None = None) -> float:
    """MS-SSIM of two pictures, the mean over the three channels, each on its own.

    A scale's mean that is negative counts as 0, because it has no real power of a fraction; so the
    figure lies in [0, 1]. Only windows that lie whole inside the picture count.

    With a region, each scale averages the windows whose centre pixel touches it (where none of those
    is whole, the others, as `pixels.ssim` does). At the coarsest scale one window covers 176 px of the
    picture, far more than most holes: what lies around the hole is in this figure, so it may only be
    compared between fillings of the same hole.

    Args:
        picture: uint8 RGB [H, W, 3], each side at least `MIN_SIDE_PX`.
        truth: Same shape.
        region: Where to look, such as the hole: bool [H, W]. None is everywhere.

    Returns:
        A number in [0, 1], 1 for identical pictures; NaN when the region is empty.

    Raises:
        InputError: The shapes differ or a side is too short for five scales.
    """
    require_comparable(picture, truth, region)
    height, width = picture.shape[:2]
    if min(height, width) < MIN_SIDE_PX:
        raise InputError(
            f"MS-SSIM needs {MIN_SIDE_PX} px a side for its {len(EXPONENTS)} scales, got {width}x{height} px"
        )
    if region is not None and not region.any():
        return float("nan")
    touched = np.ones((height, width)) if region is None else region.astype(np.float64)
    centres = []
    for _ in EXPONENTS:
        centres.append(_centres(touched > 0))
        touched = _halved(touched)
    channels = [_of_channel(picture[:, :, index], truth[:, :, index], centres) for index in range(3)]
    return float(np.mean(channels))


def _of_channel(x: npt.NDArray[np.uint8], y: npt.NDArray[np.uint8], centres: list[Hole]) -> float:
    """MS-SSIM of one channel [H, W], each scale averaged over its own centres."""
    fine_x, fine_y = x.astype(np.float64), y.astype(np.float64)
    product = 1.0
    for scale, exponent in enumerate(EXPONENTS):
        luminance, structure = similarity_terms(fine_x, fine_y)
        term = luminance * structure if scale == len(EXPONENTS) - 1 else structure
        product *= max(float(term[centres[scale]].mean()), 0.0) ** exponent
        fine_x, fine_y = _halved(fine_x), _halved(fine_y)
    return product


def _centres(wanted: Hole) -> Hole:
    """The wanted pixels whose windows are whole; all wanted ones where none is."""
    whole = wanted & whole_windows(np.ones_like(wanted))
    return whole if whole.any() else wanted


def _halved(plane: Floats64) -> Floats64:
    """Average over 2 x 2 pixels; an odd last row or column is repeated, as in the authors' own code."""
    height, width = plane.shape
    if height % 2 or width % 2:
        bordered = cv2.copyMakeBorder(plane, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        plane = np.asarray(bordered, np.float64)
    halved: Floats64 = (plane[::2, ::2] + plane[1::2, ::2] + plane[::2, 1::2] + plane[1::2, 1::2]) / 4
    return halved
