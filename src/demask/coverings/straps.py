"""Straps: loops behind the ears, or bands around the head, on the sides that can be seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demask.coverings.head import HeadFrame
from demask.coverings.outline import Outline
from demask.types import Floats64

_EAR_TOP, _EAR_LOW = (
    (127, 356),
    (93, 323),
)  # Left, right in the picture: where the ear's root begins and ends.
_FAR_SIDE = -0.25  # A side whose outward direction points away from the viewer by more than this is hidden.


@dataclass(frozen=True, kw_only=True, slots=True)
class StrapPlan:
    """How the straps run.

    Attributes:
        way: "none", "loops" or "bands".
        width: Width in face widths, at the ear; `flare` times as wide where it leaves the covering.
        flare: See `width`.
        slack: How far a strap sags, in face widths.
        spread: Shift of the two straps' ends along the ear, face widths, (upper, lower).
    """

    way: str
    width: float
    flare: float
    slack: float
    spread: tuple[float, float]


def strap_polygons(frame: HeadFrame, outline: Outline, plan: StrapPlan) -> list[Floats64]:
    """Ribbons of every visible strap, each a closed polygon in picture pixels, [M, 2]."""
    if plan.way == "none":
        return []
    polygons = []
    for side, sign in ((0, -1.0), (1, 1.0)):
        outward = sign * frame.axes[0]
        if -outward[2] < _FAR_SIDE:
            continue
        top, low = outline.anchors[2 * side], outline.anchors[2 * side + 1]
        if plan.flare > 2:  # The cloth itself runs out into the straps: both leave the side's middle.
            top, low = top + 0.25 * (low - top), top + 0.55 * (low - top)
        ear_top, ear_low = frame.points[_EAR_TOP[side]].copy(), frame.points[_EAR_LOW[side]].copy()
        if plan.way == "loops":
            back = np.array([sign * 0.015, 0.0, -0.16])
            ends = (
                ear_top + back + np.array([0, 0.03 + plan.spread[0], 0]),
                ear_low + back + np.array([0, plan.spread[1], 0]),
            )
        else:
            # The upper band climbs over the ear to the crown, the lower one goes under it to the neck.
            crown, nape = (
                np.array([0.0, -0.08 + 1.5 * plan.spread[0], -0.6]),
                np.array([0.0, 0.1 + plan.spread[1], -0.5]),
            )
            ends = (ear_top + crown, ear_low + nape)
        for start, end in ((top, ends[0]), (low, ends[1])):
            polygons.append(_ribbon(frame, start, end, plan))
    return polygons


def _ribbon(frame: HeadFrame, start: Floats64, end: Floats64, plan: StrapPlan) -> Floats64:
    """One strap as a polygon: a sagging curve over the cheek, widened to both sides in the picture."""
    t = np.linspace(0.0, 1.0, 9)
    # Begin a little inside, so that no gap shows between covering and strap.
    begin = start * 0.94
    x = begin[0] + t * (end[0] - begin[0])
    y = begin[1] + t * (end[1] - begin[1]) + plan.slack * np.sin(np.pi * t)
    # Lie on the face first, then run straight back along the side of the head.
    on_face = frame.z_of(x, y) + 0.02
    z = on_face + t**2 * (end[2] - on_face)
    line = frame.to_picture(np.stack([x, y, z], -1))[:, :2]
    way = np.gradient(line, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-9
    half = 0.5 * frame.width_px * plan.width * (1 + (plan.flare - 1) * (1 - t) ** 2)
    side = np.stack([-way[:, 1], way[:, 0]], 1) * half[:, None]
    return np.concatenate([line + side, (line - side)[::-1]])
