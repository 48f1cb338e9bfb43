"""The head's own frame: axes, size and a smooth face surface, from 468 landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demask.errors import InputError
from demask.types import Floats64, Landmarks


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadFrame:
    """The head's own axes.

    Attributes:
        origin: Middle of the mouth, pixels, [3].
        axes: Rows: right, down, out of the face, as unit vectors of the picture, [3, 3].
        width_px: Face width.
        points: Landmarks in the frame, [468, 3].
        surface: Coefficients of the smooth face surface z(x, y), see `_basis`.
    """

    origin: Floats64
    axes: Floats64
    width_px: float
    points: Floats64
    surface: Floats64

    def to_picture(self, points: Floats64) -> Floats64:
        """Project points of the frame, [..., 3] to [..., 3] in pixels (z: smaller is nearer)."""
        projected: Floats64 = self.origin + self.width_px * (points @ self.axes)
        return projected

    def z_of(self, x: Floats64, y: Floats64) -> Floats64:
        """Height of the smooth face surface; held constant beyond the face."""
        z: Floats64 = _basis(np.clip(x, -0.56, 0.56), np.clip(y, -0.55, 0.36)) @ self.surface
        return z


def _basis(x: Floats64, y: Floats64) -> Floats64:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y, x * x * y, y**3, x**4], axis=-1)


def head_frame(landmarks: Landmarks) -> HeadFrame:
    """Find the head's axes and the smooth surface of its face.

    Args:
        landmarks: FaceMesh points, float [468, 3] in pixels.

    Raises:
        InputError: Wrong shape, not finite, or all in one place.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (468, 3) or not np.isfinite(points).all():
        raise InputError(f"landmarks are {points.shape}; a covering needs 468 finite FaceMesh points (x, y, z)")
    across, down = points[454] - points[234], points[152] - points[10]
    width = float(np.linalg.norm(across))
    if width < 4 or np.linalg.norm(np.cross(across, down)) < 4:
        raise InputError("the landmarks lie in one place or on one line; a face must be at least 4 px wide")
    right = across / width
    down -= right * (down @ right)
    down /= np.linalg.norm(down)
    axes = np.stack([right, down, -np.cross(right, down)])
    origin = (points[13] + points[14]) / 2
    local = (points - origin) @ axes.T / width
    low = local[:, 1] > -0.62
    surface, *_ = np.linalg.lstsq(_basis(local[low, 0], local[low, 1]), local[low, 2], rcond=None)
    return HeadFrame(origin=origin, axes=axes, width_px=width, points=local, surface=surface)


def along(points: Floats64, chain: tuple[int, ...], position: float) -> Floats64:
    """Point at a fractional position of a chain of landmarks, [3]."""
    position = min(max(position, 0.0), len(chain) - 1.0)
    i = min(int(position), len(chain) - 2)
    part: Floats64 = points[chain[i]] + (position - i) * (points[chain[i + 1]] - points[chain[i]])
    return part
