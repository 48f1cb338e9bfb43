"""What to add to a restored crop so that its colours meet the photo's at the edge of the hole.

All work happens in the canonical frame at half resolution, so the cost does not grow with the photo.
The spreading inwards is normalised convolution (Knutsson and Westin, CVPR 1993) from coarse to fine,
a cheap stand-in for the membrane of Pérez et al. (Poisson Image Editing, SIGGRAPH 2003, sec. 2): near
the edge the local difference counts, deeper only what most of the edge agrees on.
"""

from __future__ import annotations

import cv2
import numpy as np

from demask.types import AnyArray, Floats32, Hole

_RING = 5.0  # Width of the band outside the hole that is compared, in pixels of the grid.
_BAND = 2.0  # Width of the four bands beside the edge that a step is told from, likewise.
_LEVELS = 4  # Each level reaches twice as far as the one below it.
_REACH = 3.0  # Sigma of the blur of each level, in pixels of that level.
_WEIGHT_FLOOR = 0.04  # Weight below which a level leaves the decision to the coarser one.
_MIN_PIXELS = 24  # Fewer known pixels than this tell nothing.
_MAX_SHIFT = 40.0  # Larger shifts than this would be an error of ours, not of tone.
_STEP_NOISE = 1.5  # Steps below this are the face's own shading.
_CALM = 6.0  # A slope beside the edge up to about this is skin.


def tone_field(photo: Floats32, restored: Floats32, hole: Hole, known: Hole) -> Floats32:
    """Estimate the shift that takes the restored crop's tone to the photo's.

    Two things are measured. Where both are known, in a band just outside the hole, their plain
    difference. And, because a network may copy what it was shown and err only inside, the step that
    remains across the edge: the difference of the two nearest bands, less the slope that the bands
    behind them show. Both are taken robustly, since the band also runs through hair and background.

    Args:
        photo: The aligned crop of the photo, [N, N, 3] in [0, 255].
        restored: The prediction in the same frame.
        hole: Covered pixels, bool [N, N].
        known: Pixels where `photo` can be trusted, bool [N, N], disjoint from `hole`.

    Returns:
        float32 [N, N, 3] to be added to `restored`; zero where nothing can be told.
    """
    outside = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 3)
    inside = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3)
    ring = known & (outside <= _RING)
    everywhere = np.ones(hole.shape, np.float32)
    # Right at the edge a seam is worse than a smear: there every pixel counts a little.
    field = _spread(photo - restored, ring, everywhere, tolerance=2.0, least_trust=0.5)
    step, edge, trust = _step(photo, restored + field, known, outside, inside)
    field = field + _spread(step, edge, trust, tolerance=1.0, least_trust=0.0)
    return np.clip(field, -_MAX_SHIFT, _MAX_SHIFT).astype(np.float32)


def monochrome(photo: Floats32, restored: Floats32, known: Hole) -> Floats32:
    """Give the restored crop the one tint of a grey or toned photo; colour photos leave it as it is.

    A photo counts as monochrome where its chroma is a function of its brightness: a parabola fits it.

    Args:
        photo: The aligned crop, [N, N, 3] in [0, 255].
        restored: Prediction, [M, M, 3].
        known: Pixels of `photo` to judge by, bool [N, N].

    Returns:
        [M, M, 3]; with three equal channels if the photo is grey.
    """
    around = photo[::2, ::2][known[::2, ::2]]
    if len(around) < _MIN_PIXELS:
        return restored
    if float(np.ptp(around, axis=1).mean()) < 1.5:
        grey = restored @ np.array([0.299, 0.587, 0.114], np.float32)
        return np.repeat(grey[..., None], 3, axis=2)
    brightness, chroma = _split(around)
    powers = np.vander(brightness / 255, 3)
    fit = np.linalg.lstsq(powers, chroma, rcond=None)[0]
    if float(np.sqrt(((powers @ fit - chroma) ** 2).mean(0)).max()) > 2.0:
        return restored
    brightness, _ = _split(restored)
    tint = np.vander(brightness.ravel() / 255, 3) @ fit
    green = brightness.ravel() - 0.299 * tint[:, 0] - 0.114 * tint[:, 1]
    toned = np.stack([green + tint[:, 0], green, green + tint[:, 1]], axis=1)
    return toned.reshape(restored.shape).astype(np.float32)


def _split(pixels: Floats32) -> tuple[Floats32, Floats32]:
    """Brightness [...] and the chroma (R - G, B - G) [..., 2]."""
    brightness = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    return brightness, pixels[..., [0, 2]] - pixels[..., [1]]


def _spread(
    difference: Floats32, where: Hole, trust: Floats32, *, tolerance: float, least_trust: float
) -> Floats32:
    """Carry a difference known at `where` to the whole grid.

    Args:
        difference: [N, N, 3].
        where: Pixels where it is known, bool [N, N].
        trust: How much to believe each of them, [N, N] in [0, 1].
        tolerance: How far from the common value is still believed, as a multiple of the usual distance.
        least_trust: What any of them counts right at the edge.
    """
    if int(where.sum()) < _MIN_PIXELS:
        return np.zeros_like(difference)
    # What most of the pixels that can be trusted agree on.
    trusted = where & (trust > 0.5)
    if int(trusted.sum()) < _MIN_PIXELS:
        trusted = where
    middle = np.median(difference[trusted], axis=0).astype(np.float32)
    usual = float(np.median(np.abs(difference[trusted] - middle).max(axis=1)))
    deviation = np.abs(difference[where] - middle).max(axis=1)
    # A common value far below the scatter around it says nothing.
    common = middle * middle**2 / (middle**2 + (1.4 * usual) ** 2 + 1e-6)
    # Cauchy weights: what differs from the many (hair, background) counts little.
    weight = np.zeros(where.shape, np.float32)
    weight[where] = trust[where] / (1 + (deviation / (tolerance * usual + 3.0)) ** 2)
    clipped = np.clip(difference, middle - _MAX_SHIFT, middle + _MAX_SHIFT)
    levels = [np.dstack([clipped * weight[..., None], weight])]
    for _ in range(_LEVELS - 1):
        half = (levels[-1].shape[1] // 2, levels[-1].shape[0] // 2)
        levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
    weight = np.maximum(weight, least_trust * where)
    levels[0] = np.dstack([clipped * weight[..., None], weight])
    field = np.broadcast_to(common, (*levels[-1].shape[:2], 3))
    for level in reversed(levels):
        field = cv2.resize(field, level.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        blurred = cv2.GaussianBlur(level, (0, 0), _REACH, borderType=cv2.BORDER_CONSTANT)
        field = (blurred[..., :3] + _WEIGHT_FLOOR * field) / (blurred[..., 3:] + _WEIGHT_FLOOR)
    return np.asarray(field, np.float32)


def _step(
    photo: Floats32, restored: Floats32, known: Hole, outside: AnyArray, inside: AnyArray
) -> tuple[Floats32, Hole, Floats32]:
    """The jump across the edge that shading does not explain, where it can be told, and how surely."""
    bands = [
        (photo, known & (outside > _BAND) & (outside <= 2 * _BAND)),
        (photo, known & (outside <= _BAND)),
        (restored, (inside > 0) & (inside <= _BAND)),
        (restored, (inside > _BAND) & (inside <= 2 * _BAND)),
    ]
    means, weights = zip(*(_local_mean(picture, band) for picture, band in bands), strict=True)
    far_out, near_out, near_in, far_in = means
    slope_out, slope_in = far_out - near_out, near_in - far_in
    step = (near_out - near_in) - 0.5 * (slope_out + slope_in)
    step = np.sign(step) * np.maximum(np.abs(step) - _STEP_NOISE, 0)
    edge = (inside > 0) & (inside <= _BAND) & (np.minimum.reduce(weights) > 0.05)
    # On smooth skin the slopes agree and are small; where they are not, an outline runs along the edge.
    unrest = np.maximum(np.abs(slope_out), np.abs(slope_in)).max(axis=2)
    trust = 1 / (1 + (unrest / _CALM) ** 2)
    return step.astype(np.float32), edge, trust.astype(np.float32)


def _local_mean(picture: Floats32, band: Hole) -> tuple[Floats32, Floats32]:
    """Mean of the band's pixels nearby, and how much of the band is near."""
    weight = band.astype(np.float32)
    stacked = np.dstack([picture * weight[..., None], weight]).astype(np.float32)
    blurred = cv2.GaussianBlur(stacked, (0, 0), 2.5, borderType=cv2.BORDER_CONSTANT)
    mean = blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-3)
    return mean.astype(np.float32), blurred[..., 3].astype(np.float32)
