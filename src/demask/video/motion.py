"""How a face moves from frame to frame, from its texture; its place in the photo smoothed without lag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from demask.geometry import FRAME_PX, apply, invert, scale_of
from demask.types import AnyArray, Floats64, Hole, ImageU8, Matrix, Points

_MAX_CORNERS = 90
_WINDOW = (19, 19)
_LEVELS = 3
_MOST_RETURN_PX = 1.0
_TOLERANCE_PX = 1.5
_MIN_POINTS = 12
_MIN_SHARE = 0.45
_AROUND = np.ones((25, 25), np.uint8)
_MOST_BENDING = 0.25
_STAYED: Matrix = np.eye(2, 3)
_CENTRE: Points = np.array([[FRAME_PX / 2, FRAME_PX / 2]], np.float32)


def _oval() -> AnyArray:
    canvas = np.zeros((FRAME_PX, FRAME_PX), np.uint8)
    cv2.ellipse(canvas, (128, 128), (72, 100), 0, 0, 360, 255, -1)
    return canvas


_HEAD = _oval()


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


@dataclass(frozen=True, kw_only=True, slots=True)
class OneEuroSettings:
    """How much is smoothed.

    Attributes:
        min_cutoff_hz: Cut-off at rest.
        beta: By how much it rises with each unit of speed (a face's width, a radian, or a factor e, per
        second). speed_cutoff_hz: Cut-off of the speed itself.
    """

    min_cutoff_hz: float = 1.0
    beta: float = 20.0
    speed_cutoff_hz: float = 2.0


class SteadyPlace:
    """The map from photo to frame of one face, as it is followed and found.

    Args:
        matrix: Where the face was found first.
        time_s: When.
        settings: How much is smoothed.
    """

    def __init__(self, matrix: Matrix, time_s: float, settings: OneEuroSettings) -> None:
        self.matrix = matrix
        self._time_s = time_s
        self._settings = settings
        self._speed = np.zeros(4)

    def follow(self, moved: Matrix) -> None:
        """Take over a motion: `moved` maps the frame before to the frame now, both cut by the matrix before."""
        step = np.column_stack([np.linalg.inv(moved[:, :2]), np.zeros(2)])
        step[:, 2] = -step[:, :2] @ moved[:, 2]
        self.matrix = np.column_stack(
            [step[:, :2] @ self.matrix[:, :2], step[:, :2] @ self.matrix[:, 2] + step[:, 2]]
        )

    def correct(self, found: Matrix, time_s: float) -> None:
        """Bring the place nearer to where the finder sees the face."""
        dt = max(time_s - self._time_s, 1e-3)
        self._time_s = time_s
        here, there = _pose(self.matrix), _pose(found)
        off = there - here
        off[1] = (off[1] + np.pi) % (2 * np.pi) - np.pi
        off[2:] *= np.exp(here[0]) / FRAME_PX  # Shifts in faces, not in pixels.
        settings = self._settings
        # A new array: a state that was handed out must not change.
        self._speed = self._speed + _gain(settings.speed_cutoff_hz, dt) * (off / dt - self._speed)
        gain = _gain(settings.min_cutoff_hz + settings.beta * np.abs(self._speed), dt)
        off *= gain
        off[2:] *= FRAME_PX / np.exp(here[0])
        self.matrix = _matrix(here + off)

    def as_tree(self) -> list[object]:
        """For `from_tree`."""
        return [self.matrix, self._time_s, self._speed]

    @classmethod
    def from_tree(cls, tree: list[object], settings: OneEuroSettings) -> SteadyPlace:
        """The same again."""
        matrix, time_s, speed = tree
        place = cls(np.asarray(matrix), float(str(time_s)), settings)
        place._speed = np.asarray(speed)
        return place


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


def _gain(cutoff_hz: Floats64 | float, dt: float) -> Floats64:
    return np.asarray(1 / (1 + 1 / (2 * np.pi * np.asarray(cutoff_hz) * dt)))


def _pose(matrix: Matrix) -> Floats64:
    """Log scale (frame pixels for each of the photo), angle, and the frame's centre in the photo."""
    centre = apply(invert(matrix), _CENTRE)[0]
    angle = np.arctan2(matrix[1, 0], matrix[0, 0])
    return np.array([np.log(scale_of(matrix)), angle, centre[0], centre[1]])


def _matrix(pose: Floats64) -> Matrix:
    scale, (cos, sin) = np.exp(pose[0]), (np.cos(pose[1]), np.sin(pose[1]))
    linear = scale * np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, _CENTRE[0] - linear @ pose[2:]])
