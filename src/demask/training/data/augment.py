"""The one augmentation: light (gain, gamma, casts, grey) and losses (blur, resizing, noise, JPEG)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from demask.types import AnyArray, ImageU8

_LEVELS = np.arange(256, dtype=np.float32) / 255
_EXTREME = 2.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Light:
    """How much light varies; standard deviations, of the logarithm but for `lift`."""

    gamma: float
    gain: float
    mean_gain: float = 0.0  # Of the logarithm: below 0, pictures are darkened on average.
    lift: float = 0.0  # Black is raised, as haze does; in parts of full white.
    cast: float = 0.05  # Of each colour's own gain.
    grey_fraction: float = 0.1  # Fraction of pictures that lose their colour.
    extreme_fraction: float = 0.0  # Fraction whose light varies 2.5 times as much.


@dataclass(frozen=True, kw_only=True, slots=True)
class Degradation:
    """How often and how much detail is lost; one of blur, motion and resizing at most."""

    blur_fraction: float = 0.0
    motion_fraction: float = 0.0
    resize_fraction: float = 0.0
    resize_scale: tuple[float, float] = (0.45, 0.9)
    noise_fraction: float = 0.0
    noise_levels: tuple[float, float] = (1.0, 9.0)  # Standard deviation, in grey levels.
    jpeg_fraction: float = 0.0
    jpeg_quality: tuple[int, int] = (30, 95)


FACES_LIGHT = Light(gamma=0.12, gain=0.12, cast=0.04, grey_fraction=0.07)
FACES_DEGRADATION = Degradation(
    resize_fraction=0.6, resize_scale=(0.35, 0.9), noise_fraction=0.4, noise_levels=(1.0, 7.0),
    jpeg_fraction=0.6, jpeg_quality=(35, 92),
)  # fmt: skip
"""Of aligned crops. A restorer learns to draw what it is shown, so most are left sharp (`degrade_fraction`)."""

SCENES_LIGHT = Light(gamma=0.18, gain=0.15, mean_gain=-0.03, lift=0.03, cast=0.06, extreme_fraction=0.12)
SCENES_DEGRADATION = Degradation(
    blur_fraction=0.1, motion_fraction=0.05, resize_fraction=0.1, noise_fraction=0.2, jpeg_fraction=0.4
)
"""Of whole scenes: the finder meets dark, flat, moved and out-of-focus photographs."""


def vary_light(photo: ImageU8, rng: np.random.Generator, light: Light) -> ImageU8:
    """Change gain, gamma, contrast and colour through one table.

    Args:
        photo: uint8 RGB [H, W, 3].
        rng: Where the changes come from.
        light: How large they are.
    """
    strength = _EXTREME if light.extreme_fraction and rng.random() < light.extreme_fraction else 1.0
    gamma = np.exp(rng.normal(0, light.gamma * strength))
    gain = np.exp(rng.normal(light.mean_gain * strength, light.gain * strength))
    lift = abs(rng.normal(0, light.lift * strength)) if light.lift else 0.0
    cast = np.exp(rng.normal(0, light.cast, 3))
    curve = lift + (1 - lift) * np.power(_LEVELS[:, None], gamma) * gain * cast
    table = np.clip(255 * curve, 0, 255).astype(np.uint8).reshape(1, 256, 3)
    out = cv2.LUT(photo, table)
    if rng.random() < light.grey_fraction:
        grey = cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)
        out = cv2.merge([grey, grey, grey])
    return np.asarray(out, dtype=np.uint8)


def degrade(photo: ImageU8, rng: np.random.Generator, losses: Degradation) -> ImageU8:
    """Lose detail as photographs do: out of focus or moved, scaled down and up, noisy, compressed.

    Args:
        photo: uint8 RGB [H, W, 3].
        rng: What is lost, and how much.
        losses: How often, and within which bounds.
    """
    height, width = photo.shape[:2]
    out: AnyArray = photo
    choice = rng.random()
    moved = losses.blur_fraction + losses.motion_fraction
    if choice < losses.blur_fraction:
        out = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.5, 1.6)))
    elif choice < moved:
        length = int(rng.integers(2, 6))
        kernel = np.eye(length, dtype=np.float32) if rng.random() < 0.3 else np.ones((1, length), np.float32)
        out = cv2.filter2D(out, -1, kernel / kernel.sum())
    elif choice < moved + losses.resize_fraction:
        scale = float(rng.uniform(*losses.resize_scale))
        small = cv2.resize(out, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        out = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < losses.noise_fraction:
        # One field for all colours is enough: random numbers cost more than the addition.
        noise = rng.standard_normal((height, width, 1), dtype=np.float32) * rng.uniform(*losses.noise_levels)
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    if rng.random() < losses.jpeg_fraction:
        out = compressed(np.asarray(out, np.uint8), quality=int(rng.integers(*losses.jpeg_quality)))
    return np.ascontiguousarray(out, dtype=np.uint8)


def compressed(photo: ImageU8, *, quality: int) -> ImageU8:
    """A picture as JPEG gives it back, uint8 RGB [H, W, 3]."""
    bgr = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
