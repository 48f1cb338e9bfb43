"""Holes as a segmenter finds them: widened, wavering, with parts missed.

The holes that DeepFill v1 and v2 were trained on: boxes, and strokes of a thick pen.
v1: Yu et al. 2018 (arXiv:1801.07892). v2: Yu et al. 2019 (arXiv:1806.03589). Numbers by the authors' own code
(`inpaint.yml`, `inpaint_ops.py`), which states them for 256 px; lengths grow with the picture.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from demask.types import Hole, Ints64

_STATED_PX = 256


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


_BOX_PX, _SHRINK_PX = 128, 16  # The box, and the most that is cut off each of its sides.
_STROKES, _STEPS, _WIDTH_PX = (1, 3), (4, 11), (12.0, 40.0)
_ANGLE, _ANGLE_SPREAD = 2 * math.pi / 5, 2 * math.pi / 15


def box_hole(rng: np.random.Generator, side_px: int) -> Hole:
    """One box of up to half the side, anywhere in the picture; bool [side, side]."""
    hole = np.zeros((side_px, side_px), bool)
    box, shrink = _BOX_PX * side_px // _STATED_PX, _SHRINK_PX * side_px // _STATED_PX
    top, left = rng.integers(0, side_px - box, 2)
    high, wide = rng.integers(0, shrink + 1, 2)
    hole[top + high : top + box - high, left + wide : left + box - wide] = True
    return hole


def stroke_hole(rng: np.random.Generator, side_px: int) -> Hole:
    """What the strokes of `random_strokes` cover, with round ends and joints; bool [side, side]."""
    canvas = np.zeros((side_px, side_px), np.uint8)
    for corners, width_px in random_strokes(rng, side_px):
        # OpenCV rounds the ends of thick lines, and so the joints.
        cv2.polylines(canvas, [corners.astype(np.int32)], isClosed=False, color=1, thickness=width_px)
    return canvas.astype(bool)


def random_strokes(rng: np.random.Generator, side_px: int) -> list[tuple[Ints64, int]]:
    """One to three strokes that wander to and fro: 4 to 11 steps each.

    Returns:
        The corners of each as (x, y), int64 [steps + 1, 2] in [0, side], and its width in pixels.
    """
    strokes = []
    reach = math.hypot(side_px, side_px) / 8
    for _ in range(int(rng.integers(_STROKES[0], _STROKES[1] + 1))):
        steps = int(rng.integers(_STEPS[0], _STEPS[1] + 1))
        low, high = _ANGLE - rng.uniform(0, _ANGLE_SPREAD), _ANGLE + rng.uniform(0, _ANGLE_SPREAD)
        corners = [rng.integers(0, side_px, 2).astype(np.float64)]
        for number in range(steps):
            angle = rng.uniform(low, high)
            if number % 2 == 0:
                angle = 2 * math.pi - angle
            length = float(np.clip(rng.normal(reach, reach / 2), 0, 2 * reach))
            step = length * np.array([math.cos(angle), math.sin(angle)])
            corners.append(np.clip(corners[-1] + step, 0, side_px))
        width_px = int(rng.uniform(*_WIDTH_PX) * side_px / _STATED_PX)
        strokes.append((np.array(corners).astype(np.int64), max(1, width_px)))
    return strokes


def free_form_hole(rng: np.random.Generator, side_px: int) -> Hole:
    """A box and strokes together, as v2's own code takes them; bool [side, side]."""
    return box_hole(rng, side_px) | stroke_hole(rng, side_px)
