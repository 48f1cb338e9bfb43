"""A head's own frame from 468 landmarks (axes, size, a smooth face surface); a photographed head turned."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from demask.errors import InputError
from demask.types import AnyArray, Floats64, ImageU8, Landmarks

_CENTRE = np.array([0.0, -0.3, -0.45])  # Middle of the head in its frame.
_STILL = (0.8, 1.6)  # From the first radius the turn fades, from the second nothing moves.
_HEAD = (0.75, 0.95)  # Half axes of radius 1, in face widths.


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


MAX_YAW_DEG, MAX_PITCH_DEG = 45.0, 25.0
"""Beyond these the far cheek would be torn out of nothing."""
_HEIGHT, _DOME = 0.55, (0.42, 0.62)  # How far the face stands before that middle; the dome's half axes.
_GRID_PX, _ROUNDS = 4, 24


@dataclass(frozen=True, slots=True)
class Turn:
    """One head's turn, for its photograph and everything measured on it."""

    frame: HeadFrame
    yaw_deg: float
    pitch_deg: float

    @classmethod
    def of(cls, landmarks: Landmarks, *, yaw_deg: float, pitch_deg: float) -> Turn:
        """Plan a turn.

        Args:
            landmarks: FaceMesh points in pixels of the photograph, [468, 3].
            yaw_deg: To the right in the picture, held within MAX_YAW_DEG.
            pitch_deg: Downwards, held within MAX_PITCH_DEG.

        Raises:
            InputError: The landmarks cannot be used.
        """
        yaw = float(np.clip(yaw_deg, -MAX_YAW_DEG, MAX_YAW_DEG))
        pitch = float(np.clip(pitch_deg, -MAX_PITCH_DEG, MAX_PITCH_DEG))
        return cls(head_frame(landmarks), yaw, pitch)

    def moved(self, points: AnyArray) -> Floats64:
        """Where points of the photograph go, float [..., 2] in pixels."""
        at = np.asarray(points, np.float64)
        return at + self._shift(at)

    def landmarks(self, landmarks: Landmarks) -> Landmarks:
        """The landmarks after the turn, float32 [468, 3]."""
        centre = self.frame.to_picture(_CENTRE)
        yaw, pitch = np.deg2rad([self.yaw_deg, self.pitch_deg])
        x, y, near = (np.asarray(landmarks, np.float64) - centre).T * [[1], [1], [-1]]
        near = -x * np.sin(yaw) + near * np.cos(yaw)
        near = -y * np.sin(pitch) + near * np.cos(pitch)
        return np.column_stack([self.moved(landmarks[:, :2]), centre[2] - near]).astype(np.float32)

    def picture(self, photo: ImageU8, *, border: int = cv2.BORDER_REPLICATE) -> ImageU8:
        """The photograph after the turn, uint8 [H, W, ...] as it came in."""
        height, width = photo.shape[:2]
        rows, columns = (-(-length // _GRID_PX) + 1 for length in (height, width))
        x, y = np.meshgrid(np.arange(columns) * float(_GRID_PX), np.arange(rows) * float(_GRID_PX))
        target = np.stack([x, y], -1)
        # The shift is known at the source: solve source + shift(source) = target by fixed-point steps.
        source = target
        for _ in range(_ROUNDS):
            source = 0.5 * source + 0.5 * (target - self._shift(source))
        # Grid nodes lie on pixel centres 0, 4, 8 ...; an affine warp interpolates between them.
        enlarge = np.array([[1 / _GRID_PX, 0, 0], [0, 1 / _GRID_PX, 0]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        fine = cv2.warpAffine(source.astype(np.float32), enlarge, (width, height), flags=flags)
        map_x, map_y = cv2.split(fine)
        return np.asarray(cv2.remap(photo, map_x, map_y, cv2.INTER_LINEAR, borderMode=border), np.uint8)

    def _shift(self, at: Floats64) -> Floats64:
        """How far the turn moves what is seen at these places, [..., 2] in pixels."""
        frame = self.frame
        down = frame.axes[1, :2] / max(1e-6, float(np.linalg.norm(frame.axes[1, :2])))
        upright = np.array([[down[1], -down[0]], [down[0], down[1]]])  # Rows: right and down along the head.
        local = (at - frame.to_picture(_CENTRE)[:2]) @ upright.T / frame.width_px
        x, y = local[..., 0], local[..., 1]
        near = _HEIGHT * np.exp(-((x / _DOME[0]) ** 2) - (y / _DOME[1]) ** 2)
        radius = np.hypot(x / _HEAD[0], y / _HEAD[1])
        fade = np.clip((_STILL[1] - radius) / (_STILL[1] - _STILL[0]), 0, 1)
        fade = fade * fade * (3 - 2 * fade)
        yaw, pitch = np.deg2rad([self.yaw_deg, self.pitch_deg])
        shift = np.stack([
            x * (np.cos(yaw) - 1) + near * np.sin(yaw), y * (np.cos(pitch) - 1) + near * np.sin(pitch)
        ], -1)  # fmt: skip
        moved: Floats64 = (shift * fade[..., None]) @ upright * frame.width_px
        return moved


def _basis(x: Floats64, y: Floats64) -> Floats64:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y, x * x * y, y**3, x**4], axis=-1)
