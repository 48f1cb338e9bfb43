"""The looks of one covering: material and colours, chosen before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from demask.coverings.catalogue import CATALOGUE, PRINT_WEIGHTS
from demask.coverings.palettes import contrasting, pick_colour
from demask.coverings.shape import Shape
from demask.types import Floats32


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


def _levels(colour: Floats32) -> list[int]:
    return [round(255 * float(c)) for c in colour]
