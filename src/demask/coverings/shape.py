"""The shape of one covering: cut, straps and pods, drawn by chance within its kind's limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from demask.coverings.catalogue import CATALOGUE, TRAINING_KINDS, Kind, Range
from demask.coverings.head import HeadFrame
from demask.coverings.outline import Cut, Outline, closed_spline, cut_outline, hood_outline
from demask.coverings.sheet import Sheet, StrapPlan, drape, fixed_point, silhouette, strap_polygons
from demask.types import Floats64, UInts8

_UNDER_EYES = (145, 374, 23, 253)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Everything about a covering but its looks; positions in pixels of the picture.

    Attributes:
        kind: Key of the catalogue.
        variant: Cut within the kind.
        sheet: The cloth's surface.
        straps: Polygons of the visible straps, each [M, 2].
        strap_way: "none", "loops" or "bands".
        fingers: Further parts of the cloth outside its outline (random hands), each [M, 2].
        pods: Filters of a gas mask: base and front disc, each [2, M, 2].
        parts: Things of other colours that stick to an unusual covering, each [M, 2].
        openings: Holes in the cloth that the head shows through, each [M, 2].
        low_ride: Worn below the nose.
    """

    kind: str
    variant: str
    sheet: Sheet
    straps: list[Floats64]
    strap_way: str
    fingers: list[Floats64]
    pods: list[Floats64]
    parts: list[Floats64]
    openings: list[Floats64]
    low_ride: bool

    def bounds(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) around every part, in pixels."""
        parts = [
            self.sheet.picture[..., :2].reshape(-1, 2),
            self.sheet.hull,
            *self.straps,
            *self.fingers,
            *self.parts,
        ]
        everything = np.concatenate(parts + [pod.reshape(-1, 2) for pod in self.pods])
        (x0, y0), (x1, y1) = everything.min(0), everything.max(0)
        return float(x0), float(y0), float(x1), float(y1)

    def moved(self, dx: float, dy: float) -> Shape:
        """The same shape shifted in the picture."""
        d = np.array([dx, dy])
        sheet = replace(
            self.sheet, picture=self.sheet.picture + np.array([dx, dy, 0]), hull=self.sheet.hull + d
        )
        return replace(
            self, sheet=sheet, straps=[p + d for p in self.straps], fingers=[p + d for p in self.fingers],
            pods=[p + d for p in self.pods], parts=[p + d for p in self.parts],
            openings=[p + d for p in self.openings],
        )  # fmt: skip

    def fill(self, size: tuple[int, int]) -> tuple[UInts8, UInts8]:
        """Coverage of the covering itself and of its straps, uint8 [H, W] each, 255 = covered."""
        cover = silhouette(self.sheet, size, solid=self.kind != "random")
        for opening in self.openings:
            cv2.fillPoly(cover, [fixed_point(opening)], 0, cv2.LINE_AA, 4)
        for finger in self.fingers + self.parts:
            cv2.fillPoly(cover, [fixed_point(finger)], 255, cv2.LINE_AA, 4)
        for pod in self.pods:
            hull = cv2.convexHull(pod.reshape(-1, 2).astype(np.float32))[:, 0]
            cv2.fillConvexPoly(cover, fixed_point(np.asarray(hull, np.float32)), 255, cv2.LINE_AA, 4)
        straps = np.zeros(size, np.uint8)
        for strap in self.straps:
            cv2.fillPoly(straps, [fixed_point(strap)], 255, cv2.LINE_AA, 4)
        return cover, straps


def pick_kind(rng: np.random.Generator, kinds: tuple[str, ...] = TRAINING_KINDS) -> str:
    """Choose a kind as often as the catalogue says."""
    weights = np.array([CATALOGUE[kind].weight for kind in kinds])
    return kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]


def _between(rng: np.random.Generator, limits: Range) -> float:
    return float(rng.uniform(*limits))


def _random_cut(rng: np.random.Generator, kind: Kind, low_ride: bool) -> Cut:
    start, cheek = _between(rng, kind.start), _between(rng, kind.cheek)
    nose = _between(rng, (5.2, 7.5)) if low_ride else _between(rng, kind.nose)
    stands_off = rng.random() < 0.3
    return Cut(
        start=(max(0.0, start + float(rng.normal(0, 0.25))), max(0.0, start + float(rng.normal(0, 0.25)))),
        nose=nose,
        cheek=(cheek + float(rng.normal(0, 0.08)), cheek + float(rng.normal(0, 0.08))),
        widen=_between(rng, kind.widen), drop=_between(rng, kind.drop), dome=_between(rng, kind.dome),
        square=_between(rng, kind.square),
        stand_off=(_between(rng, (0, 0.06)), _between(rng, (0, 0.06))) if stands_off else (0.0, 0.0),
        tilt_deg=float(rng.normal(0, 2.5)),
        shift=(float(rng.normal(0, 0.012)), float(rng.normal(0.004, 0.012))),
        bottom=kind.bottom, jitter=_between(rng, (0.002, 0.008)),
    )  # fmt: skip


def plan_shape(frame: HeadFrame, name: str, rng: np.random.Generator, *, unusual: bool = False) -> Shape:
    """Draw the shape of one covering.

    Args:
        frame: The head it is fitted to.
        name: Kind, a key of `catalogue.CATALOGUE`.
        rng: Source of chance.
        unusual: Give it straps of any width, and things that stick to it, whatever its kind.
    """
    kind = CATALOGUE[name]
    variant = kind.variants[int(rng.integers(len(kind.variants)))]
    low_ride = bool(rng.random() < kind.low_ride)
    cut = _random_cut(rng, kind, low_ride)
    fingers: list[Floats64] = []
    opening: Floats64 | None = None
    if name == "random":
        outline, fingers = _random_outline(frame, variant, cut, rng)
    elif kind.hood:
        outline, opening = hood_outline(frame, cut, rng)
    else:
        outline = cut_outline(frame, cut, rng)
    way = ("none", "loops", "bands")[int(rng.choice(3, p=kind.straps))]
    plan = StrapPlan(
        way=way, width=_between(rng, kind.strap_width),
        flare=_between(rng, (2.2, 5.0)) if variant == "wings" else _between(rng, (0.9, 1.6)),
        slack=float(rng.normal(0, 0.012)), spread=(float(rng.normal(0, 0.03)), float(rng.normal(0, 0.03))),
    )  # fmt: skip
    if unusual:
        plan = replace(
            plan, way=("none", "loops", "bands")[int(rng.choice(3, p=(0.1, 0.35, 0.55)))],
            width=float(np.exp(rng.uniform(np.log(0.015), np.log(0.11)))),
            spread=(float(rng.normal(0, 0.05)), float(rng.normal(0, 0.05))),
        )  # fmt: skip
    return Shape(
        kind=name, variant=variant, sheet=drape(frame, outline), straps=strap_polygons(frame, outline, plan),
        strap_way=plan.way, fingers=[_project(frame, finger) for finger in fingers],
        pods=_pods(frame, outline, rng) if name == "gas" else [],
        parts=_parts(frame, outline, rng) if unusual else [],
        openings=[] if opening is None else [_project(frame, opening)], low_ride=low_ride,
    )  # fmt: skip


def _project(frame: HeadFrame, flat: Floats64) -> Floats64:
    z = frame.z_of(flat[:, 0], flat[:, 1]) + 0.03
    return frame.to_picture(np.column_stack([flat, z]))[:, :2]


def _random_outline(
    frame: HeadFrame, variant: str, cut: Cut, rng: np.random.Generator
) -> tuple[Outline, list[Floats64]]:
    """Shapes that no catalogue holds; edge and further parts in the head's frame."""
    fingers: list[Floats64] = []
    chin = float(frame.points[152, 1])
    centre = np.array([rng.normal(0, 0.07), rng.uniform(-0.12, 0.7 * chin)])
    if variant == "low":
        worn = replace(cut, nose=_between(rng, (5.0, 10.0)), widen=_between(rng, (0.85, 1.08)), square=0.3)
        edge = cut_outline(frame, replace(worn, start=(2.0, 2.0)), rng).edge
    elif variant == "lump":
        worn = replace(cut, nose=_between(rng, (0.5, 5.0)), jitter=_between(rng, (0.015, 0.05)))
        edge = cut_outline(frame, worn, rng).edge
    elif variant == "lobes":  # A cut like a catalogue's, with round parts that stand out past its edge.
        edge = cut_outline(frame, replace(cut, nose=_between(rng, (0.2, 5.0))), rng).edge
        for _ in range(int(rng.integers(1, 4))):
            at = edge[int(rng.integers(len(edge)))] * rng.uniform(0.7, 1.05)
            angles = np.linspace(0, 2 * np.pi, 10, endpoint=False)
            around = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.07, 0.2)
            fingers.append(closed_spline(around * rng.uniform(0.8, 1.2, (10, 2)) + at))
    elif variant == "hand":
        size, turn = _between(rng, (0.20, 0.32)), float(rng.uniform(-np.pi, np.pi))
        angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        palm = np.stack([np.cos(angles), 0.85 * np.sin(angles)], 1) * size * rng.uniform(0.85, 1.15, (12, 1))
        edge = closed_spline(palm + centre)
        for k in range(int(rng.integers(3, 6))):
            way = turn + (k - 2) * _between(rng, (0.22, 0.34))
            ahead = np.array([np.cos(way), np.sin(way)])
            aside = np.array([-ahead[1], ahead[0]]) * size * _between(rng, (0.14, 0.2))
            tip = centre + ahead * size * _between(rng, (1.5, 2.2))
            root = centre + ahead * size * 0.5
            fingers.append(
                closed_spline(np.stack([root + aside, tip + 0.8 * aside, tip + 0.5 * ahead * size * 0.3,
                                        tip - 0.8 * aside, root - aside]), 0.4)
            )  # fmt: skip
    else:
        if variant == "side":
            centre[0] = float(rng.choice([-1, 1])) * _between(rng, (0.08, 0.28))
        num = int(rng.integers(3, 8)) if variant == "polygon" else int(rng.integers(6, 13))
        angles = np.sort((np.arange(num) + rng.uniform(-0.35, 0.35, num)) * 2 * np.pi / num)
        radius = _between(rng, (0.2, 0.5)) * rng.uniform(0.6, 1.25, (num, 1))
        around = np.stack([np.cos(angles), np.sin(angles) * _between(rng, (0.7, 1.1))], 1) * radius
        edge = closed_spline(around + centre, 0.0 if variant == "polygon" else 0.5)
    if rng.random() < 0.9:  # Eyes stay free; the tenth covers what it likes.
        edge = edge.copy()
        edge[:, 1] = np.maximum(edge[:, 1], frame.points[list(_UNDER_EYES), 1].max() + rng.uniform(0.02, 0.08))
    order = (edge[:, 0].argmin(), edge[:, 0].argmax())
    anchors = np.stack([edge[order[0]], edge[order[0]], edge[order[1]], edge[order[1]]])
    anchors[[1, 3], 1] += 0.05
    return Outline(edge=edge, anchors=anchors, dome=cut.dome), fingers


def _parts(frame: HeadFrame, outline: Outline, rng: np.random.Generator) -> list[Floats64]:
    """Lumps of any outline, most of them at the covering's edge; often none."""
    parts = []
    middle = outline.edge.mean(0)
    for _ in range(int(rng.choice(4, p=(0.3, 0.3, 0.25, 0.15)))):
        at = middle + (outline.edge[int(rng.integers(len(outline.edge)))] - middle) * rng.uniform(0.3, 1.15)
        num = int(rng.integers(4, 12))
        angles = np.linspace(0, 2 * np.pi, num, endpoint=False) + rng.uniform(0, np.pi)
        around = np.stack([np.cos(angles), np.sin(angles) * rng.uniform(0.5, 1.0)], 1)
        around *= rng.uniform(0.03, 0.17) * rng.uniform(1 - 0.3 * rng.random(), 1, (num, 1))
        parts.append(_project(frame, closed_spline(around + at, float(rng.choice([0.0, 0.5])))))
    return parts


def _pods(frame: HeadFrame, outline: Outline, rng: np.random.Generator) -> list[Floats64]:
    """Filter housings on both cheeks, or one at the front; far ones first."""
    radius = _between(rng, (0.09, 0.18))
    y = _between(rng, (-0.02, 0.14))
    out = _between(rng, (0.16, 0.30))
    single = rng.random() < 0.2
    reach, splay = _between(rng, (0.04, 0.12)), _between(rng, (0.1, 0.8))
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    disc = np.stack([np.cos(angles), np.sin(angles) * _between(rng, (0.75, 1.1)), np.zeros(20)], 1) * radius
    pods = []
    for sign in (0.0,) if single else (-1.0, 1.0):
        centre = np.array([sign * out, y, 0.0])
        centre[2] = float(frame.z_of(centre[:1], centre[1:2])[0]) + outline.dome * 0.6
        axis = np.array([sign * splay, 0.15, 1.0])
        axis /= np.linalg.norm(axis)
        # Tip the disc so that it looks along its axis.
        tipped = disc.copy()
        tipped[:, 2] = -(disc[:, 0] * axis[0] + disc[:, 1] * axis[1]) / axis[2] * 0.8
        pair = np.stack([tipped + centre, tipped + centre + axis * reach])
        pods.append(frame.to_picture(pair))
    pods.sort(key=lambda pod: -float(pod[..., 2].mean()))
    return [pod[..., :2] for pod in pods]
