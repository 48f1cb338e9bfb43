"""Criminisi 2004 once more, in plain Python: slow, everything computed anew at every step, no arrays.

Written from the paper (and the choices that `demask.restorers.criminisi` states), to be compared with it
step by step. Pictures are lists of rows of (r, g, b); a hole is a list of rows of bool.
"""

from __future__ import annotations

import math
from functools import cache

Pixel = tuple[int, int, int]
Place = tuple[int, int]

SMOOTH = (1, 4, 6, 4, 1)
SLOPE = (-1, -2, 0, 2, 1)


@cache
def lab_thirds(pixel: Pixel) -> Pixel:
    """CIE Lab of one sRGB pixel in thirds of a unit."""
    r, g, b = (v / 255 / 12.92 if v / 255 <= 0.04045 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in pixel)
    x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047
    y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b
    z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z))
    lightness, a_star, b_star = 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)
    return round(3 * lightness), round(3 * a_star), round(3 * b_star)


def fill(
    picture: list[list[Pixel]], hole: list[list[bool]], *, patch_px: int = 9, alpha: float = 255.0
) -> tuple[list[list[Pixel]], list[tuple[Place, Place]]]:
    """Fill the hole; return the picture and (target, source) of every step, as middles of patches."""
    height, width, reach = len(hole), len(hole[0]), patch_px // 2
    rgb = [[(0, 0, 0) if hole[y][x] else picture[y][x] for x in range(width)] for y in range(height)]
    known = [[not hole[y][x] for x in range(width)] for y in range(height)]
    believed = [[float(known[y][x]) for x in range(width)] for y in range(height)]
    cells = [(y, x) for y in range(height) for x in range(width)]
    offsets = [(i, j) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)]

    def inside(y: int, x: int) -> bool:
        return 0 <= y < height and 0 <= x < width

    def is_known(y: int, x: int) -> bool:
        return inside(y, x) and known[y][x]

    def patch(y: int, x: int) -> list[Place]:
        return [(y + i, x + j) for i, j in offsets if inside(y + i, x + j)]

    sources = [
        (y, x) for y, x in cells if all(inside(y + i, x + j) and not hole[y + i][x + j] for i, j in offsets)
    ]

    def grey(y: int, x: int) -> int:
        r, g, b = rgb[y][x]
        return (299 * r + 587 * g + 114 * b + 500) // 1000

    def slope(y: int, x: int, dy: int, dx: int) -> int:
        """Twice the derivative along (dy, dx)."""
        after, before = is_known(y + dy, x + dx), is_known(y - dy, x - dx)
        if after and before:
            return grey(y + dy, x + dx) - grey(y - dy, x - dx)
        if after:
            return 2 * (grey(y + dy, x + dx) - grey(y, x))
        if before:
            return 2 * (grey(y, x) - grey(y - dy, x - dx))
        return 0

    def normal(y: int, x: int) -> Place:
        ny = nx = 0
        for i in range(5):
            for j in range(5):
                row, column = min(max(y + i - 2, 0), height - 1), min(max(x + j - 2, 0), width - 1)
                open_ = int(not known[row][column])
                ny += SLOPE[i] * SMOOTH[j] * open_
                nx += SMOOTH[i] * SLOPE[j] * open_
        return ny, nx

    def confidence(y: int, x: int) -> float:
        around = patch(y, x)
        return math.fsum(believed[i][j] for i, j in around) / len(around)

    def data_term(y: int, x: int) -> float:
        ny, nx = normal(y, x)
        if ny == nx == 0:
            return 0.0
        strongest, dy, dx = -1, 0, 0
        for i, j in patch(y, x):
            if known[i][j]:
                gy, gx = slope(i, j, 1, 0), slope(i, j, 0, 1)
                if gy * gy + gx * gx > strongest:
                    strongest, dy, dx = gy * gy + gx * gx, gy, gx
        # The isophote: the gradient (dy, dx) turned by a right angle.
        return abs(dx * ny - dy * nx) / (2 * math.sqrt(ny * ny + nx * nx)) / alpha

    def difference(target: Place, source: Place) -> int:
        total = 0
        for i, j in offsets:
            y, x = target[0] + i, target[1] + j
            if is_known(y, x):
                one, other = lab_thirds(rgb[y][x]), lab_thirds(rgb[source[0] + i][source[1] + j])
                total += sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
        return total

    steps = []
    while True:
        front = [
            (y, x)
            for y, x in cells
            if not known[y][x]
            and (is_known(y - 1, x) or is_known(y + 1, x) or is_known(y, x - 1) or is_known(y, x + 1))
        ]
        if not front:
            return rgb, steps
        ranks = []
        for y, x in front:
            c = confidence(y, x)
            ranks.append((c * data_term(y, x), c, -y, -x))
        _, c, y, x = max(ranks)
        target = (-y, -x)
        source = min(sources, key=lambda place: (difference(target, place), place))
        for i, j in offsets:
            y, x = target[0] + i, target[1] + j
            if inside(y, x) and not known[y][x]:
                rgb[y][x] = rgb[source[0] + i][source[1] + j]
                believed[y][x] = c
                known[y][x] = True
        steps.append((target, source))
