"""Edge of a catalogue covering, cut in the head's frame along jaw, cheeks and nose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from demask.coverings.head import HeadFrame, along
from demask.types import Floats64

JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
NOSE_CHAIN = (6, 197, 195, 5, 4, 2, 164, 0, 17, 18, 200)  # From the bridge down to the chin.
_LEFT_CHEEK, _RIGHT_CHEEK = (118, 117, 116), (347, 346, 345)  # Inner to outer, under the eye.
_LOWER_LIDS = [145, 374]
NUM_SPANS = 6  # Samples per span of the spline.


@lru_cache(maxsize=8)
def _spline_weights(tension: float) -> Floats64:
    t = np.arange(NUM_SPANS) / NUM_SPANS
    k = tension
    return np.stack(
        [
            -k * t + 2 * k * t**2 - k * t**3,
            1 + (k - 3) * t**2 + (2 - k) * t**3,
            k * t + (3 - 2 * k) * t**2 + (k - 2) * t**3,
            -k * t**2 + k * t**3,
        ]
    )


def closed_spline(control: Floats64, tension: float = 0.5) -> Floats64:
    """Closed cardinal spline through control points, [N, D] to [N * NUM_SPANS, D].

    `tension` 0.5 is Catmull and Rom's (Computer Aided Geometric Design, 1974); 0 gives a polygon.
    """
    around = np.stack([np.roll(control, 1, 0), control, np.roll(control, -1, 0), np.roll(control, -2, 0)])
    curve: Floats64 = np.einsum("knd,kt->ntd", around, _spline_weights(round(tension, 1)))
    return curve.reshape(-1, control.shape[1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """One covering's measures; see `catalogue.Kind` for the units. Pairs are (left, right in the picture)."""

    start: tuple[float, float]
    nose: float
    cheek: tuple[float, float]
    widen: float
    drop: float
    dome: float
    square: float
    stand_off: tuple[float, float]
    tilt_deg: float
    shift: tuple[float, float]
    bottom: str
    jitter: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """Edge of a covering in the head's frame.

    Attributes:
        edge: Closed curve, float [N, 2] (x, y).
        anchors: Where straps leave: left top, left bottom, right top, right bottom, float [4, 2].
        dome: How far the middle stands off the face.
    """

    edge: Floats64
    anchors: Floats64
    dome: float


def cut_outline(frame: HeadFrame, cut: Cut, rng: np.random.Generator) -> Outline:
    """Lay the edge of a catalogue covering along jaw, cheeks and nose."""
    points = frame.points
    nose = along(points, NOSE_CHAIN, cut.nose)[:2]
    below = max(0.0, cut.nose - 4.0) * 0.06  # Worn low, the whole upper edge comes down.
    inner_left, inner_right = points[_LEFT_CHEEK[0], :2].copy(), points[_RIGHT_CHEEK[0], :2].copy()
    inner_left[1] += 0.04 + 0.10 * cut.cheek[0] + below
    inner_right[1] += 0.04 + 0.10 * cut.cheek[1] + below
    # No corner may stand up like a horn above the edge that it ends.
    horn = max(0.02, 0.13 - 0.6 * below)
    first = _lowered(points, cut.start[0], inner_left[1] - horn)
    last = 20 - _lowered(points, cut.start[1], inner_right[1] - horn, mirrored=True)
    num = 9
    jaw = np.stack([along(points, JAW, first + (last - first) * i / (num - 1)) for i in range(num)])[:, :2]
    jaw[:, 0] *= cut.widen
    # The lower edge hangs below the chin; most in the middle.
    hang = np.clip((jaw[:, 1] - jaw[[0, -1], 1].mean()) / 0.4, 0, 1)
    jaw[:, 1] += hang * cut.drop
    jaw[: num // 2, 0] -= cut.stand_off[0] * np.linspace(0.4, 1, num // 2)
    jaw[num // 2 + 1 :, 0] += cut.stand_off[1] * np.linspace(1, 0.4, num // 2)
    if cut.square > 0:
        # Push the side's middle outwards and straighten the lower edge: four corners appear.
        for i, sign in ((1, -1.0), (2, -1.0), (num - 3, 1.0), (num - 2, 1.0)):
            edge_x = (jaw[0, 0] if sign < 0 else jaw[-1, 0]) * 0.94
            pushed = min(jaw[i, 0], edge_x) if sign < 0 else max(jaw[i, 0], edge_x)
            jaw[i, 0] += 0.7 * cut.square * (pushed - jaw[i, 0])
    if cut.bottom == "neck":
        far = float(points[152, 1]) + 1.2
        neck = np.array(
            [float(rng.uniform(0.26, 0.42)), float(rng.uniform(0.30, 0.46))]
        )  # Under the jaw, far below.
        fold = points[152, 1] + float(rng.uniform(-0.02, 0.10))
        down = [[-neck[0], fold], [-neck[1], far], [neck[1], far], [neck[0], fold]]
        jaw = np.concatenate([jaw[:3], down, jaw[num - 3 :]])
    elif cut.bottom == "wrap":
        fold = float(points[152, 1])
        spread = np.array([rng.uniform(0.48, 0.66), rng.uniform(0.55, 0.95), rng.uniform(0.35, 0.9)])
        heights = fold + np.array([rng.uniform(-0.15, 0.0), rng.uniform(0.1, 0.4), rng.uniform(0.45, 1.0)])
        uneven = np.exp(rng.normal(0, 0.12, (2, 3)))  # One side lies higher and wider than the other.
        left = np.stack([-spread * uneven[0], heights + rng.normal(0, 0.05, 3)], 1)
        right = np.stack([spread * uneven[1], heights + rng.normal(0, 0.05, 3)], 1)
        jaw = np.concatenate([jaw[:3], left, right[::-1], jaw[num - 3 :]])
    elif cut.bottom == "point":
        jaw[3:-3, 1] += cut.drop * np.array([0.3, 1.0, 0.3])
    sides = []
    for inner, chain, corner in ((inner_left, _LEFT_CHEEK, jaw[0]), (inner_right, _RIGHT_CHEEK, jaw[-1])):
        outer = 0.5 * points[chain[2], :2] + 0.5 * corner
        outer[1] = max(outer[1], inner[1] - 0.02)
        sides.append((inner, outer))
    (left_in, left_out), (right_in, right_out) = sides
    # Where the upper edge meets a corner that lies further in than the cheek, drop the outer point.
    right_top = [right_out, right_in] if abs(jaw[-1, 0]) > abs(right_in[0]) + 0.06 else [right_in]
    left_top = [left_in, left_out] if abs(jaw[0, 0]) > abs(left_in[0]) + 0.06 else [left_in]
    control = np.concatenate([jaw, right_top, [nose], left_top])
    control = control + rng.normal(0, cut.jitter, control.shape)
    edge = closed_spline(control, 0.5 - 0.3 * cut.square)
    n = len(jaw)
    anchors = np.stack([control[0], control[3 if n > 6 else 1], control[n - 1], control[n - 4]])
    angle = np.deg2rad(cut.tilt_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shift = np.array(cut.shift)
    return Outline(edge=edge @ turn + shift, anchors=anchors @ turn + shift, dome=cut.dome)


def hood_outline(frame: HeadFrame, cut: Cut, rng: np.random.Generator) -> tuple[Outline, Floats64]:
    """Lay a hood over the whole head and neck; return it and the opening about the eyes, [M, 2] in the frame.

    The opening's lower edge lies where a mask's upper edge would; now and then it reaches up to the hair.
    """
    points = frame.points
    chin, brow = float(points[152, 1]), float(points[10, 1])
    crown = brow - float(rng.uniform(0.22, 0.36))
    half = np.array([rng.uniform(0.30, 0.42), rng.uniform(0.56, 0.64), rng.uniform(0.52, 0.60)])
    neck = (float(rng.uniform(0.30, 0.42)), float(rng.uniform(0.34, 0.55)))
    right = np.array(
        [
            (half[0], crown + 0.10), (half[1], brow + 0.12), (half[2], 0.5 * chin - 0.2),
            (half[2] - 0.08, chin), (neck[0], chin + 0.12), (neck[1], chin + float(rng.uniform(0.4, 1.1))),
        ]
    )  # fmt: skip
    left = right * [-1, 1]
    edge = np.concatenate([[[0.0, crown]], right, left[::-1]])
    edge = closed_spline(edge + rng.normal(0, cut.jitter, edge.shape))
    eyes = float(points[_LOWER_LIDS, 1].mean()) - 0.03
    low = max(float(along(points, NOSE_CHAIN, cut.nose)[1]), eyes + 0.14)
    high = eyes - float(rng.uniform(0.12, 0.22)) if rng.random() < 0.75 else brow + float(rng.uniform(0, 0.1))
    wide = float(rng.uniform(0.40, 0.52))
    side = eyes + float(rng.normal(0, 0.03))
    around = np.array(
        [(-wide, side), (-0.7 * wide, high + 0.03), (0.0, high), (0.7 * wide, high + 0.03), (wide, side),
         (0.6 * wide, max(low - 0.04, eyes + 0.12)), (0.0, low), (-0.6 * wide, max(low - 0.04, eyes + 0.12))]
    )  # fmt: skip
    opening = closed_spline(around + rng.normal(0, cut.jitter, around.shape))
    shift = np.array(cut.shift)
    anchors = edge[[0, 0, 0, 0]]
    return Outline(edge=edge + shift, anchors=anchors + shift, dome=cut.dome), opening + shift


def _lowered(points: Floats64, start: float, highest_y: float, *, mirrored: bool = False) -> float:
    """First position at or below `start` along the jaw that lies no higher than `highest_y`."""
    chain = JAW[::-1] if mirrored else JAW
    while start < 7 and float(along(points, chain, start)[1]) < highest_y:
        start += 0.25
    return start
