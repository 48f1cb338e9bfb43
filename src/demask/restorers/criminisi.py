"""Exemplar-based region filling: copy known patches into the hole, strong edges first.

A. Criminisi, P. Perez, K. Toyama, "Region Filling and Object Removal by Exemplar-Based Image
Inpainting", IEEE Transactions on Image Processing 13(9), 2004; the letters and step numbers are those of
sec. III. Y, x: a pixel as (row, column).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from demask.errors import ConfigError, ShapeMismatch
from demask.restorers.about import About, Parameter
from demask.restorers.cielab import to_lab
from demask.restorers.patch_search import PatchSearch
from demask.types import Hole, ImageU8

LAB_STEPS = 3
"""Steps per unit of CIE Lab. A third of a unit is finer than most steps of 8-bit sRGB, and the sums over a
9x9 patch then stay exact in float32."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CriminisiConfig:
    """Settings, with the paper's defaults."""

    patch_px: int = 9  # Side of a patch; "slightly larger than the largest distinguishable texture element".
    alpha: float = 255.0  # Normalises the data term; it scales all priorities alike.

    def __post_init__(self) -> None:
        if self.patch_px % 2 == 0 or not 3 <= self.patch_px <= 49:
            raise ConfigError(f"patch_px is {self.patch_px}; a patch has a middle: need odd, 3 to 49")
        if not self.alpha > 0:
            raise ConfigError(f"alpha is {self.alpha}; need more than 0")


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One patch copied: (row, column) of the middle of the filled patch and of its source."""

    target: tuple[int, int]
    source: tuple[int, int]


class Criminisi:
    """Fill the hole with patches of the rest of the crop.

    Args:
        config: Settings; the paper's by default.
    """

    def __init__(self, config: CriminisiConfig | None = None) -> None:
        self.config = config or CriminisiConfig()

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill one crop: uint8 RGB [H, W, 3] and bool [H, W] to uint8 RGB [H, W, 3].

        Every colour of the result is one of a known pixel; known pixels stay as they are.

        Raises:
            ShapeMismatch: `masked` and `hole` cover different pixels.
            InputError: The hole leaves no whole patch known.
        """
        if masked.shape[:2] != hole.shape:
            raise ShapeMismatch(image=masked.shape, hole=hole.shape)
        if not hole.any():
            return masked.copy()
        filling = Filling(masked, hole, self.config)
        for _ in filling:
            pass
        return filling.picture


class Filling(Iterator[Step]):
    """A hole while it is filled; each step copies one patch, until none is left.

    Attributes:
        picture: What is filled so far, uint8 RGB [H, W, 3]; black where it is not.
        known: Pixels of the photograph and those filled so far, bool [H, W].
        confidence: C of the paper for known pixels, float64 [H, W] in [0, 1]; 0 where nothing is known.
        priority: P of the paper on the fill front, float64 [H, W]; -1 elsewhere.

    Args:
        masked: uint8 RGB [H, W, 3]; what it shows in the hole does not matter.
        hole: True = to be filled, bool [H, W].
        config: Settings.

    Raises:
        InputError: The hole leaves no whole patch known.
    """

    def __init__(self, masked: ImageU8, hole: Hole, config: CriminisiConfig) -> None:
        self._config, self._reach = config, config.patch_px // 2
        self.picture: ImageU8 = np.where(hole[..., None], np.uint8(0), masked)
        self.known: Hole = ~hole
        self.confidence = self.known.astype(np.float64)
        self._lab = np.rint(to_lab(self.picture) * LAB_STEPS).astype(np.int32)
        self._grey = _grey(self.picture)
        # The source region stays the one of the start: what was copied is not copied again.
        self._search = PatchSearch(self._lab, self.known, patch_px=config.patch_px)
        # Twice the gradient, as whole numbers, and its squared length; -1 where nothing is known.
        self._gradient = np.zeros((*hole.shape, 2), np.int64)
        self._strength = np.full(hole.shape, -1, np.int64)
        # C and P on the fill front; -1 elsewhere.
        self._front_confidence = np.full(hole.shape, -1.0)
        self.priority = np.full(hole.shape, -1.0)
        self._refresh((slice(0, hole.shape[0]), slice(0, hole.shape[1])))

    def __next__(self) -> Step:
        """Fill the patch of the highest priority (steps 1 to 3 of the paper's table 1)."""
        y, x = self._first_in_line()
        if self.priority[y, x] < 0:
            raise StopIteration
        region = self._around(y, x, self._reach)

        # Step 2: the best exemplar, compared where the target is known.
        rows, columns = region
        inner = (
            slice(rows.start - y + self._reach, rows.stop - y + self._reach),
            slice(columns.start - x + self._reach, columns.stop - x + self._reach),
        )
        side = self._config.patch_px
        target, compared = np.zeros((side, side, 3), np.int32), np.zeros((side, side), bool)
        target[inner], compared[inner] = self._lab[region], self.known[region]
        top, left = self._search.nearest(target, compared)
        source = (
            slice(top + inner[0].start, top + inner[0].stop),
            slice(left + inner[1].start, left + inner[1].stop),
        )
        fresh = ~self.known[region]
        for plane in (self.picture, self._lab, self._grey):
            plane[region][fresh] = plane[source][fresh]

        # Step 3: what was filled is believed as much as its surroundings were.
        self.confidence[region][fresh] = self._front_confidence[y, x]
        self.known[region] = True
        self._refresh(region)
        return Step(target=(y, x), source=(top + self._reach, left + self._reach))

    def _first_in_line(self) -> tuple[int, int]:
        """The highest priority; among equals the highest confidence, then the first in reading order.

        In flat surroundings the data term, and with it every priority, is zero: confidence decides.
        """
        best = np.flatnonzero(self.priority == self.priority.max())
        chosen = int(best[self._front_confidence.ravel()[best].argmax()])
        y, x = divmod(chosen, self.known.shape[1])
        return int(y), int(x)

    def _around(self, y: int, x: int, reach: int) -> tuple[slice, slice]:
        return self._widened((slice(y, y + 1), slice(x, x + 1)), reach)

    def _widened(self, region: tuple[slice, slice], reach: int) -> tuple[slice, slice]:
        rows, columns = (
            slice(max(0, part.start - reach), min(size, part.stop + reach))
            for part, size in zip(region, self.known.shape, strict=True)
        )
        return rows, columns

    def _refresh(self, changed: tuple[slice, slice]) -> None:
        """Bring gradients, front and priorities up to date where `changed` pixels can be felt."""
        near = self._widened(changed, 1)
        wider = self._widened(near, 1)
        top, left = near[0].start - wider[0].start, near[1].start - wider[1].start
        gradient = _double_gradient(self._grey[wider], self.known[wider])[
            top : top + near[0].stop - near[0].start, left : left + near[1].stop - near[1].start
        ]
        self._gradient[near] = gradient
        self._strength[near] = np.where(self.known[near], (gradient**2).sum(axis=2), -1)

        # A patch sees a changed gradient from here; normals (5x5) and front are felt no further.
        felt = self._widened(changed, self._reach + 1)
        wider = self._widened(felt, 2)
        normals = _normals(~self.known[wider])
        front = _rim(~self.known[wider])
        self.priority[felt] = self._front_confidence[felt] = -1
        top, left = wider[0].start, wider[1].start
        for row, column in np.argwhere(front):
            y, x = top + int(row), left + int(column)
            if felt[0].start <= y < felt[0].stop and felt[1].start <= x < felt[1].stop:
                normal = (int(normals[row, column, 0]), int(normals[row, column, 1]))
                region = self._around(y, x, self._reach)
                # Step 1a. `fsum` rounds once, so the order of the sum cannot matter.
                believed = self.confidence[region]
                confidence = math.fsum(believed.ravel().tolist()) / believed.size
                self._front_confidence[y, x] = confidence
                self.priority[y, x] = confidence * self._data_term(region, normal)

    def _data_term(self, region: tuple[slice, slice], normal: tuple[int, int]) -> float:
        """D = |isophote . normal| / alpha (eq. 1), with the strongest known gradient of the patch."""
        length = math.sqrt(normal[0] ** 2 + normal[1] ** 2)
        if length == 0:  # The hole looks alike on both sides, such as a line of one pixel.
            return 0.0
        gradient = self._gradient[region].reshape(-1, 2)[self._strength[region].argmax()]
        isophote = (int(gradient[1]), -int(gradient[0]))  # (d/dy, d/dx) turned by 90 degrees.
        along = abs(isophote[0] * normal[0] + isophote[1] * normal[1])
        return along / (2 * length) / self._config.alpha


def _grey(picture: ImageU8) -> npt.NDArray[np.int64]:
    """Luma by ITU-R BT.601 in whole levels, 0 to 255."""
    red, green, blue = np.moveaxis(picture.astype(np.int64), 2, 0)
    grey: npt.NDArray[np.int64] = (299 * red + 587 * green + 114 * blue + 500) // 1000
    return grey


def _double_gradient(grey: npt.NDArray[np.int64], known: Hole) -> npt.NDArray[np.int64]:
    """Twice (d/dy, d/dx) from known pixels alone, int64 [H, W, 2].

    Central differences; one-sided beside an unknown pixel or the edge; 0 between two of those.
    """
    both = []
    for axis in (0, 1):
        there = known & np.roll(known, -1, axis)
        rise = (np.roll(grey, -1, axis) - grey) * there
        last = [slice(None), slice(None)]
        last[axis] = slice(-1, None)
        there[tuple(last)], rise[tuple(last)] = False, 0
        there_before, rise_before = np.roll(there, 1, axis), np.roll(rise, 1, axis)
        both.append((rise + rise_before) * np.where(there & there_before, 1, 2))
    return np.stack(both, axis=2)


def _normals(hole: Hole) -> npt.NDArray[np.int16]:
    """(d/dy, d/dx) of the hole, int16 [H, W, 2], by Sobel's 5x5 kernel: whole numbers, any length."""
    region = hole.astype(np.uint8)
    down, right = (
        cv2.Sobel(region, cv2.CV_16S, dx, 1 - dx, ksize=5, borderType=cv2.BORDER_REPLICATE) for dx in (0, 1)
    )
    return np.stack([down, right], axis=2)


def _rim(hole: Hole) -> Hole:
    """Pixels of the hole with a known neighbour above, below, left or right."""
    padded = np.pad(hole, 1, constant_values=True)
    enclosed = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    rim: Hole = hole & ~enclosed
    return rim


_DEFAULTS = CriminisiConfig()
ABOUT = About(
    name="criminisi",
    version=1,
    what="Copies known 9x9 patches into the hole, where confidence and edges are strongest first.",
    licence="Apache-2.0",
    paper=(
        "A. Criminisi, P. Perez, K. Toyama, Region Filling and Object Removal by Exemplar-Based Image "
        "Inpainting, IEEE Transactions on Image Processing 13(9), 2004"
    ),
    parameters=(
        Parameter(name="patch_px", ours=_DEFAULTS.patch_px, paper=9, what="side of a patch, pixels"),
        Parameter(name="alpha", ours=_DEFAULTS.alpha, paper=255.0, what="normalises the data term"),
    ),
    departures=(
        "The front's normal is the 5x5 Sobel gradient of the hole, where the paper smooths the contour's "
        "points with a Gaussian and turns the line through their neighbours: the same direction on a smooth "
        "contour, defined at corners and islands too. Where it vanishes the data term is 0.",
        "CIE Lab is rounded to thirds of a unit, so that differences are whole numbers, exact, and equal "
        "patches tie; the paper names no precision.",
        "The gradient is that of the luma, by central differences among known pixels, one-sided at the "
        "hole's rim; the paper does not say which gradient or channel.",
        "Ties, which the paper leaves open: highest confidence, then reading order; among equal gradients "
        "and equal patches the first in reading order.",
        "Patches that reach over the crop's edge are cut off there, and |patch| counts the pixels left.",
        "The picture outside the photo (black in an aligned crop) counts as known: a restorer is not told.",
    ),
)
