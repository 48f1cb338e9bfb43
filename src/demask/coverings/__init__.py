"""Face masks as objects: a catalogue, shapes fitted to landmarks, textures, light, straps; `draw()`."""

from demask.coverings.catalogue import (
    HELD_OUT_KINDS,
    HELD_OUT_TEXTURES,
    KINDS,
    TEXTURES,
    TRAINING_KINDS,
    TRAINING_TEXTURES,
    WIDE_KINDS,
)
from demask.coverings.draw import Drawn, draw, draw_hole

__all__ = [
    "HELD_OUT_KINDS",
    "HELD_OUT_TEXTURES",
    "KINDS",
    "TEXTURES",
    "TRAINING_KINDS",
    "TRAINING_TEXTURES",
    "WIDE_KINDS",
    "Drawn",
    "draw",
    "draw_hole",
]
