"""A face's place in the photo, smoothed without lag.

The filter is the One-Euro filter (Casiez, Roussel and Vogel, CHI 2012): a low pass whose cut-off rises with
speed. Here the motion that was followed from frame to frame is taken out first, so what is smoothed is only
where the finder disagrees: a head that moves is not dragged behind, one that rests does not tremble.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demask.geometry import FRAME_PX, apply, invert, scale_of
from demask.types import Floats64, Matrix, Points

_CENTRE: Points = np.array([[FRAME_PX / 2, FRAME_PX / 2]], np.float32)


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
