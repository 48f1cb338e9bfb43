"""Covered faces of one photo: which can be restored together, and how each is pasted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from demask.faces.crop_networks import HOLES_AT_ONCE
from demask.faces.judge import FoundHole
from demask.faces.reach import rect_of
from demask.geometry import Framed, corners_under
from demask.photo.paste import PasteConfig, Pasted, paste_back
from demask.types import Hole, ImageU8

OWN_HOLE_PASTE = PasteConfig(feather_px=0.5)
"""For holes drawn by hand. A found hole is wider than its covering, so a soft edge inside it blends skin with
skin; one drawn by hand may end where the covering does: a soft edge would bring the covering's rim back."""

CoveredFace = tuple[Framed, FoundHole, bool]
"""A covered face: its crop, its hole, and whether that is the user's own."""


def pasted(
    photo: ImageU8,
    done: Pasted | None,
    framed: Framed,
    found: FoundHole,
    drawn: ImageU8,
    *,
    own_hole: Hole | None,
    paste: PasteConfig | None,
) -> Pasted:
    """Paste one face into what is done so far."""
    so_far = photo if done is None else done.pixels
    if own_hole is None:
        return paste_back(so_far, drawn, found.coverage, framed, config=paste, into=done)
    # Warping to the frame and back may spill a pixel over a hole drawn by hand: take only what lies in it.
    alone = paste_back(so_far, drawn, found.coverage, framed, config=OWN_HOLE_PASTE)
    spilt = alone.hole & ~own_hole
    alone.pixels[spilt] = so_far[spilt]
    changed = alone.hole & own_hole
    return Pasted(pixels=alone.pixels, hole=changed if done is None else changed | done.hole)


def groups_apart(covered: Sequence[CoveredFace]) -> Iterator[list[CoveredFace]]:
    """Faces for one run: of one window, and none has its crop where an earlier one is still to change."""
    group: list[CoveredFace] = []
    for one in covered:
        other_window = bool(group) and group[0][0].window != one[0].window
        if len(group) == HOLES_AT_ONCE or other_window or any(reaches(other, one) for other in group):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def reaches(hole_of: CoveredFace, crop_of: CoveredFace) -> bool:
    """Whether the hole of one face lies in the crop of another."""
    side = crop_of[0].window.side_px
    crop = corners_under(crop_of[0].matrix, 0, 0, side, side).astype(np.float32)
    hole = rect_of(hole_of[1].hole, hole_of[0].matrix)
    return bool((crop.min(0) < hole.max(0)).all() and (hole.min(0) < crop.max(0)).all())
