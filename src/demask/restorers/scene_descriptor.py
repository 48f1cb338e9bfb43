"""What a crop looks like in 528 numbers, from its known pixels alone: GIST and small colour, cell by cell.

The descriptor of J. Hays, A. A. Efros, "Scene Completion Using Millions of Photographs", SIGGRAPH 2007, sec.
3: six oriented edge responses at five scales, gathered on a 4 x 4 grid, and the colour in CIE Lab on the same
grid. GIST itself, with its levelling of local contrast, is that of A. Oliva, A. Torralba, "Building the Gist
of a Scene: the Role of Global Image Features in Recognition", Progress in Brain Research 155, 2006.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from demask.restorers.cielab import to_lab
from demask.types import Floats32, Hole, ImageU8

GRID = 4
ORIENTATIONS = 6
SCALES = 5
NUM_CELLS = GRID * GRID
NUM_ENERGIES = ORIENTATIONS * SCALES
CELL_VALUES = NUM_ENERGIES + 3

SIDE_PX = 128
"""The crop is described at this side; the finest filter's wave is then 8 px of the 256 px frame."""
_MARGIN_PX = 16
_FINEST_WAVE_PX = 4.0
_COARSER = {1: (0, 1), 2: (2,), 4: (3, 4)}
"""Which scales are worked out on a grid how much coarser: the band of each ends far below what that holds."""
_RADIAL_WIDTH = 0.65  # Standard deviation over centre frequency, log-Gabor: about one and a half octaves.
_CONTRAST_CYCLES = 4.0  # Cycles a picture below which brightness is levelled out, as in GIST.
_LEAST_CONTRAST = 0.2


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Description:
    """A crop, described.

    Attributes:
        values: float32 [16, 33], cells in reading order: 30 energies (scale by scale, fine to coarse; six
            orientations each), then mean L, a and b.
        share: How much of each cell is known, float32 [16] in [0, 1].
    """

    values: Floats32
    share: Floats32


def describe_known(picture: ImageU8, known: Hole) -> Description:
    """Describe the known pixels of a square crop; what the others show does not matter.

    Every value is a mean over the known pixels of its cell. Filters reach across the rim of the hole, so the
    hole is filled smoothly first: it then adds no edges of its own.

    Args:
        picture: uint8 RGB [H, H, 3].
        known: Pixels to describe, bool [H, H]; with none, all values are those of black.
    """
    share = _resized(known.astype(np.float32))
    sums = _resized(picture.astype(np.float32) * known[..., None])
    colours = fill_smoothly((sums / np.maximum(share, 1e-6)[..., None]).astype(np.float32), share)
    levels = np.clip(np.rint(colours), 0, 255).astype(np.uint8)
    lab = np.moveaxis(to_lab(levels), 2, 0).astype(np.float32)
    cells = [_cell_means(planes, share) for planes in (*_energies(_levelled(levels)), lab)]
    return Description(values=np.concatenate(cells).T, share=_cell_means(share[None], np.ones_like(share))[0])


def fill_smoothly(values: Floats32, share: Floats32) -> Floats32:
    """Replace what is not known by averages of what is, from ever wider surroundings (pull-push).

    Args:
        values: float32 [H, W, C].
        share: How far each pixel is known, float32 [H, W] in [0, 1].
    """
    height, width = share.shape
    if min(height, width) < 2 or share.min() >= 1:
        return values
    size = ((width + 1) // 2, (height + 1) // 2)
    half_fraction = np.asarray(cv2.resize(share, size, interpolation=cv2.INTER_AREA), np.float32)
    half = cv2.resize(values * share[..., None], size, interpolation=cv2.INTER_AREA)
    half = half.reshape(*half_fraction.shape, values.shape[2]) / np.maximum(half_fraction, 1e-6)[..., None]
    coarse = fill_smoothly(np.asarray(half, np.float32), np.minimum(2 * half_fraction, 1))
    wide = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(values.shape)
    return np.asarray(values * share[..., None] + wide * (1 - share[..., None]), np.float32)


def _resized(plane: Floats32) -> Floats32:
    return np.asarray(cv2.resize(plane, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.float32)


def _levelled(picture: ImageU8) -> Floats32:
    """Logarithm of the brightness without its slow changes, over the contrast around each pixel."""
    grey = np.log1p(picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))
    sigma = SIDE_PX * np.sqrt(np.log(2)) / (2 * np.pi * _CONTRAST_CYCLES)
    detail = grey - cv2.GaussianBlur(grey, (0, 0), sigma)
    contrast = np.sqrt(cv2.GaussianBlur(detail**2, (0, 0), sigma))
    return np.asarray(detail / (_LEAST_CONTRAST + contrast), np.float32)


def _energies(plane: Floats32) -> Iterator[Floats32]:
    """Modulus of each filter's response, float32 [12, side, side] and smaller ones, fine to coarse.

    Coarse filters pass no high frequencies, so their responses are worked out on a coarser grid.
    """
    spectrum = np.fft.fftshift(np.fft.fft2(np.pad(plane, _MARGIN_PX, mode="reflect")))
    for coarser, filters in _filters():
        side, middle = filters.shape[-1], spectrum.shape[0] // 2
        kept = slice(middle - side // 2, middle + side // 2)
        inner = slice(_MARGIN_PX // coarser, side - _MARGIN_PX // coarser)
        responses = np.fft.ifft2(np.fft.ifftshift(spectrum[kept, kept]) * filters)[:, inner, inner]
        yield np.asarray(np.abs(responses) / coarser**2, np.float32)


@functools.cache
def _filters() -> tuple[tuple[int, Floats32], ...]:
    """Transfer functions of the one-sided log-Gabor filters: how much coarser, and float32 [N, side, side]."""
    made = []
    for coarser, scales in _COARSER.items():
        frequency = np.fft.fftfreq((SIDE_PX + 2 * _MARGIN_PX) // coarser, d=coarser)
        down, right = np.meshgrid(frequency, frequency, indexing="ij")
        radius = np.hypot(down, right)
        radius[0, 0] = np.inf  # No filter passes the mean.
        bank = []
        for scale in scales:
            radial = np.exp(
                -(np.log(radius * _FINEST_WAVE_PX * 2**scale) ** 2) / (2 * np.log(_RADIAL_WIDTH) ** 2)
            )
            for orientation in range(ORIENTATIONS):
                turned = np.arctan2(down, right) - np.pi * orientation / ORIENTATIONS
                turned = np.arctan2(np.sin(turned), np.cos(turned))
                bank.append(radial * np.exp(-(turned**2) / (2 * (np.pi / ORIENTATIONS / 1.5) ** 2)))
        made.append((coarser, np.stack(bank).astype(np.float32)))
    return tuple(made)


def _cell_means(planes: Floats32, share: Floats32) -> Floats32:
    """Means over the known part of each cell, or all of a cell where none is: [N, side, side] to [N, 16]."""
    side = planes.shape[-1] // GRID
    weights = share
    if len(share) != planes.shape[-1]:
        weights = np.asarray(cv2.resize(share, planes.shape[:0:-1], interpolation=cv2.INTER_AREA), np.float32)

    def sums(values: Floats32) -> Floats32:
        cells = values.reshape(-1, GRID, side, GRID, side).sum(axis=(2, 4))
        return np.asarray(cells.reshape(-1, NUM_CELLS), np.float32)

    known = sums(weights)
    means = sums(planes * weights) / np.maximum(known, 1e-3)
    return np.where(known > 1e-3, means, sums(planes) / side**2).astype(np.float32)
