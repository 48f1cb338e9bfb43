"""How a face moved from one frame to the next, from its own texture.

Corners (Shi and Tomasi, CVPR 1994) are followed by pyramidal Lucas-Kanade (Bouguet 2000) there and back; what
does not come back to where it started is dropped, and a similarity is fitted to the rest by RANSAC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from demask.geometry import FRAME_PX
from demask.types import AnyArray, Hole, ImageU8, Matrix

_MAX_CORNERS = 90
_WINDOW = (19, 19)
_LEVELS = 3
_MOST_RETURN_PX = 1.0
_TOLERANCE_PX = 1.5
_MIN_POINTS = 12
_MIN_SHARE = 0.45
_AROUND = np.ones((25, 25), np.uint8)
_MOST_BENDING = 0.25


def _oval() -> AnyArray:
    canvas = np.zeros((FRAME_PX, FRAME_PX), np.uint8)
    cv2.ellipse(canvas, (128, 128), (72, 100), 0, 0, 360, 255, -1)
    return canvas


_HEAD = _oval()
_STAYED: Matrix = np.eye(2, 3)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Motion:
    """An affine map from one crop to another.

    Attributes:
        matrix: float64 [2, 3], in pixels of the crop.
        sure: Whether enough of the texture agrees on it; else `matrix` says that nothing moved.
    """

    matrix: Matrix
    sure: bool


def grey_of(crop: ImageU8) -> AnyArray:
    """Brightness of a crop, uint8 [256, 256]."""
    return cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)


def motion_between(before: AnyArray, now: AnyArray) -> Motion:
    """Measure the motion of a head.

    Args:
        before: Grey crop, uint8 [256, 256].
        now: The same place of the photo later.
    """
    return _measured(before, now, _HEAD, cv2.estimateAffinePartial2D)


def bending_between(before: AnyArray, now: AnyArray, where: Hole) -> Motion:
    """Measure how a covering lies differently in two crops that are both aligned: an affine map.

    A head that turns a little shears and shrinks what lies on it; its covering shows by how much.

    Args:
        before: Grey crop, uint8 [256, 256].
        now: The other.
        where: The covering in the first, bool [256, 256]; what lies close around it is looked at, too.
    """
    region = cv2.dilate(where.astype(np.uint8) * 255, _AROUND)
    motion = _measured(before, now, region, cv2.estimateAffine2D)
    off = motion.matrix[:, :2] - np.eye(2)
    if not motion.sure or float(np.abs(off).max()) > _MOST_BENDING:
        return Motion(matrix=_STAYED, sure=False)
    return motion


def _measured(before: AnyArray, now: AnyArray, region: AnyArray, fit: Callable[..., Any]) -> Motion:
    """Follow the corners of a region there and back, and fit a map to what most of them say."""
    unsure = Motion(matrix=_STAYED, sure=False)
    corners = cv2.goodFeaturesToTrack(before, _MAX_CORNERS, 0.01, 6, mask=region)
    if corners is None or len(corners) < _MIN_POINTS:
        return unsure
    there, seen = _followed(before, now, corners)
    back, seen_back = _followed(now, before, there)
    returned = np.linalg.norm((back - corners)[:, 0], axis=1) < _MOST_RETURN_PX
    good = (seen[:, 0] > 0) & (seen_back[:, 0] > 0) & returned
    if int(good.sum()) < _MIN_POINTS:
        return unsure
    matrix, inliers = fit(corners[good], there[good], method=cv2.RANSAC, ransacReprojThreshold=_TOLERANCE_PX)
    agreed = 0 if inliers is None else int(inliers.sum())
    if matrix is None or agreed < max(_MIN_POINTS, _MIN_SHARE * len(corners)):
        return unsure
    return Motion(matrix=np.asarray(matrix, np.float64), sure=True)


def _followed(before: AnyArray, now: AnyArray, corners: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Where corners went, float32 [N, 1, 2], and whether each was found, uint8 [N, 1]."""
    guess = corners.copy()
    there, seen, _ = cv2.calcOpticalFlowPyrLK(before, now, corners, guess, winSize=_WINDOW, maxLevel=_LEVELS)
    return there, seen
