"""The looks of one covering, chosen before it is drawn: material, and colours as usual for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np

from demask.coverings.catalogue import CATALOGUE, PRINT_WEIGHTS
from demask.coverings.shape import Shape
from demask.types import Floats32

HELD_OUT_HUES_DEG: tuple[tuple[float, float], ...] = ((68.0, 112.0), (272.0, 322.0))
"""Yellow-greens and violets: with a saturation above `VIVID`, never picked for a training picture.

A gradient between two other colours, a printed photograph or coloured light may still come near them.
"""
VIVID = 0.15
COLOUR_SETS: tuple[str, ...] = ("training", "held_out", "any")
_Swatch = tuple[float, tuple[float, float], tuple[float, float], tuple[float, float]]
_LIKE_SKIN: _Swatch = (0.08, (8, 38), (0.15, 0.60), (0.30, 0.98))
"""Beige to brown: sold to match the face, and hardest to tell from it."""
PALETTES: Mapping[str, tuple[_Swatch, ...]] = MappingProxyType(
    {
        # weight, hue in degrees, saturation, value
        "surgical": (
            (0.38, (192, 215), (0.12, 0.55), (0.72, 0.97)),
            (0.20, (0, 360), (0.0, 0.05), (0.84, 0.99)),
            (0.12, (0, 360), (0.0, 0.15), (0.09, 0.24)),
            (0.09, (145, 180), (0.12, 0.50), (0.60, 0.95)),
            (0.06, (335, 360), (0.10, 0.40), (0.80, 0.98)),
            (0.15, (0, 360), (0.05, 0.9), (0.12, 1.0)),
            _LIKE_SKIN,
        ),
        "ffp2": (
            (0.60, (0, 360), (0.0, 0.06), (0.82, 0.99)),
            (0.14, (0, 360), (0.0, 0.15), (0.09, 0.24)),
            (0.08, (0, 360), (0.0, 0.08), (0.35, 0.80)),
            (0.18, (0, 360), (0.05, 0.9), (0.15, 1.0)),
            _LIKE_SKIN,
        ),
        "cloth": (
            (0.28, (0, 360), (0.0, 0.20), (0.07, 0.22)),
            (0.12, (205, 245), (0.25, 0.80), (0.12, 0.50)),
            (0.14, (0, 360), (0.0, 0.10), (0.18, 0.75)),
            (0.10, (0, 360), (0.0, 0.08), (0.80, 0.98)),
            (0.36, (0, 360), (0.15, 0.9), (0.12, 0.95)),
            _LIKE_SKIN,
        ),
        "rubber": (
            (0.55, (0, 360), (0.0, 0.10), (0.08, 0.24)),
            (0.25, (190, 240), (0.05, 0.40), (0.20, 0.60)),
            (0.20, (0, 360), (0.0, 0.90), (0.10, 0.90)),
        ),
        "glove": (
            (0.5, (150, 260), (0.2, 0.9), (0.15, 0.95)),
            (0.2, (0, 360), (0.0, 0.06), (0.85, 0.99)),
            (0.3, (0, 360), (0.0, 0.2), (0.06, 0.25)),
        ),
        "any": ((1.0, (0, 360), (0.0, 0.92), (0.06, 1.0)),),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """Material and colours, chosen before anything is drawn.

    Attributes:
        texture: Key of `catalogue.TEXTURES`.
        palette: Where its colours come from.
        colours: Which hues are allowed.
        base: Main colour, RGB in [0, 1].
        strap: Colour of the straps.
        piping: Colour of a border along the edge, or None.
        gloss: 0 matt cloth .. 1 rubber.
        parts: Colours of the things that stick to an unusual covering.
    """

    texture: str
    palette: str
    colours: str
    base: Floats32
    strap: Floats32
    piping: Floats32 | None
    gloss: float
    parts: tuple[Floats32, ...]

    @classmethod
    def choose(
        cls,
        shape: Shape,
        textures: tuple[str, ...],
        colours: str,
        rng: np.random.Generator,
        *,
        unusual: bool = False,
    ) -> Look:
        """Draw a look that suits the shape's kind, straps and parts apart if it is unusual."""
        kind = CATALOGUE[shape.kind]
        prints = [name for name in textures if name != "plain"]
        always = shape.variant == "hand"
        if "plain" in textures and (not prints or always or rng.random() < kind.plain):
            texture = "plain"
        else:
            weights = np.array([PRINT_WEIGHTS.get(name, 1.0) for name in prints])
            texture = prints[int(rng.choice(len(prints), p=weights / weights.sum()))]
        palette = kind.palette if texture == "plain" else "any"
        # A glove, but never a bare hand: that is no covering.
        palette = "glove" if shape.variant == "hand" else palette
        base = pick_colour(rng, palette, colours)
        white, black = np.full(3, 0.93, np.float32), np.full(3, 0.09, np.float32)
        odds = rng.random()
        if shape.variant == "wings" or odds < 0.35:
            strap = base
        elif odds < 0.72:
            strap = white
        elif odds < 0.90:
            strap = black
        else:
            strap = pick_colour(rng, "any", colours)
        piping = contrasting(rng, base, "cloth", colours) if rng.random() < kind.piping else None
        gloss = float(rng.uniform(0.3, 1.0)) if shape.kind == "gas" else float(rng.beta(1, 6))
        if unusual and rng.random() < 0.6:
            strap = pick_colour(rng, str(rng.choice(["any", "cloth", "rubber"])), colours)
        return cls(
            texture=texture,
            palette=palette,
            colours=colours,
            base=base,
            strap=strap,
            piping=piping,
            gloss=gloss,
            parts=tuple(
                pick_colour(rng, str(rng.choice(["any", "rubber", "ffp2"])), colours) for _ in shape.parts
            ),
        )

    def as_recipe(self) -> dict[str, Any]:
        """The look, ready for JSON; colours as [R, G, B] in 0..255."""
        return {
            "texture": self.texture,
            "strap_colour": _levels(self.strap),
            "piping_colour": None if self.piping is None else _levels(self.piping),
            "gloss": round(self.gloss, 3),
        }


def is_held_out(hue_deg: float, saturation: float) -> bool:
    """Whether a colour is kept for the frozen test."""
    return saturation >= VIVID and any(low <= hue_deg % 360 <= high for low, high in HELD_OUT_HUES_DEG)


def pick_colour(rng: np.random.Generator, palette: str, colours: str) -> Floats32:
    """Draw one colour.

    Args:
        rng: Source of chance.
        palette: Key of `PALETTES`.
        colours: "training" (never a held-out hue), "held_out" (always one) or "any".

    Returns:
        RGB in [0, 1], float32 [3]: the cloth's own colour in white light.
    """
    if colours == "held_out":
        low, high = HELD_OUT_HUES_DEG[int(rng.integers(len(HELD_OUT_HUES_DEG)))]
        hue, saturation, value = rng.uniform(low, high), rng.uniform(0.4, 1.0), rng.uniform(0.3, 1.0)
        return _to_rgb(float(hue), float(saturation), float(value))
    swatches = PALETTES[palette]
    weights = np.array([swatch[0] for swatch in swatches])
    chosen = swatches[int(rng.choice(len(swatches), p=weights / weights.sum()))]
    hue, saturation, value = (float(rng.uniform(*limits)) for limits in chosen[1:])
    if colours == "training" and is_held_out(hue, saturation):
        # A colour is made pale rather than drawn again: the stream of numbers keeps its length.
        saturation = VIVID - 0.02
    return _to_rgb(hue, saturation, value)


def contrasting(rng: np.random.Generator, base: Floats32, palette: str, colours: str) -> Floats32:
    """Draw a second colour that can be told from `base`; RGB in [0, 1], float32 [3]."""
    colour = pick_colour(rng, palette, colours)
    if float(np.abs(colour - base).max()) < 0.15:
        colour = np.ones(3, np.float32) * 0.93 if float(base.mean()) < 0.5 else np.ones(3, np.float32) * 0.1
    return colour


def _levels(colour: Floats32) -> list[int]:
    return [round(255 * float(c)) for c in colour]


def _to_rgb(hue_deg: float, saturation: float, value: float) -> Floats32:
    pixel = np.array([[[hue_deg % 360, saturation, value]]], np.float32)
    rgb: Floats32 = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0]
    return rgb
