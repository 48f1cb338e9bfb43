"""From a print to a finished flat cloth: which folds, seams and valves belong to which kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from demask.coverings import relief
from demask.coverings.head import HeadFrame
from demask.coverings.look import Look
from demask.coverings.relief import Cloth
from demask.coverings.shading import Scene
from demask.coverings.shape import Shape
from demask.coverings.texture import paint
from demask.types import ImageU8


def make_cloth(
    shape: Shape,
    look: Look,
    scene: Scene,
    frame: HeadFrame,
    rng: np.random.Generator,
    patches: Sequence[ImageU8],
) -> tuple[ImageU8, list[list[int]]]:
    """Print, fold and sew the flat cloth, lit from where the photograph's light comes."""
    rows = int(np.clip(1.25 * frame.width_px, 48, 900))
    rgb, used = paint(look.texture, (rows, rows), look.base, look.palette, look.colours, rng, patches)
    cloth = Cloth(rgb)
    kind, variant = shape.kind, shape.variant
    if kind == "surgical" or variant == "pleats":
        relief.pleats(cloth, rng)
        relief.wire(cloth, rng)
        relief.hem(cloth, rng, float(rng.uniform(0.02, 0.07)))
        relief.hem(cloth, rng, float(rng.uniform(0.92, 0.98)))
        relief.wrinkle(cloth, rng, amount=float(rng.uniform(0.1, 0.8)), stretch=float(rng.uniform(2, 5)))
    elif kind == "ffp2":
        (relief.panels if variant == "panels" else relief.ridge)(cloth, rng)
        relief.hem(cloth, rng, float(rng.uniform(0.04, 0.09)))
        relief.wrinkle(cloth, rng, amount=float(rng.uniform(0.05, 0.5)), stretch=1.5)
        if rng.random() < 0.4:
            relief.lettering(cloth, rng)
        if rng.random() < 0.5:
            relief.wire(cloth, rng)
        if rng.random() < 0.2:
            relief.valve(
                cloth, rng, u=float(rng.choice([-0.4, 0.4])), v=0.55, radius=0.13, colour=_valve_ink(rng)
            )
    elif kind in ("cup", "cup_valve"):
        relief.rings(cloth, rng)
        relief.wire(cloth, rng)
        relief.wrinkle(cloth, rng, amount=float(rng.uniform(0.0, 0.3)), stretch=1.5)
        if rng.random() < 0.5:
            relief.lettering(cloth, rng)
        if kind == "cup_valve":
            side = float(rng.choice([0.0, 0.0, rng.uniform(-0.4, 0.4)]))
            v, radius = float(rng.uniform(0.5, 0.65)), float(rng.uniform(0.12, 0.2))
            relief.valve(cloth, rng, u=side, v=v, radius=radius, colour=_valve_ink(rng))
    elif kind == "cloth":
        if variant == "seam":
            relief.seam(cloth, rng)
        if rng.random() < 0.4:
            relief.hem(cloth, rng, float(rng.uniform(0.03, 0.08)))
        relief.wrinkle(cloth, rng, amount=float(rng.uniform(0.1, 1.4)), stretch=float(rng.uniform(1.5, 5)))
        if rng.random() < 0.08:
            relief.valve(
                cloth, rng, u=float(rng.choice([-0.4, 0.4])), v=0.6, radius=0.12, colour=_valve_ink(rng)
            )
    elif kind in ("gaiter", "bandana"):
        relief.wrinkle(cloth, rng, amount=float(rng.uniform(0.4, 1.4)), stretch=float(rng.uniform(2, 6)))
        relief.wrinkle(cloth, rng, amount=float(rng.uniform(0.1, 0.6)), stretch=2.0)
    elif kind == "sports":
        relief.seam(cloth, rng)
        if rng.random() < 0.7:
            relief.holes(cloth, rng)
        if rng.random() < 0.75:
            ink = _valve_ink(rng)
            for side in (-0.45, 0.45):
                relief.valve(cloth, rng, u=side, v=0.62, radius=0.12, colour=ink)
        relief.wrinkle(cloth, rng, amount=float(rng.uniform(0.0, 0.6)), stretch=1.5)
    elif kind == "gas":
        relief.rings(cloth, rng)
        relief.valve(cloth, rng, u=0.0, v=0.62, radius=float(rng.uniform(0.12, 0.2)), colour=_valve_ink(rng))
    else:
        relief.wrinkle(cloth, rng, amount=float(rng.uniform(0.0, 1.1)), stretch=float(rng.uniform(1, 4)))
        for fold in (relief.pleats, relief.rings, relief.seam, relief.panels):
            if rng.random() < 0.15:
                fold(cloth, rng)
        if rng.random() < 0.3:
            side, v, radius = (float(rng.uniform(*limits)) for limits in ((-0.6, 0.6), (0.2, 0.8), (0.08, 0.2)))
            relief.valve(cloth, rng, u=side, v=v, radius=radius, colour=_valve_ink(rng))
    smooth = kind in ("surgical", "ffp2", "cup", "cup_valve", "gas")
    relief.weave(cloth, rng, float(rng.uniform(0.0, 0.02 if smooth else 0.05)))
    direction = scene.light[:2] + rng.normal(0, 0.15, 2)
    direction = direction / max(0.3, float(np.linalg.norm(direction)))
    return cloth.lit(-direction, float(rng.uniform(0.15, 0.5)) * 180 / rows), used


def _valve_ink(rng: np.random.Generator) -> tuple[int, int, int]:
    tone = int(rng.choice([235, 225, 120, 40, 30]))
    r, g, b = (int(np.clip(tone + d, 0, 255)) for d in rng.integers(-10, 11, 3))
    return r, g, b
