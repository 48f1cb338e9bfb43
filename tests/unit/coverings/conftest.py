"""A drawn head: 468 points placed by hand and by formula, so that no photograph is needed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from demask.types import ImageU8, Landmarks

# (x to the right, y down, z out of the face) in face widths about the mouth; left half and middle.
_LEFT = {
    234: (-0.5, -0.42, -0.55), 93: (-0.495, -0.3, -0.52), 132: (-0.485, -0.18, -0.49),
    58: (-0.46, -0.05, -0.45), 172: (-0.42, 0.06, -0.38), 136: (-0.37, 0.15, -0.3),
    150: (-0.31, 0.21, -0.22), 149: (-0.25, 0.26, -0.17), 176: (-0.17, 0.3, -0.12),
    148: (-0.09, 0.33, -0.08), 118: (-0.22, -0.36, -0.02), 117: (-0.31, -0.36, -0.09),
    116: (-0.38, -0.38, -0.17), 127: (-0.49, -0.55, -0.5), 145: (-0.19, -0.48, -0.02),
    23: (-0.19, -0.45, -0.02),
}  # fmt: skip
_MIRROR = {
    234: 454, 93: 323, 132: 361, 58: 288, 172: 397, 136: 365, 150: 379, 149: 378,
    176: 400, 148: 377, 118: 347, 117: 346, 116: 345, 127: 356, 145: 374, 23: 253,
}  # fmt: skip
_MIDDLE = {
    152: (0, 0.34, -0.06), 10: (0, -0.95, -0.05), 6: (0, -0.52, 0.05), 197: (0, -0.45, 0.1),
    195: (0, -0.38, 0.14), 5: (0, -0.31, 0.19), 4: (0, -0.25, 0.22), 1: (0, -0.21, 0.21),
    2: (0, -0.15, 0.13), 164: (0, -0.1, 0.1), 0: (0, -0.06, 0.1), 13: (0, 0.0, 0.08),
    14: (0, 0.005, 0.08), 17: (0, 0.08, 0.08), 18: (0, 0.11, 0.05), 200: (0, 0.18, 0.03),
    199: (0, 0.24, 0.02), 175: (0, 0.3, 0.0),
}  # fmt: skip


def make_landmarks(
    *,
    yaw_deg: float = 0.0,
    roll_deg: float = 0.0,
    width_px: float = 160.0,
    mouth: tuple[float, float] = (128, 172),
) -> Landmarks:
    """The head, turned (positive: its own left cheek, the picture's right, turns away) and scaled."""
    rng = np.random.default_rng(5)
    x, y = rng.uniform(-0.45, 0.45, 468), rng.uniform(-0.9, 0.2, 468)
    head = np.stack([x, y, 0.08 - 1.9 * x**2 - 0.25 * (y + 0.2) ** 2], 1)
    for i, place in _MIDDLE.items():
        head[i] = place
    for i, (px, py, pz) in _LEFT.items():
        head[i], head[_MIRROR[i]] = (px, py, pz), (-px, py, pz)
    yaw, roll = np.deg2rad([yaw_deg, roll_deg])
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    placed = head @ (tilt @ turn).T * width_px
    placed[:, 2] *= -1  # In the picture, smaller z is nearer.
    return (placed + np.array([*mouth, 0])).astype(np.float32)


def make_face(size: int = 256, *, light: tuple[float, float] = (0.0, 0.0), grain: float = 3.0) -> ImageU8:
    """A skin-coloured picture, brighter towards `light` (x, y; 1 is a quarter more at that edge)."""
    rng = np.random.default_rng(6)
    ramp = np.linspace(-1, 1, size)
    level = 165 * (1 + 0.25 * light[0] * ramp[None, :] + 0.25 * light[1] * ramp[:, None])
    picture = level[..., None] * np.array([1.2, 0.97, 0.8]) + rng.normal(0, grain, (size, size, 1))
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.fixture
def landmarks() -> Landmarks:
    return make_landmarks()


@pytest.fixture
def face() -> ImageU8:
    return make_face()


@pytest.fixture
def head_at() -> Callable[..., Landmarks]:
    return make_landmarks


@pytest.fixture
def face_like() -> Callable[..., ImageU8]:
    return make_face
