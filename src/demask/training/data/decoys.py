"""Things that a young finder takes for faces: letters, signs, buttons, fists, ears. None of them is one.

The kinds are those of the false faces on photographs of the web (lists of them are printed by
`benchmarks/finder_vs_yunet.py`); none of those photographs is used here, all is drawn or cut from
portraits beside the face.
"""

from __future__ import annotations

import string

import cv2
import numpy as np

from demask.coverings import draw
from demask.training.data.portraits import Portrait
from demask.types import ImageU8

_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)  # fmt: skip
_LETTERS = string.ascii_letters + string.digits + "&@%?!"


def draw_decoy(under: ImageU8, rng: np.random.Generator) -> ImageU8:
    """Draw a sign, round things or a fist over what is there.

    Args:
        under: What the canvas shows, uint8 RGB [h, w, 3]; not changed.
        rng: Decides what and how.

    Returns:
        uint8 RGB [h, w, 3].
    """
    kinds = (_letters, _letters, _strokes, _discs, _discs, _fist, _fist)
    tile = under.copy()
    if rng.random() < 0.5:
        tile[:] = rng.integers(0, 256, 3)
    return kinds[int(rng.integers(len(kinds)))](tile, rng)


def beside_the_face(portrait: Portrait, rng: np.random.Generator) -> ImageU8 | None:
    """Cut an ear, hair, neck or shoulder out of a portrait: a window that holds neither eye nor mouth.

    Returns:
        uint8 RGB [h, w, 3]; None where the window would hold a part of the face that tells.
    """
    H, W = portrait.photo.shape[:2]
    x0, y0, x1, y1 = portrait.box
    face_px = float(np.sqrt((x1 - x0) * (y1 - y0)))
    side = face_px * rng.uniform(0.2, 0.5)
    if rng.random() < 0.65:
        at_x = x0 if rng.random() < 0.5 else x1  # An ear, as a rule.
        centre = np.array([at_x, y0 + (y1 - y0) * rng.uniform(0.35, 0.65)]) + rng.normal(0, 0.06 * face_px, 2)
    else:
        centre = np.array([rng.uniform(x0, x1), y1 + face_px * rng.uniform(0.15, 0.5)])
    low = np.maximum(centre - side / 2, 0)
    high = np.minimum(centre + side / 2, [W, H])
    if (high - low < 8).any():
        return None
    inside = ((portrait.points > low) & (portrait.points < high)).all(axis=1)
    if inside.any():
        return None
    a, b = low.astype(int), high.astype(int)
    return np.ascontiguousarray(portrait.photo[a[1] : b[1], a[0] : b[0]])


def worn_by_nobody(portrait: Portrait, rng: np.random.Generator) -> ImageU8:
    """Draw a covering as shops show them: in the shape of a face, on a plain ground without one.

    Returns:
        uint8 RGB [h, w, 3], cut around the covering.
    """
    tone = rng.uniform(180, 255) if rng.random() < 0.7 else rng.uniform(0, 255)
    ground = np.full_like(portrait.photo, np.clip(tone + rng.normal(0, 8, 3), 0, 255).astype(np.uint8))
    drawn = draw(ground, portrait.landmarks, rng)
    rows, columns = np.flatnonzero(drawn.hole.any(1)), np.flatnonzero(drawn.hole.any(0))
    if not len(rows) or not len(columns):
        return ground
    return np.ascontiguousarray(drawn.masked[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _colours(rng: np.random.Generator) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Two colours that can be told apart."""
    first = rng.uniform(0, 255, 3)
    if rng.random() < 0.5:  # Signs and buttons are grey, black or white as often as not.
        first[:] = first[0]
    second = np.where(first > 128, first - rng.uniform(70, 128), first + rng.uniform(70, 128))
    return tuple(map(float, first)), tuple(map(float, second))


def _letters(tile: ImageU8, rng: np.random.Generator) -> ImageU8:
    h, w = tile.shape[:2]
    ink, paper = _colours(rng)
    if rng.random() < 0.6:
        tile[:] = paper
    lines = int(rng.integers(1, 4))
    height = h / lines
    for line in range(lines):
        text = "".join(rng.choice(list(_LETTERS), int(rng.integers(1, 8))))
        font, thick = int(rng.choice(_FONTS)), max(1, int(height * rng.uniform(0.03, 0.16)))
        size = height * rng.uniform(0.5, 0.95) / 30
        at = (int(rng.uniform(-0.1, 0.3) * w), int(height * (line + 0.8)))
        cv2.putText(tile, text, at, font, size, ink, thick, cv2.LINE_AA)
    return tile


def _strokes(tile: ImageU8, rng: np.random.Generator) -> ImageU8:
    """Signs of no alphabet: straight strokes on a grid, as many scripts and logos have them."""
    h, w = tile.shape[:2]
    ink, paper = _colours(rng)
    if rng.random() < 0.6:
        tile[:] = paper
    cell = int(max(10, min(h, w) / rng.integers(1, 4)))
    thick = max(1, int(cell * rng.uniform(0.05, 0.14)))
    for y in range(0, h, cell):
        for x in range(0, w, cell):
            for _ in range(int(rng.integers(3, 9))):
                a, b = rng.integers(1, 5, (2, 2)) * cell // 5
                if rng.random() < 0.7:
                    b[int(rng.integers(2))] = a[int(rng.integers(2))]
                start, end = (int(x + a[0]), int(y + a[1])), (int(x + b[0]), int(y + b[1]))
                cv2.line(tile, start, end, ink, thick, cv2.LINE_AA)
    return tile


def _discs(tile: ImageU8, rng: np.random.Generator) -> ImageU8:
    """Buttons, valves, wheels, badges, lamps: rings in rings, sometimes with holes or a spiral."""
    h, w = tile.shape[:2]
    for _ in range(int(rng.integers(1, 4))):
        radius = min(h, w) * rng.uniform(0.12, 0.48)
        centre = (int(rng.uniform(0.2, 0.8) * w), int(rng.uniform(0.2, 0.8) * h))
        axes = np.maximum(1, radius * np.array([1, rng.uniform(0.6, 1)])).astype(int)
        turn = float(rng.uniform(0, 180))
        for fraction in np.sort(rng.uniform(0.15, 1, int(rng.integers(1, 5))))[::-1]:
            size = (max(1, int(axes[0] * fraction)), max(1, int(axes[1] * fraction)))
            width = -1 if rng.random() < 0.6 else max(1, int(radius * rng.uniform(0.03, 0.15)))
            cv2.ellipse(tile, centre, size, turn, 0, 360, _colours(rng)[0], width, cv2.LINE_AA)
        choice = rng.random()
        if choice < 0.35:
            for angle in np.arange(int(rng.integers(2, 7))) * rng.uniform(0.7, 1.6):
                at = np.array(centre) + radius * rng.uniform(0.25, 0.7) * np.array(
                    [np.cos(angle), np.sin(angle)]
                )
                at_px, hole_px = (int(at[0]), int(at[1])), max(1, int(radius * 0.1))
                cv2.circle(tile, at_px, hole_px, _colours(rng)[1], -1, cv2.LINE_AA)
        elif choice < 0.55:
            t = np.linspace(0, rng.uniform(8, 22), 90)
            arm = np.column_stack([np.cos(t), np.sin(t)]) * (radius * t / t[-1])[:, None] + centre
            thick = max(1, int(radius * 0.07))
            cv2.polylines(tile, [arm.astype(np.int32)], False, _colours(rng)[0], thick, cv2.LINE_AA)
    return tile


def _fist(tile: ImageU8, rng: np.random.Generator) -> ImageU8:
    """A hand, closed or flat: rounded fingers side by side in a skin tone, dark between them."""
    h, w = tile.shape[:2]
    tone = np.array([225, 180, 150]) * rng.uniform(0.3, 1.08) + rng.normal(0, 8, 3)
    size = min(h, w) * rng.uniform(0.5, 0.95)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    centre = np.array([w, h]) / 2 + rng.normal(0, 0.06, 2) * size
    thick = size / rng.uniform(4.3, 5.5)
    length = size * rng.uniform(0.15, 0.9)
    dark = tuple(float(v) for v in np.clip(tone * rng.uniform(0.45, 0.75), 0, 255))

    def px(point: object) -> tuple[int, int]:
        x, y = np.asarray(point)
        return int(x), int(y)

    palm = (px(centre), (max(1, int(size * 0.36)), max(1, int(size * 0.3))), float(np.rad2deg(angle)))
    skin = tuple(float(v) for v in np.clip(tone * rng.uniform(0.85, 1), 0, 255))
    cv2.ellipse(tile, palm[0], palm[1], palm[2], 0, 360, skin, -1, cv2.LINE_AA)
    for finger in range(4):
        start = centre + across * thick * (finger - 1.5) * 1.02 + along * size * 0.1
        end = start + along * length * rng.uniform(0.8, 1.1)
        light = tuple(float(v) for v in np.clip(tone * rng.uniform(0.92, 1.06), 0, 255))
        cv2.line(tile, px(start), px(end), dark, max(2, int(thick * 1.1)), cv2.LINE_AA)
        cv2.line(tile, px(start), px(end), light, max(1, int(thick * 0.9)), cv2.LINE_AA)
    wrist = centre - along * size * 1.2
    cv2.line(tile, px(centre - along * size * 0.2), px(wrist), skin, max(2, int(size * 0.45)), cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(tile, (0, 0), max(0.4, size * 0.012)), np.uint8)
