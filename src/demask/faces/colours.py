"""Which pixels belong to a covering, by the colours of the photograph itself."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from demask.types import Alpha, Hole, ImageU8

SURE, BARE = 0.9, 0.05
"""Pixels covered above the one and below the other show what colours covering and surroundings have."""

NEAR_PX = 40
"""How far from the covering the surroundings reach; beyond, nothing is changed."""

MIN_PIXELS = 300
"""With fewer pixels of either side, their colours tell nothing."""

BITS = 5
"""Colours are counted in 2**BITS steps a channel."""

_THIN_PX = 15  # Parts thinner than this are straps and edges,
_FEW_THIN = 60  # and tell a colour of their own from so many pixels on.
_DOUBT = 0.02  # The network is never believed to be surer than this.
_MOST_FOR, _MOST_AGAINST = 5.0, 4.0  # Of the logarithm of the colours' odds.
_EVEN = 0.02  # Fraction of all pixels spread evenly over the commoner colours, so that no colour is impossible.


def by_colour(coverage: Alpha, crop: ImageU8, valid: Hole, *, weight: float) -> Alpha:
    """Correct a coverage by the colours of what is surely covered and of what surely is not.

    A pixel that has the covering's colour rather than its surroundings' becomes more covered, and the
    other way round; what the network is sure of hardly changes. The colours of both sides are smoothed
    histograms of this very picture, as Boykov and Jolly 2001 make them from a user's strokes (Interactive
    Graph Cuts, ICCV; summed up in section 2.1 of Rother et al. 2004, GrabCut). Coverage and colours are put
    together by Bayes' rule, the colours with less weight, since those of neighbouring pixels are no
    independent witnesses.

    Args:
        coverage: The network's answer, float32 [H, W] in [0, 1].
        crop: uint8 RGB [H, W, 3].
        valid: Where the photo was, bool [H, W]; other pixels are no witnesses.
        weight: How much the colours count; 0 changes nothing, 1 is Bayes' rule.

    Returns:
        float32 [H, W] in [0, 1]; the coverage itself where one side is too small to tell its colours.
    """
    covered = (coverage > 0.5).astype(np.uint8)
    if weight == 0 or not covered.any():
        return coverage
    near = cv2.distanceTransform(1 - covered, cv2.DIST_L2, 3) <= NEAR_PX
    sure, bare = (coverage > SURE) & valid, (coverage < BARE) & valid & near
    if min(sure.sum(), bare.sum()) < MIN_PIXELS:
        return coverage
    colours = _colours(crop)
    even = _EVEN / (1 << 2 * BITS)
    of_covering = _histogram(colours[sure])
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_THIN_PX, _THIN_PX))
    thin = sure & (cv2.morphologyEx(covered, cv2.MORPH_OPEN, disc) == 0)
    if thin.sum() >= _FEW_THIN:  # Straps are few pixels, often of another colour: they count as much.
        of_covering = np.float32(0.5) * (of_covering + _histogram(colours[thin]))
    ratio = np.log((of_covering + even) / (_histogram(colours[bare]) + even))[colours]
    ratio = cv2.GaussianBlur(np.clip(ratio, -_MOST_AGAINST, _MOST_FOR), (0, 0), 0.7)
    before = _DOUBT + (1 - 2 * _DOUBT) * coverage
    odds = before / (1 - before) * np.exp(np.float32(weight) * ratio)
    after = np.clip((odds / (1 + odds) - _DOUBT) / (1 - 2 * _DOUBT), 0, 1)
    corrected: Alpha = np.where(near, after, coverage).astype(np.float32)
    return corrected


def _colours(crop: ImageU8) -> npt.NDArray[np.int32]:
    """The number of each pixel's colour, int32 [H, W]: Lab, twice as fine in the chroma, which spans less."""
    lab = cv2.cvtColor(crop, cv2.COLOR_RGB2LAB).astype(np.int32)
    lab[..., 1:] = np.clip(2 * lab[..., 1:] - 128, 0, 255)
    steps = lab >> (8 - BITS)
    return np.asarray((steps[..., 0] << 2 * BITS) + (steps[..., 1] << BITS) + steps[..., 2], np.int32)


def _histogram(colours: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """The fraction of pixels of each colour, float32 [2 ** (3 * BITS)], smoothed along all three axes."""
    steps = 1 << BITS
    shares = np.bincount(colours, minlength=steps**3).astype(np.float32) / np.float32(len(colours))
    for _ in range(3):  # Blur the last axis, then bring the next one to its place.
        rows = cv2.GaussianBlur(shares.reshape(steps**2, steps), (5, 1), sigmaX=0.8)
        shares = np.ascontiguousarray(np.moveaxis(rows.reshape(steps, steps, steps), 2, 0))
    return np.asarray(shares.ravel(), np.float32)
