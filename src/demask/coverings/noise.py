"""Noise fields, made once per process from a fixed seed and cut at random places afterwards."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from demask.types import Floats32

FIELD_PX = 512


@lru_cache(maxsize=16)
def field(sigma: float, channels: int = 1) -> Floats32:
    """Gaussian noise blurred by `sigma` pixels, zero mean and unit variance: float32 [512, 512(, C)].

    Read-only: every caller shares it.
    """
    rng = np.random.default_rng([20, int(sigma * 16), channels])
    shape = (FIELD_PX, FIELD_PX) if channels == 1 else (FIELD_PX, FIELD_PX, channels)
    noise = rng.standard_normal(shape, dtype=np.float32)
    if sigma > 0:
        pad = int(4 * sigma) + 1
        wide = cv2.copyMakeBorder(noise, pad, pad, pad, pad, cv2.BORDER_WRAP)
        noise = cv2.GaussianBlur(wide, (0, 0), sigma)[pad:-pad, pad:-pad].astype(np.float32)
    noise -= noise.mean()
    noise /= noise.std()
    noise = np.ascontiguousarray(noise)
    noise.setflags(write=False)
    return noise


def cut(
    rng: np.random.Generator,
    size: tuple[int, int],
    sigma: float,
    *,
    stretch: tuple[float, float] = (1.0, 1.0),
    channels: int = 1,
) -> Floats32:
    """Cut a random piece of a noise field.

    Args:
        rng: Chooses the place.
        size: (height, width) of the result.
        sigma: Grain size in pixels before stretching.
        stretch: Factors on the grain's size, (vertical, horizontal).
        channels: 1 gives [H, W], more give [H, W, C].

    Returns:
        float32, zero mean and unit variance over the whole field; do not write into it.
    """
    height, width = size
    need_h = int(np.ceil(height / stretch[0]))
    need_w = int(np.ceil(width / stretch[1]))
    source = field(sigma, channels)
    y, x = (int(v) for v in rng.integers(0, FIELD_PX, 2))
    if need_h > FIELD_PX or need_w > FIELD_PX:
        source = np.tile(source, (-(-need_h // FIELD_PX) + 1, -(-need_w // FIELD_PX) + 1, 1)[: source.ndim])
    else:
        y, x = y % (FIELD_PX - need_h + 1), x % (FIELD_PX - need_w + 1)
    piece = source[y : y + need_h, x : x + need_w]
    if (need_h, need_w) != (height, width):
        piece = np.asarray(cv2.resize(piece, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return piece
