"""Dress a photographed head: caps, hoods, hats, sunglasses, face shields.

Few data sets show them, streets are full of them. They leave nose and mouth free, so none is a covering.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from demask.coverings import noise
from demask.coverings.head import HeadFrame, head_frame
from demask.coverings.look import pick_colour
from demask.coverings.outline import closed_spline
from demask.coverings.shading import Scene, read_scene
from demask.coverings.sheet import fixed_point
from demask.types import Floats32, Floats64, ImageU8, Landmarks

_BROWS, _FOREHEAD, _CHIN = (105, 334), 10, 152
_EYES = ((33, 133), (362, 263))  # Outer and inner corner, left and right in the picture.


def wear(face: ImageU8, landmarks: Landmarks, rng: np.random.Generator) -> ImageU8:
    """Put one thing on the head, sometimes glasses as well.

    Args:
        face: Photograph, uint8 RGB [H, W, 3]; not changed.
        landmarks: FaceMesh points in its pixels, [468, 3].
        rng: Decides what and how.

    Returns:
        A new picture, uint8 RGB [H, W, 3].

    Raises:
        InputError: The landmarks cannot be used.
    """
    dresser = _Dresser(face, head_frame(landmarks), rng)
    choice = rng.random()
    if choice < 0.65:
        _HEADWEAR[int(rng.integers(len(_HEADWEAR)))](dresser)
    if choice > 0.45:
        _EYEWEAR[int(rng.choice(len(_EYEWEAR), p=(0.5, 0.25, 0.12, 0.13)))](dresser)
    return dresser.finished()


class _Dresser:
    """One head being dressed; shapes are given in the head's frame (units of the face's width)."""

    def __init__(self, face: ImageU8, frame: HeadFrame, rng: np.random.Generator) -> None:
        self.frame, self.rng = frame, rng
        self.scene: Scene = read_scene(face, frame, rng)
        self.picture = face.astype(np.float32)
        self.brow = float(frame.points[list(_BROWS), 1].mean())
        self.top = float(frame.points[_FOREHEAD, 1])
        self.chin = float(frame.points[_CHIN, 1])

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def colour(self) -> Floats32:
        """A cloth's colour in the photograph's light, levels [3]."""
        ink = pick_colour(self.rng, "cloth", "training") * 255 * self.scene.ambient
        return np.asarray(ink * self.scene.gain, np.float32)

    def polygon(self, points: Floats64, z: float | Floats64, *, smooth: bool = True) -> Floats64:
        """A closed outline in picture pixels, from frame points [N, 2] at depth z."""
        outline = closed_spline(np.asarray(points, np.float64)) if smooth else np.asarray(points, np.float64)
        depth = np.broadcast_to(z, len(outline))
        return self.frame.to_picture(np.column_stack([outline, depth]))[:, :2]

    def lay(
        self, polygons: list[Floats64], colour: Floats32, *, part: float = 1.0, folds: float = 0.15
    ) -> None:
        """Fill polygons (even-odd) with a colour under slowly changing light."""
        coverage = np.zeros(self.picture.shape[:2], np.uint8)
        cv2.fillPoly(coverage, [fixed_point(p) for p in polygons], 255, cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(coverage, (0, 0), max(0.4, self.scene.blur_px)).astype(np.float32)
        height, width = self.picture.shape[0], self.picture.shape[1]
        coarse = self.rng.normal(0, folds, (int(self.rng.integers(4, 12)), int(self.rng.integers(4, 12))))
        light = 1 + cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        share = soft[..., None] * np.float32(part / 255)
        self.picture += (colour * light[..., None] - self.picture) * share

    def line(self, points: Floats64, colour: Floats32, thick: float, *, closed: bool) -> None:
        """Draw a line through picture points; `thick` in face widths."""
        coverage = np.zeros(self.picture.shape[:2], np.uint8)
        px = max(1, round(thick * self.frame.width_px))
        cv2.polylines(coverage, [fixed_point(points)], closed, 255, px, cv2.LINE_AA, 4)
        self.picture += (colour - self.picture) * (coverage.astype(np.float32) / 255)[..., None]

    def finished(self) -> ImageU8:
        """The picture, as grey and as grainy as it was."""
        drawn = self.picture
        if self.scene.tint is not None:
            luma = drawn @ np.array([0.299, 0.587, 0.114], np.float32)
            drawn = luma[..., None] * self.scene.tint.astype(np.float32)
        drawn += noise.cut(self.rng, drawn.shape[:2], 0.6)[..., None] * np.float32(0.5 * self.scene.grain)
        return np.asarray(np.clip(drawn, 0, 255), np.uint8)


def _dome(dresser: _Dresser, *, low: float, rise: float, half: float) -> Floats64:
    """Outline of a cap's crown: along the brow from ear to ear, and over the skull."""
    sag = dresser.between(-0.02, 0.06)
    edge = [
        (-half, low + 0.10),
        (-0.55 * half, low + sag),
        (0, low),
        (0.55 * half, low + sag),
        (half, low + 0.10),
    ]
    over = [(1.02 * half, low - 0.35 * rise), (0.7 * half, low - 0.85 * rise), (0, low - rise)]
    points = np.array([*edge, *over, *((-x, y) for x, y in over[1::-1])])
    # The rim lies on the forehead, the crown over the middle of the head.
    outline = closed_spline(points)
    depth = np.interp(outline[:, 1], (low - 0.3 * rise, low), (-0.4, 0.0)) - 0.5 * outline[:, 0] ** 2
    return dresser.frame.to_picture(np.column_stack([outline, depth]))[:, :2]


def _crown(dresser: _Dresser, colour: Floats32) -> float:
    low = dresser.brow - dresser.between(0.0, 0.22)
    rise = (low - dresser.top) + dresser.between(0.3, 0.65)
    dresser.lay([_dome(dresser, low=low, rise=rise, half=dresser.between(0.52, 0.66))], colour)
    return low


def _cap(dresser: _Dresser) -> None:
    """A crown with a peak, mostly to the front."""
    colour = dresser.colour()
    low = _crown(dresser, colour)
    if dresser.rng.random() < 0.5:  # A badge or letters.
        at = np.array([dresser.between(-0.1, 0.1), low - dresser.between(0.12, 0.25)])
        badge = at + dresser.rng.normal(0, 0.06, (7, 2))
        dresser.lay([dresser.polygon(badge, 0.0)], dresser.colour())
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    peak = np.stack(
        [np.cos(angles) * dresser.between(0.38, 0.55), np.sin(angles) * dresser.between(0.04, 0.15)], 1
    )
    peak += (float(dresser.rng.normal(0, 0.06)), low + dresser.between(-0.02, 0.06))
    tone = dresser.between(0.5, 1.0)
    dresser.lay(
        [dresser.polygon(peak, 0.25)], dresser.colour() if dresser.rng.random() < 0.2 else colour * tone
    )


def _soft_cap(dresser: _Dresser) -> None:
    """A knitted or surgical cap, a hair net, a head band."""
    colour = dresser.colour()
    low = _crown(dresser, colour)
    if dresser.rng.random() < 0.5:
        band = [
            (-0.56, low + 0.1),
            (0, low),
            (0.56, low + 0.1),
            (0.56, low - 0.05),
            (0, low - 0.14),
            (-0.56, low - 0.05),
        ]
        dresser.lay([dresser.polygon(np.array(band), -0.1)], colour * dresser.between(0.6, 1.3))


def _hat(dresser: _Dresser) -> None:
    """A crown with a brim all round."""
    colour = dresser.colour()
    low = _crown(dresser, colour)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    brim = np.stack(
        [np.cos(angles) * dresser.between(0.7, 1.1), np.sin(angles) * dresser.between(0.06, 0.2)], 1
    )
    dresser.lay([dresser.polygon(brim + np.array([0.0, low]), -0.1)], colour * dresser.between(0.6, 1.0))


def _hood(dresser: _Dresser) -> None:
    """A hood, a headscarf or a wimple: everything but the face."""
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    middle = 0.5 * (dresser.top + dresser.chin)
    half = 0.5 * (dresser.chin - dresser.top)
    inner = circle * (dresser.between(0.44, 0.6), half * dresser.between(0.85, 1.2)) + (0.0, middle)
    outer = circle * (dresser.between(0.68, 1.0), half * dresser.between(1.4, 1.8)) + (0.0, middle)
    outer[:, 0] *= 1 + 0.5 * np.clip(outer[:, 1] - dresser.chin, 0, 1)  # Wider over the shoulders.
    inner += dresser.rng.normal(0, 0.015, inner.shape)
    outer += dresser.rng.normal(0, 0.03, outer.shape)
    dresser.lay([dresser.polygon(inner, -0.15), dresser.polygon(outer, -0.5)], dresser.colour(), folds=0.22)


def _earmuffs(dresser: _Dresser) -> None:
    """Muffs or headphones, with the band over the head."""
    colour = dresser.colour()
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1) * dresser.between(0.12, 0.25)
    y = 0.5 * (dresser.brow + 0.05)
    arc = np.linspace(np.pi, 2 * np.pi, 12)
    rise = dresser.brow - dresser.top + dresser.between(0.35, 0.6)
    band = np.stack([0.58 * np.cos(arc), y + (rise - dresser.brow + y) * np.sin(arc), np.full(12, -0.45)], 1)
    dresser.line(dresser.frame.to_picture(band)[:, :2], colour * 0.8, dresser.between(0.02, 0.1), closed=False)
    for side in (-1, 1):
        muff = circle * dresser.rng.uniform(0.85, 1.15, (12, 2)) + (side * 0.55, y)
        dresser.lay([dresser.polygon(muff, -0.35)], colour, folds=0.25)


def _lenses(dresser: _Dresser) -> list[Floats64]:
    """Outlines of two lenses, in the frame [N, 2]."""
    power = dresser.between(0.5, 1.0)
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    around = np.stack([np.sign(np.cos(angles)) * np.abs(np.cos(angles)) ** power,
                       np.sign(np.sin(angles)) * np.abs(np.sin(angles)) ** power], 1)  # fmt: skip
    size = np.array([dresser.between(0.15, 0.2), dresser.between(0.1, 0.19)])
    drop = dresser.between(-0.01, 0.05)
    centres = [dresser.frame.points[list(corners), :2].mean(0) + np.array([0, drop]) for corners in _EYES]
    return [around * size + centre * (1.06, 1) for centre in centres]


def _temples(dresser: _Dresser, ink: Floats32, lenses: list[Floats64]) -> None:
    left, right = lenses
    thick = dresser.between(0.012, 0.04)
    y = float(left[:, 1].mean()) - 0.04
    bridge = np.array([[left[:, 0].max(), y, 0.12], [0.0, y - 0.02, 0.16], [right[:, 0].min(), y, 0.12]])
    dresser.line(dresser.frame.to_picture(bridge)[:, :2], ink, thick, closed=False)
    for side, x in ((-1, left[:, 0].min()), (1, right[:, 0].max())):
        if -side * dresser.frame.axes[0, 2] < -0.2:
            continue  # That side of the head looks away.
        arm = np.array([[x, y, 0.0], [side * 0.52, y, -0.15], [side * 0.54, y, -0.5]])
        dresser.line(dresser.frame.to_picture(arm)[:, :2], ink, thick, closed=False)


def _sunglasses(dresser: _Dresser) -> None:
    """Dark or mirrored lenses."""
    lenses = _lenses(dresser)
    ink = np.asarray(dresser.colour() * 0.5, np.float32)
    glass = np.full(3, dresser.between(5, 50), np.float32)
    if dresser.rng.random() < 0.3:
        glass = dresser.colour()
    _temples(dresser, ink, lenses)
    for lens in lenses:
        outline = dresser.polygon(lens, 0.08)
        dresser.lay([outline], glass, part=dresser.between(0.8, 1.0), folds=0.35)
        dresser.line(outline, ink, dresser.between(0.008, 0.03), closed=True)


def _spectacles(dresser: _Dresser) -> None:
    """Clear lenses in a frame, now and then with a gleam."""
    lenses = _lenses(dresser)
    ink = np.asarray(dresser.colour() * dresser.between(0.2, 1.0), np.float32)
    _temples(dresser, ink, lenses)
    for lens in lenses:
        outline = dresser.polygon(lens, 0.08)
        if dresser.rng.random() < 0.4:
            dresser.lay([outline], np.full(3, 235, np.float32), part=dresser.between(0.03, 0.3), folds=0.5)
        dresser.line(outline, ink, dresser.between(0.01, 0.035), closed=True)


def _goggles(dresser: _Dresser) -> None:
    """One pane before both eyes."""
    left, right = (dresser.frame.points[list(corners), :2].mean(0) for corners in _EYES)
    w, h = dresser.between(0.2, 0.3), dresser.between(0.14, 0.24)
    corner = np.array([w, h])
    notch = [0.02, 0.4 * h + right[1]]
    pane = np.array([left - corner, right + corner * (1, -1), right + corner, notch, left + corner * (-1, 1)])
    outline = dresser.polygon(pane, 0.1)
    tone = np.full(3, dresser.between(20, 240), np.float32)
    dresser.lay([outline], tone, part=dresser.between(0.1, 0.9), folds=0.4)
    dresser.line(outline, dresser.colour(), dresser.between(0.02, 0.07), closed=True)


def _shield(dresser: _Dresser) -> None:
    """A clear visor before the whole face: a veil of light with gleams, and a head band."""
    low, high = dresser.chin + dresser.between(0.05, 0.4), dresser.top - dresser.between(0.0, 0.15)
    half = dresser.between(0.58, 0.75)
    pane = np.array(
        [
            (-half, high),
            (half, high),
            (half, low - 0.1),
            (0.6 * half, low),
            (-0.6 * half, low),
            (-half, low - 0.1),
        ]
    )
    outline = dresser.polygon(pane, 0.15)
    dresser.lay([outline], np.full(3, 235, np.float32), part=dresser.between(0.04, 0.25), folds=0.4)
    for _ in range(int(dresser.rng.integers(0, 4))):
        x, width = dresser.between(-half, half), dresser.between(0.02, 0.12)
        gleam = np.array([(x, high), (x + width, high), (x + width + 0.1, low - 0.1), (x + 0.1, low - 0.1)])
        dresser.lay([dresser.polygon(gleam, 0.15)], np.full(3, 245, np.float32), part=dresser.between(0.1, 0.5))
    band = np.array([(-half, high - 0.06), (half, high - 0.06), (half, high + 0.06), (-half, high + 0.06)])
    dresser.lay([dresser.polygon(band, 0.05, smooth=False)], dresser.colour())
    dresser.line(outline, np.full(3, 220, np.float32), 0.006, closed=True)


_HEADWEAR: tuple[Callable[[_Dresser], None], ...] = (
    _cap, _cap, _cap, _soft_cap, _soft_cap, _hat, _hood, _hood, _earmuffs,
)  # fmt: skip
_EYEWEAR: tuple[Callable[[_Dresser], None], ...] = (_sunglasses, _spectacles, _goggles, _shield)
