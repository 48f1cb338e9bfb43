"""Which coverings there are, how often each is drawn, and between which limits each is cut.

All lengths are in units of the face's width (ear root to ear root, about 0.16 m). They were set by eye
against photographs of people who really wear these things, and are wider than most of what is sold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from demask.errors import ConfigError

Range = tuple[float, float]

HELD_OUT_KINDS: tuple[str, ...] = ("sports", "gas")
"""Kinds that no training picture shows; the frozen test's slice of unseen types."""

TRAINING_TEXTURES: tuple[str, ...] = (
    "plain", "stripes", "dots", "camouflage", "gradient", "clouds", "scribble", "patch",
)  # fmt: skip
HELD_OUT_TEXTURES: tuple[str, ...] = ("checks", "blossoms", "zigzag")
"""Prints that no training picture shows; with the held-out hues, the slice of unseen colours and prints."""
TEXTURES: tuple[str, ...] = TRAINING_TEXTURES + HELD_OUT_TEXTURES

PRINT_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "stripes": 1,
        "dots": 0.9,
        "camouflage": 1,
        "gradient": 0.8,
        "clouds": 0.8,
        "scribble": 1.4,
        "patch": 1.6,
    }
)
"""How often each print is drawn on a printed covering; those not named weigh 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """Limits between which one kind of covering is drawn.

    Attributes:
        weight: How often it is drawn beside the others.
        start: Where the side edge leaves the jaw chain, in chain points below the ear.
        nose: How far down the nose the upper edge crosses it, in points of `outline.NOSE_CHAIN`.
        cheek: How far the upper edge sags over the cheek; 0 lies just under the eye.
        widen: Factor on the width about the mouth.
        drop: How far the lower edge hangs below the chin.
        dome: How far the middle stands off the face.
        square: How angular the corners are: 0 round, 1 square.
        low_ride: Chance that it is worn below the nose.
        plain: Chance that it carries no print.
        piping: Chance of a border in another colour.
        palette: Which colours are usual: a key of `colours.PALETTES`.
        straps: Chances of (none, ear loops, bands around the head).
        strap_width: Width of a strap.
        bottom: "chin" (closed below it), "neck" (runs down the neck), "wrap" (lies around it in folds, wider
            than the face) or "point" (a kerchief's tip).
        hood: Whether it covers the whole head but for an opening about the eyes.
        variants: Names of the cuts within the kind, drawn evenly.
    """

    weight: float
    start: Range
    nose: Range
    cheek: Range
    widen: Range
    drop: Range
    dome: Range
    square: Range = (0.0, 0.3)
    low_ride: float = 0.05
    plain: float = 0.9
    piping: float = 0.06
    palette: str = "any"
    straps: tuple[float, float, float] = (0.12, 0.78, 0.10)
    strap_width: Range = (0.010, 0.024)
    bottom: str = "chin"
    hood: bool = False
    variants: Sequence[str] = field(default=("standard",))


CATALOGUE: Mapping[str, Kind] = MappingProxyType(
    {
        "surgical": Kind(
            weight=0.30, start=(1.2, 3.4), nose=(0.6, 3.6), cheek=(0.0, 0.6), widen=(0.78, 1.05),
            drop=(-0.02, 0.10), dome=(0.02, 0.10), square=(0.4, 1.0), low_ride=0.08, plain=0.93,
            palette="surgical",
        ),
        "ffp2": Kind(
            weight=0.14, start=(1.0, 3.2), nose=(0.2, 2.6), cheek=(0.1, 0.8), widen=(0.86, 1.04),
            drop=(0.0, 0.12), dome=(0.06, 0.18), plain=0.95, palette="ffp2",
            variants=("ridge", "ridge", "panels"),
            square=(0.0, 0.5), straps=(0.10, 0.62, 0.28), strap_width=(0.010, 0.040),
        ),
        "cup": Kind(
            weight=0.05, start=(3.0, 4.6), nose=(0.4, 2.6), cheek=(0.4, 1.0), widen=(0.74, 0.92),
            drop=(-0.02, 0.08), dome=(0.10, 0.22), square=(0.0, 0.1), plain=0.97, palette="ffp2",
            straps=(0.10, 0.10, 0.80), strap_width=(0.014, 0.050),
        ),
        "cup_valve": Kind(
            weight=0.05, start=(2.6, 4.6), nose=(0.4, 2.6), cheek=(0.3, 1.0), widen=(0.74, 0.96),
            drop=(-0.02, 0.08), dome=(0.10, 0.22), square=(0.0, 0.1), plain=0.95, palette="ffp2",
            straps=(0.10, 0.20, 0.70), strap_width=(0.014, 0.050),
        ),
        "cloth": Kind(
            piping=0.22, weight=0.24, start=(0.4, 3.2), nose=(0.4, 4.0), cheek=(0.0, 0.9), widen=(0.90, 1.08),
            drop=(-0.02, 0.12), dome=(0.01, 0.12), square=(0.0, 0.7), low_ride=0.08, plain=0.5,
            palette="cloth",
            variants=("seam", "seam", "plain", "pleats", "wings"), strap_width=(0.012, 0.045),
        ),
        "gaiter": Kind(
            piping=0.22, weight=0.06, start=(0.0, 1.6), nose=(1.0, 4.4), cheek=(0.1, 1.0), widen=(0.98, 1.08),
            drop=(0.0, 0.1), dome=(0.0, 0.06), low_ride=0.12, plain=0.55, palette="cloth",
            straps=(1.0, 0.0, 0.0),
            bottom="neck",
        ),
        "bandana": Kind(
            piping=0.22, weight=0.03, start=(0.0, 1.6), nose=(0.8, 4.0), cheek=(0.1, 0.9), widen=(0.98, 1.08),
            drop=(0.15, 0.5), dome=(0.0, 0.06), plain=0.35, palette="cloth", straps=(0.7, 0.0, 0.3),
            strap_width=(0.04, 0.09), bottom="point",
        ),
        "sports": Kind(
            piping=0.22, weight=0.04, start=(0.6, 2.6), nose=(0.4, 2.6), cheek=(0.2, 0.9), widen=(0.94, 1.06),
            drop=(0.0, 0.10), dome=(0.03, 0.12), plain=0.6, palette="cloth", straps=(0.05, 0.65, 0.30),
            strap_width=(0.03, 0.08),
        ),
        "gas": Kind(
            weight=0.04, start=(3.0, 4.6), nose=(0.2, 1.6), cheek=(0.5, 1.0), widen=(0.72, 0.9),
            drop=(0.0, 0.08), dome=(0.12, 0.24), plain=1.0, palette="rubber", straps=(0.05, 0.0, 0.95),
            strap_width=(0.03, 0.07),
        ),
        "random": Kind(
            weight=0.20, start=(0.0, 6.0), nose=(0.0, 9.0), cheek=(0.0, 1.4), widen=(0.6, 1.2),
            drop=(-0.15, 0.3), dome=(0.0, 0.15), square=(0.0, 1.0), low_ride=0.0, plain=0.45, palette="any",
            straps=(0.45, 0.2, 0.35), strap_width=(0.008, 0.10),
            variants=("blob", "polygon", "low", "hand", "side", "lump", "lump", "lobes", "lobes"),
        ),
        "cloth_long": Kind(
            piping=0.22, weight=0.03, start=(0.2, 2.4), nose=(0.4, 4.0), cheek=(0.0, 0.9), widen=(0.95, 1.15),
            drop=(0.10, 0.50), dome=(0.0, 0.10), square=(0.2, 1.0), low_ride=0.08, plain=0.5, palette="cloth",
            variants=("plain", "pleats", "seam"), strap_width=(0.012, 0.06),
        ),
        "scarf": Kind(
            piping=0.15, weight=0.02, start=(0.0, 2.2), nose=(0.8, 5.0), cheek=(0.1, 1.2), widen=(0.98, 1.15),
            drop=(0.0, 0.1), dome=(0.02, 0.12), low_ride=0.15, plain=0.5, palette="cloth",
            straps=(1.0, 0.0, 0.0), bottom="wrap", variants=("plain", "pleats"),
        ),
        "balaclava": Kind(
            weight=0.01, start=(0.0, 0.6), nose=(0.4, 3.0), cheek=(0.1, 0.9), widen=(1.0, 1.06),
            drop=(0.0, 0.1), dome=(0.0, 0.05), low_ride=0.0, plain=0.85, palette="cloth",
            straps=(1.0, 0.0, 0.0), bottom="neck", hood=True,
        ),
    }
)  # fmt: skip
KINDS: tuple[str, ...] = tuple(CATALOGUE)
TRAINING_KINDS: tuple[str, ...] = tuple(kind for kind in KINDS if kind not in HELD_OUT_KINDS)
WIDE_KINDS: tuple[str, ...] = ("gaiter", "bandana", "cloth_long", "scarf", "balaclava")
"""Kinds that often run on below or beside the tight crop (`geometry.TIGHT`)."""


def check_names(what: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    """Refuse names that are not known.

    Raises:
        ConfigError: A name is not among `known`, or none is given.
    """
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        got = ", ".join(unknown) if unknown else "none at all"
        raise ConfigError(f"got {what} {got}; choose from {', '.join(known)}")
