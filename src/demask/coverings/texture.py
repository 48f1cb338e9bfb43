"""Prints: the colour of the cloth, laid out flat, before folds and light.

The flat cloth spans u in [-U_SPAN, U_SPAN] and v in [V_LOW, V_HIGH] (see `sheet.Sheet`), somewhat more than
a covering shows, so that the projection never runs off it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from demask.coverings import noise
from demask.coverings.look import contrasting
from demask.types import Floats32, ImageU8

U_SPAN, V_LOW, V_HIGH = 1.15, -0.15, 1.2


def _levels(colour: Floats32) -> tuple[int, int, int]:
    r, g, b = (round(255 * float(c)) for c in colour)
    return r, g, b


def _plain(size: tuple[int, int], colour: Floats32) -> ImageU8:
    cloth: ImageU8 = np.empty((*size, 3), np.uint8)
    cloth[:] = _levels(colour)
    return cloth


def paint(
    name: str,
    size: tuple[int, int],
    base: Floats32,
    palette: str,
    colours: str,
    rng: np.random.Generator,
    patches: Sequence[ImageU8] = (),
) -> tuple[ImageU8, list[list[int]]]:
    """Paint a flat piece of cloth.

    Args:
        name: One of `catalogue.TEXTURES`.
        size: (height, width) in pixels.
        base: Main colour, RGB in [0, 1].
        palette: Where further colours come from, see `colours.PALETTES`.
        colours: Which hues are allowed, see `colours.pick_colour`.
        rng: Source of chance.
        patches: Pictures to print ("patch"); without any, the print is "clouds".

    Returns:
        The cloth, uint8 RGB [H, W, 3], and the colours used, each as [R, G, B] in 0..255.
    """
    height, width = size
    cloth = _plain(size, base)
    if name == "patch" and not len(patches):
        name = "clouds"
    used = [base]
    if name == "plain":
        return cloth, [list(_levels(base))]
    more = [contrasting(rng, base, palette, colours) for _ in range(int(rng.integers(1, 4)))]
    used += more
    second = _levels(more[0])
    unit = height * float(rng.uniform(0.03, 0.16))  # The print's repeat.
    if name in ("stripes", "checks", "zigzag"):
        angle = float(rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)]))
        x = np.arange(width, dtype=np.float32)[None] * np.cos(angle)
        y = np.arange(height, dtype=np.float32)[:, None] * np.sin(angle)
        if name == "zigzag":
            wave = np.abs((np.arange(width, dtype=np.float32) / (2 * unit)) % 1 - 0.5)[None] * (2.5 * unit)
            phase = (np.arange(height, dtype=np.float32)[:, None] + wave) / unit
        else:
            phase = (x + y) / unit
        duty = float(rng.uniform(0.2, 0.7))
        on = (phase % 1) < duty
        if name == "checks":
            y2 = np.arange(height, dtype=np.float32)[:, None] * np.cos(angle)
            x2 = np.arange(width, dtype=np.float32)[None] * -np.sin(angle)
            other = ((x2 + y2) / unit) % 1 < duty
            if rng.random() < 0.5:  # Gingham: where both bands cross, the dye is twice as strong.
                cloth[on ^ other] = [(a + b) // 2 for a, b in zip(second, _levels(base), strict=True)]
                cloth[on & other] = second
            else:
                cloth[on ^ other] = second
        else:
            cloth[on] = second
            if len(more) > 1 and rng.random() < 0.5:
                cloth[(phase % 2) < duty] = _levels(more[1])
    elif name == "dots":
        radius = max(1.0, unit * float(rng.uniform(0.15, 0.38)))
        rows, cols = int(height / unit) + 2, int(width / unit) + 2
        loose = float(rng.choice([0.0, 0.35]))
        for row in range(rows):
            for col in range(cols):
                at = (np.array([col + 0.5 * (row % 2), row]) + rng.uniform(-loose, loose, 2)) * unit
                ink = second if rng.random() < 0.7 else _levels(more[-1])
                cv2.circle(cloth, _fixed(at), int(radius * 16), ink, -1, cv2.LINE_AA, 4)
    elif name == "camouflage":
        blotch = float(rng.choice([4.0, 8.0]))
        stretch = (float(rng.uniform(0.8, 1.6)), float(rng.uniform(1.0, 2.4)))
        for dye in more:
            cloth[noise.cut(rng, size, blotch, stretch=stretch) > float(rng.uniform(0.1, 0.8))] = _levels(dye)
    elif name in ("gradient", "clouds"):
        if name == "gradient":
            angle = float(rng.uniform(0, 2 * np.pi))
            x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None] * np.cos(angle)
            y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None] * np.sin(angle)
            part = np.clip(0.5 + (x + y) * float(rng.uniform(0.8, 2.5)), 0, 1)
        else:
            field = noise.cut(rng, size, 16.0, stretch=(1.0, float(rng.uniform(1, 2))))
            part = np.clip(0.5 + 0.5 * field, 0, 1)
        cloth = cv2.blendLinear(
            cloth, _plain(size, more[0]), (1 - part).astype(np.float32), part.astype(np.float32)
        ).astype(np.uint8)
    elif name == "scribble":
        _scribble(cloth, more, rng)
    elif name == "blossoms":
        for _ in range(int(rng.integers(20, 70))):
            at, petal = rng.uniform((0, 0), (width, height)), unit * float(rng.uniform(0.25, 0.6))
            ink, turn = _levels(more[int(rng.integers(len(more)))]), float(rng.uniform(0, 360))
            for k in range(5):
                way = np.deg2rad(turn + 72 * k)
                centre = at + petal * np.array([np.cos(way), np.sin(way)])
                axes = (int(petal * 13), int(petal * 8))
                cv2.ellipse(cloth, _fixed(centre), axes, turn + 72 * k, 0, 360, ink, -1, cv2.LINE_AA, 4)
            cv2.circle(cloth, _fixed(at), int(petal * 6), _levels(base), -1, cv2.LINE_AA, 4)
    elif name == "patch":
        cloth = _printed_patch(patches[int(rng.integers(len(patches)))], size, rng)
        used = [cloth.reshape(-1, 3).mean(0).astype(np.float32) / 255]
    return cloth, [list(_levels(colour)) for colour in used]


def _fixed(point: npt.NDArray[np.floating]) -> tuple[int, int]:
    return int(point[0] * 16), int(point[1] * 16)


def _scribble(cloth: ImageU8, inks: Sequence[Floats32], rng: np.random.Generator) -> None:
    """Words, strokes and badges, in place; as on logos, slogans and hand-drawn coverings."""
    height, width = cloth.shape[:2]
    for _ in range(int(rng.integers(1, 5))):
        ink = _levels(inks[int(rng.integers(len(inks)))])
        at = rng.uniform((0.2 * width, 0.3 * height), (0.8 * width, 0.85 * height))
        thick = max(1, int(height * float(rng.uniform(0.008, 0.035))))
        what = int(rng.integers(4))
        if what == 0:
            letters = "".join(chr(int(c)) for c in rng.integers(65, 91, int(rng.integers(2, 8))))
            font = int(
                rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX])
            )
            tall = height * float(rng.uniform(0.002, 0.006))
            cv2.putText(
                cloth, letters, (int(at[0] - 30 * tall), int(at[1])), font, tall, ink, thick, cv2.LINE_AA
            )
        elif what == 1:
            steps = np.cumsum(rng.normal(0, 0.10 * height, (int(rng.integers(4, 14)), 2)), axis=0) + at
            cv2.polylines(cloth, [np.rint(steps).astype(np.int32)], False, ink, thick, cv2.LINE_AA)
        elif what == 2:
            axes = (int(height * rng.uniform(0.04, 0.25) * 16), int(height * rng.uniform(0.04, 0.25) * 16))
            filled = -1 if rng.random() < 0.6 else thick
            cv2.ellipse(
                cloth, _fixed(at), axes, float(rng.uniform(0, 180)), 0, 360, ink, filled, cv2.LINE_AA, 4
            )
        else:
            corners = at + rng.normal(0, 0.16 * height, (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(cloth, [np.rint(corners).astype(np.int32)], ink, cv2.LINE_AA)


def _printed_patch(patch: ImageU8, size: tuple[int, int], rng: np.random.Generator) -> ImageU8:
    """A random cut of a picture, turned over at random and scaled to the cloth."""
    part = float(rng.uniform(0.3, 1.0))
    rows, cols = max(2, int(patch.shape[0] * part)), max(2, int(patch.shape[1] * part))
    y = int(rng.integers(0, patch.shape[0] - rows + 1)) if patch.shape[0] >= rows else 0
    x = int(rng.integers(0, patch.shape[1] - cols + 1)) if patch.shape[1] >= cols else 0
    piece = cv2.resize(patch[y : y + rows, x : x + cols], (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    out: ImageU8 = np.ascontiguousarray(piece)
    return out
