"""How grainy a picture is, and grain to add where a smooth patch lies in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from demask.types import AnyArray, Floats32, Hole

# Immerkaer, Fast Noise Variance Estimation (CVIU 64(2), 1996), eq. 1: blind to planes and straight edges.
_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_KERNEL_GAIN = 6.0
# Mean of the smaller two thirds of |x| for normal x of sigma 1: 3 * (pdf(0) - pdf(q)), P(|x| < q) = 2/3.
_TRIMMED_GAIN = 0.4473
_FINE_SEEN_COARSE = 0.25  # Fraction of fine grain's variance that is left at half resolution.
_COARSE_SEEN_COARSE = 0.08  # Likewise of coarse grain as `draw` makes it: measured on noise.
_MAX_SIGMA = 10.0
_MIN_PIXELS = 24
_TILE_PX = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Grain:
    """Strength of grain at two scales, as sigma in 8-bit levels.

    Attributes:
        fine: Of the differences between neighbouring pixels.
        coarse: The same at half resolution, where correlated grain (JPEG, denoised) shows.
    """

    fine: float
    coarse: float


def measure(brightness: AnyArray, where: Hole) -> Grain | None:
    """Estimate the grain of a small picture from the pixels at `where`; None if they are too few.

    Immerkaer's mean is taken over the smaller two thirds: a third of the pixels may be texture. A median
    would bear more, but of whole numbers it is too coarse.

    Args:
        brightness: uint8 [H, W].
        where: Pixels to judge by, bool [H, W]; their 3 x 3 neighbourhoods should be alike.
    """
    sigmas = []
    level: AnyArray = brightness
    judged = where
    for _ in range(2):
        inner = cv2.erode(judged.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
        if int(inner.sum()) < _MIN_PIXELS:
            return None
        response = np.abs(cv2.filter2D(level, cv2.CV_32F, _KERNEL)[inner])
        response = np.sort(response)[: max(len(response) * 2 // 3, 1)]
        sigmas.append(float(response.mean()) / _TRIMMED_GAIN / _KERNEL_GAIN)
        half = (level.shape[1] // 2, level.shape[0] // 2)
        level = cv2.resize(level.astype(np.float32), half, interpolation=cv2.INTER_AREA)
        judged = cv2.resize(judged.astype(np.float32), half, interpolation=cv2.INTER_AREA) > 0.99
    return Grain(fine=sigmas[0], coarse=sigmas[1])


def missing(around: Grain, pasted: Grain) -> Grain:
    """Grain to draw so that what is pasted shows as much as what lies around it."""
    fine = max(around.fine**2 - pasted.fine**2, 0.0)
    coarse = max(around.coarse**2 - pasted.coarse**2 - _FINE_SEEN_COARSE * fine, 0.0)
    return Grain(fine=min(fine**0.5, _MAX_SIGMA), coarse=min((coarse / _COARSE_SEEN_COARSE) ** 0.5, _MAX_SIGMA))


def draw(grain: Grain, shape: tuple[int, int], rng: np.random.Generator) -> Floats32:
    """Draw normal grain of a strength, float32 `shape`; large pictures repeat a tile of 1024 px."""
    height, width = min(shape[0], _TILE_PX), min(shape[1], _TILE_PX)
    tile = np.zeros((height, width), np.float32)
    if grain.fine > 0.05:
        tile += grain.fine * rng.standard_normal((height, width), np.float32)
    if grain.coarse > 0.05:
        half = rng.standard_normal((height // 2 + 1, width // 2 + 1), np.float32)
        tile += grain.coarse * cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR)
    repeats = -(-shape[0] // height), -(-shape[1] // width)
    return tile if repeats == (1, 1) else np.tile(tile, repeats)[: shape[0], : shape[1]]
