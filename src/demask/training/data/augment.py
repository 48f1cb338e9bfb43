"""Light and losses of training scenes: gain, gamma, casts, grey, blur, resizing, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from demask.types import AnyArray, ImageU8

_LEVELS = np.arange(256, dtype=np.float32) / 255


def vary_light(photo: ImageU8, rng: np.random.Generator) -> ImageU8:
    """Change gain, gamma, contrast and colour through one table; one picture in ten turns grey.

    Args:
        photo: uint8 RGB [H, W, 3].
        rng: Where the changes come from.
    """
    # One in eight is really dark or flat; the others vary as cameras do.
    strength = 2.5 if rng.random() < 0.12 else 1.0
    gamma, gain = (
        np.exp(rng.normal(0, 0.18 * strength)),
        np.exp(rng.normal(-0.03 * strength, 0.15 * strength)),
    )
    lift = abs(rng.normal(0, 0.03 * strength))
    cast = np.exp(rng.normal(0, 0.06, 3))
    curve = lift + (1 - lift) * np.power(_LEVELS[:, None], gamma) * gain * cast
    table = np.clip(255 * curve, 0, 255).astype(np.uint8).reshape(1, 256, 3)
    out = cv2.LUT(photo, table)
    if rng.random() < 0.1:
        grey = cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)
        out = cv2.merge([grey, grey, grey])
    return np.asarray(out, dtype=np.uint8)


def degrade(photo: ImageU8, rng: np.random.Generator) -> ImageU8:
    """Lose detail as photographs do: out of focus or moved, scaled down and up, noisy, compressed.

    Args:
        photo: uint8 RGB [H, W, 3].
        rng: What is lost, and how much.
    """
    height, width = photo.shape[:2]
    out: AnyArray = photo
    choice = rng.random()
    if choice < 0.1:
        out = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.5, 1.6)))
    elif choice < 0.15:
        length = int(rng.integers(2, 6))
        kernel = np.eye(length, dtype=np.float32) if rng.random() < 0.3 else np.ones((1, length), np.float32)
        out = cv2.filter2D(out, -1, kernel / kernel.sum())
    elif choice < 0.25:
        share = float(rng.uniform(0.45, 0.9))
        small = cv2.resize(out, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        out = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.2:
        noise = rng.standard_normal((height, width, 1), dtype=np.float32) * rng.uniform(1, 9)
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        _, encoded = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))])
        out = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(out, dtype=np.uint8)
