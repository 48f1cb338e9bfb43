"""Holes as a segmenter finds them: widened, wavering, with parts missed."""

from __future__ import annotations

import cv2
import numpy as np

from demask.types import Hole


def widen(hole: Hole, rng: np.random.Generator, widen_px: tuple[int, int]) -> Hole:
    """Imitate a found hole: widened by a few pixels, half the time with an outline that wavers.

    Args:
        hole: bool [H, W].
        rng: Where the width and the waver come from.
        widen_px: Smallest and largest widening, in pixels.
    """
    radius = int(rng.integers(widen_px[0], widen_px[1] + 1))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    wide = cv2.dilate(hole.astype(np.uint8), kernel)
    if rng.random() < 0.5:
        height, width = hole.shape
        coarse = rng.normal(0, 1, (height // 16, width // 16)).astype(np.float32)
        waver = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        soft = cv2.GaussianBlur(wide.astype(np.float32), (0, 0), 4)
        wide = (soft > 0.45 + 0.15 * waver).astype(np.uint8)
    return wide.astype(bool)


def miss(hole: Hole, rng: np.random.Generator) -> Hole:
    """Imitate what a segmenter misses: straps and other thin parts, or patches at the outline.

    Args:
        hole: bool [H, W].
        rng: Where the patches come from.

    Returns:
        A part of the hole, bool [H, W]; the whole hole where less than 70 % of its area would be left.
    """
    kept = hole.astype(np.uint8)
    if rng.random() < 0.4:
        radius = int(rng.integers(3, 8))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        kept = cv2.morphologyEx(kept, cv2.MORPH_OPEN, kernel).astype(np.uint8)
    outlines, _ = cv2.findContours(kept, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if outlines:
        outline = max(outlines, key=len)[:, 0]
        for _ in range(int(rng.integers(1, 4))):
            x, y = outline[int(rng.integers(len(outline)))]
            axes = np.exp(rng.uniform(np.log(3), np.log(24), 2))
            turn = float(rng.uniform(0, 180))
            cv2.ellipse(kept, ((float(x), float(y)), (2 * axes[0], 2 * axes[1]), turn), 0, -1)
    return kept.astype(bool) if kept.sum() >= 0.7 * hole.sum() else hole
