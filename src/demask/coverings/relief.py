"""Folds, pleats, seams, wires and valves: height maps and drawings on the flat cloth.

A height map is turned into light and shade by its slope (Lambert's law to first order), so one field serves
every direction of light. Heights are in units in which a slope of 1 is a strong crease.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from demask.coverings import noise
from demask.coverings.texture import U_SPAN, V_HIGH, V_LOW
from demask.types import Floats32, ImageU8


class Cloth:
    """A flat piece of cloth being worked on: its colour and its relief.

    Attributes:
        rgb: Colour, uint8 [H, W, 3]; drawn on in place.
        height: Relief, float32 [H, W].
        shade: Factor on the colour for creases that no light direction explains, float32 [H, W].
    """

    def __init__(self, rgb: ImageU8) -> None:
        self.rgb = rgb
        size = rgb.shape[:2]
        self.height: Floats32 = np.zeros(size, np.float32)
        self.shade: Floats32 = np.ones(size, np.float32)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @property
    def unit(self) -> float:
        """Pixels per unit of v."""
        return self.size[0] / (V_HIGH - V_LOW)

    def at(self, u: float, v: float) -> tuple[float, float]:
        """Pixel (x, y) of a place on the cloth."""
        return (u + U_SPAN) / (2 * U_SPAN) * self.size[1], (v - V_LOW) * self.unit

    def rows(self) -> Floats32:
        """Position v of each row, float32 [H, 1]."""
        return np.linspace(V_LOW, V_HIGH, self.size[0], dtype=np.float32)[:, None]

    def columns(self) -> Floats32:
        """Position u of each column, float32 [1, W]."""
        return np.linspace(-U_SPAN, U_SPAN, self.size[1], dtype=np.float32)[None]

    def crease(self, points: list[tuple[float, float]], width: float, depth: float) -> None:
        """Press a line into the cloth along (u, v) points; `width` in units of v."""
        line = np.array([self.at(*p) for p in points])
        thick = max(1, round(width * self.unit))
        canvas = np.zeros(self.size, np.uint8)
        cv2.polylines(canvas, [np.rint(line * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)
        self.shade -= canvas * np.float32(depth / 255)

    def stitch(self, points: list[tuple[float, float]], depth: float, dash: float = 0.012) -> None:
        """Sew a dashed line along (u, v) points."""
        line = np.array([self.at(*p) for p in points])
        canvas = np.zeros(self.size, np.uint8)
        gaps = np.hypot(*np.diff(line, axis=0).T)
        steps = np.arange(0, gaps.sum(), 2 * dash * self.unit + 1)
        far = np.concatenate([[0], np.cumsum(gaps)])
        x, y = np.interp(steps, far, line[:, 0]), np.interp(steps, far, line[:, 1])
        keep = (x >= 0) & (x < self.size[1]) & (y >= 0) & (y < self.size[0])
        canvas[y[keep].astype(int), x[keep].astype(int)] = 255
        self.shade -= cv2.GaussianBlur(canvas, (3, 3), 0) * np.float32(2 * depth / 255)

    def lit(self, light: npt.NDArray[np.floating], strength: float) -> ImageU8:
        """The cloth as it looks with its relief lit from (x, y) `light`: uint8 RGB [H, W, 3]."""
        slope = cv2.Sobel(self.height, cv2.CV_32F, 1, 0, ksize=3) * np.float32(light[0])
        slope += cv2.Sobel(self.height, cv2.CV_32F, 0, 1, ksize=3) * np.float32(light[1])
        factor = self.shade - slope * np.float32(strength)
        np.clip(factor, 0.4, 1.35, out=factor)
        # Dark cloth shows its folds by its sheen: add a little light as well as scaling.
        sheen = (factor - 1) * 22
        lit = cv2.multiply(self.rgb, cv2.merge([factor] * 3), dtype=cv2.CV_32F)
        lit += sheen[..., None]
        return np.clip(lit, 0, 255).astype(np.uint8)


def wrinkle(cloth: Cloth, rng: np.random.Generator, *, amount: float, stretch: float) -> None:
    """Soft irregular folds that run from both cheeks towards the middle, in place.

    Args:
        cloth: What is folded.
        rng: Source of chance.
        amount: Height of the folds; 1 is crumpled.
        stretch: How many times as long as wide a fold is.
    """
    height, width = cloth.size
    half = (-(-height // 2), -(-width // 2))  # The folds are smooth: half the size is enough, and quick.
    lean = float(rng.normal(0, 0.5))
    wide = cloth.unit * float(rng.uniform(0.004, 0.010))  # Pixels of cloth per pixel of the noise field.
    parts = []
    for side in (-1.0, 1.0):
        way = side * lean + float(rng.normal(0, 0.15))
        c, s = 2 * np.cos(way) / wide, 2 * np.sin(way) / wide
        shift = rng.uniform(0, noise.FIELD_PX, 2)
        matrix = np.array([[c / stretch, s / stretch, shift[0]], [-s, c, shift[1]]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        parts.append(
            cv2.warpAffine(noise.field(8.0), matrix, half[::-1], flags=flags, borderMode=cv2.BORDER_WRAP)
        )
    right = np.clip(0.5 + 1.2 * np.linspace(-U_SPAN, U_SPAN, half[1], dtype=np.float32), 0, 1)
    field = parts[0] + (parts[1] - parts[0]) * right
    # The absolute value turns blobs into ridges with sharp valleys, as folded cloth has.
    folds = (field - np.float32(0.6) * np.abs(field)) * np.float32(0.22 * amount * wide * 8)
    cloth.height += cv2.resize(folds, (width, height), interpolation=cv2.INTER_LINEAR)


def weave(cloth: Cloth, rng: np.random.Generator, amount: float) -> None:
    """Fine speckle of fibres."""
    fine = noise.cut(rng, cloth.size, 0.75, stretch=(1.0, float(rng.uniform(1.0, 2.0))))
    cloth.shade += fine * np.float32(amount)


def pleats(cloth: Cloth, rng: np.random.Generator) -> None:
    """The horizontal folds of a surgical covering: steps that fade towards one side each."""
    count = int(rng.choice([2, 3, 3, 3, 4]))
    spread = float(rng.uniform(0.28, 0.55))
    middle = float(rng.uniform(0.42, 0.58))
    v, down = cloth.rows(), float(rng.choice([1.0, 1.0, -1.0]))
    bow = cloth.columns() ** 2 * float(rng.uniform(-0.06, 0.10))
    wobble = noise.cut(rng, cloth.size, 16.0) * 0.008
    depth = float(rng.uniform(0.10, 0.34))
    for k in range(count):
        at = middle + spread * (k / max(count - 1, 1) - 0.5) + float(rng.normal(0, 0.012))
        away = (v - at - bow - wobble) * down
        # A dark step, then a shadow that fades out over about a tenth of the cloth's height.
        fade = np.exp(-np.maximum(away, 0) / float(rng.uniform(0.02, 0.06)), dtype=np.float32)
        cloth.shade -= depth * np.where(away > 0, fade, 0).astype(np.float32)
        cloth.shade += 0.3 * depth * np.exp(-((away + 0.02) ** 2) / 0.0003, dtype=np.float32)


def hem(cloth: Cloth, rng: np.random.Generator, at_v: float) -> None:
    """A stitched or welded border across the cloth."""
    bow = float(rng.uniform(-0.02, 0.04))
    points = [(float(u), at_v + bow * float(u) ** 2) for u in np.linspace(-1.1, 1.1, 9)]
    if rng.random() < 0.5:
        cloth.stitch(points, float(rng.uniform(0.06, 0.2)))
    else:
        cloth.crease(points, float(rng.uniform(0.006, 0.02)), float(rng.uniform(0.04, 0.16)))


def ridge(cloth: Cloth, rng: np.random.Generator) -> None:
    """The upright fold down the middle of a folded respirator."""
    u = cloth.columns() - float(rng.normal(0, 0.02))
    cloth.height -= np.abs(u) * np.float32(cloth.size[1] * rng.uniform(0.02, 0.05))
    points = [(float(rng.normal(0, 0.006)), float(v)) for v in np.linspace(-0.1, 1.1, 7)]
    cloth.crease(points, float(rng.uniform(0.005, 0.015)), float(rng.uniform(-0.10, 0.22)))


def seam(cloth: Cloth, rng: np.random.Generator) -> None:
    """The bent seam down the middle of a sewn covering."""
    bend = float(rng.uniform(-0.05, 0.05))
    points = [(bend * float(np.sin(3 * v)), float(v)) for v in np.linspace(-0.15, 1.15, 9)]
    cloth.crease(points, float(rng.uniform(0.006, 0.018)), float(rng.uniform(0.12, 0.4)))
    u = cloth.columns() - bend
    cloth.height -= np.abs(u) * np.float32(cloth.size[1] * rng.uniform(0.005, 0.025))
    if rng.random() < 0.4:
        side = float(rng.choice([-0.03, 0.03]))
        cloth.stitch([(p[0] + side, p[1]) for p in points], 0.2)


def wire(cloth: Cloth, rng: np.random.Generator) -> None:
    """The nose wire: a raised bar under the upper edge."""
    v = float(rng.uniform(0.03, 0.09))
    reach = float(rng.uniform(0.2, 0.5))
    points = [(float(u), v + 0.03 * float(u) ** 2) for u in np.linspace(-reach, reach, 7)]
    width = float(rng.uniform(0.015, 0.035))
    cloth.crease(points, width, float(rng.uniform(-0.14, 0.06)))
    cloth.crease([(u, p + 0.7 * width) for u, p in points], 0.008, float(rng.uniform(0.05, 0.25)))


def panels(cloth: Cloth, rng: np.random.Generator) -> None:
    """Two curved cross seams: the three-panel respirator."""
    for v, sign in ((float(rng.uniform(0.28, 0.4)), 1.0), (float(rng.uniform(0.62, 0.76)), -1.0)):
        bow = sign * float(rng.uniform(0.02, 0.16))
        points = [(float(u), v + bow * float(u) ** 2) for u in np.linspace(-1.1, 1.1, 13)]
        cloth.crease(points, float(rng.uniform(0.008, 0.02)), float(rng.uniform(0.12, 0.35)))
        tilt = np.clip((cloth.rows() - v) * 8, -1, 1) * np.float32(0.06 * sign)
        cloth.shade -= tilt * np.ones_like(cloth.columns())


def lettering(cloth: Cloth, rng: np.random.Generator) -> None:
    """Small print such as a norm and a batch number."""
    letters = "ABCDEFGHKMNPRSTX0123456789"
    ink = (30, 30, 40) if float(cloth.rgb.mean()) > 90 else (200, 200, 200)
    u, v = float(rng.uniform(-0.7, 0.3)), float(rng.uniform(0.35, 0.75))
    for line in range(int(rng.integers(1, 4))):
        text = "".join(letters[int(i)] for i in rng.integers(0, len(letters), int(rng.integers(3, 9))))
        x, y = cloth.at(u, v + 0.06 * line)
        tall = cloth.unit * float(rng.uniform(0.0010, 0.0022))
        cv2.putText(cloth.rgb, text, (int(x), int(y)), cv2.FONT_HERSHEY_SIMPLEX, tall, ink, 1, cv2.LINE_AA)


def valve(
    cloth: Cloth, rng: np.random.Generator, *, u: float, v: float, radius: float, colour: tuple[int, int, int]
) -> None:
    """A round or square plastic valve with slots."""
    x, y = cloth.at(u, v)
    rx, ry = radius * cloth.size[1] / (2 * U_SPAN) * 0.72, radius * cloth.unit
    square = rng.random() < 0.25
    dark = tuple(int(c * 0.55) for c in colour)

    def disc(dx: float, grow: float, ink: tuple[int, ...]) -> None:
        if square:
            a = (int((x + dx - rx * grow) * 16), int((y + dx - ry * grow) * 16))
            b = (int((x + dx + rx * grow) * 16), int((y + dx + ry * grow) * 16))
            cv2.rectangle(cloth.rgb, a, b, ink, -1, cv2.LINE_AA, 4)
        else:
            centre = (int((x + dx) * 16), int((y + dx) * 16))
            axes = (int(rx * grow * 16), int(ry * grow * 16))
            cv2.ellipse(cloth.rgb, centre, axes, 0, 0, 360, ink, -1, cv2.LINE_AA, 4)

    disc(0.03 * cloth.unit, 1.08, tuple(int(c * 0.5) for c in cloth.rgb[int(y), int(x)]))
    disc(0.0, 1.0, colour)
    disc(0.0, 0.86, dark)
    disc(0.0, 0.78, colour)
    slots = int(rng.integers(0, 9))
    turn = float(rng.uniform(0, np.pi))
    thick = max(1, int(0.08 * ry))
    for k in range(slots):
        if rng.random() < 0.5 or square:
            offset = (k + 0.5) / slots * 1.2 - 0.6
            a = (int(x - 0.5 * rx), int(y + offset * ry))
            b = (int(x + 0.5 * rx), int(y + offset * ry))
        else:
            way = turn + 2 * np.pi * k / slots
            a = (int(x + 0.25 * rx * np.cos(way)), int(y + 0.25 * ry * np.sin(way)))
            b = (int(x + 0.65 * rx * np.cos(way)), int(y + 0.65 * ry * np.sin(way)))
        cv2.line(cloth.rgb, a, b, dark, thick, cv2.LINE_AA)


def holes(cloth: Cloth, rng: np.random.Generator) -> None:
    """Rows of breathing holes on both sides of the middle."""
    dark = tuple(int(c * 0.25) for c in cloth.rgb[cloth.size[0] // 2, cloth.size[1] // 2])
    gap, radius = float(rng.uniform(0.05, 0.09)), float(rng.uniform(0.010, 0.026))
    for side in (-1, 1):
        for row in range(int(rng.integers(2, 5))):
            for col in range(int(rng.integers(2, 6))):
                x, y = cloth.at(side * (0.16 + gap * 1.2 * col), 0.35 + gap * row + 0.02 * col)
                axes = (int(radius * cloth.unit * 16), int(radius * cloth.unit * 10))
                turn = 25 * side
                cv2.ellipse(cloth.rgb, (int(x * 16), int(y * 16)), axes, turn, 0, 360, dark, -1, cv2.LINE_AA, 4)


def rings(cloth: Cloth, rng: np.random.Generator) -> None:
    """The moulded border and ribs of a cup."""
    u, v = cloth.columns() * 0.95, (cloth.rows() - 0.52) * 2.0
    far = np.sqrt(u * u + v * v)
    for at in (float(rng.uniform(0.78, 0.92)), float(rng.uniform(0.3, 0.7))):
        cloth.height += np.exp(-((far - at) ** 2) / 0.0008, dtype=np.float32) * np.float32(
            rng.uniform(0.5, 2.5)
        )
    if rng.random() < 0.5:
        at = float(rng.uniform(0.25, 0.7))
        cloth.crease([(-0.8, at), (0.0, at - 0.03), (0.8, at)], 0.012, float(rng.uniform(0.05, 0.15)))
