"""Generalized PatchMatch: for every patch that meets the hole, where to copy it from, and how transformed.

C. Barnes, E. Shechtman, D. B. Goldman, A. Finkelstein, "The Generalized PatchMatch Correspondence
Algorithm", ECCV 2010, with the transforms and the distance of S. Darabi, E. Shechtman, C. Barnes, D. B.
Goldman, P. Sen, "Image Melding", SIGGRAPH 2012.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from demask.restorers import patch_kernels as kernels
from demask.restorers.patch_kernels import Space
from demask.types import Floats64, Hole, Ints64


class Votes(NamedTuple):
    """What all patches together want to see in the picture.

    Attributes:
        colour: Mean of the patches, float64 [H, W, 3]; 0 where none reaches.
        down: Mean of `L[y + 1, x] - L[y, x]` inside the patches, float64 [H - 1, W].
        right: Mean of `L[y, x + 1] - L[y, x]`, float64 [H, W - 1].
    """

    colour: Floats64
    down: Floats64
    right: Floats64


class MatchField:
    """The best known source of every patch that meets the hole; `search` only ever improves it.

    Args:
        picture: CIE Lab, float64 [H, W, 3]; sources are read from it where `hole` is False.
        hole: True = not a source; every patch with such a pixel is a target. bool [H, W].
        space: What a source patch may undergo.
        rng: Where random moves come from.

    Attributes:
        targets: Upper left pixel (row, column) of each target, in reading order, int64 [N, 2].
        moves: Where each is copied from and how, float64 [N, 6]; columns `Y` to `MIRROR`.
        costs: Distance of each as of the last `search` or `measure`, float64 [N].
    """

    def __init__(self, picture: Floats64, hole: Hole, space: Space, rng: np.random.Generator) -> None:
        self._picture, self._space, self._rng = np.ascontiguousarray(picture), space, rng
        self._holes_before = np.pad(hole.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        met = holes_met(hole, space.patch_px)
        self.targets: Ints64 = np.argwhere(met > 0)
        self._sources: Ints64 = np.argwhere(met == 0)
        self._number = np.full(met.shape, -1)
        self._number[met > 0] = np.arange(len(self.targets))
        self.costs: Floats64 = np.full(len(self.targets), np.inf)
        self.moves: Floats64 = np.zeros((len(self.targets), 6))
        kernels.scatter(self._holes_before, self._sources, space, rng, self.moves)

    def start_from(self, coarser: MatchField, scale: tuple[float, float]) -> None:
        """Take over the moves of a smaller picture wherever they lead to known pixels here too.

        Args:
            coarser: The field of the smaller picture.
            scale: Height and width of this picture over that of the other.
        """
        kernels.take_over(
            coarser.moves, coarser._number, self._holes_before, self.targets, scale, self._space, self.moves
        )

    def measure(self, wanted: Floats64) -> None:
        """Compare all targets, as they look in `wanted` (CIE Lab, float64 [H, W, 3]), with their sources."""
        kernels.measure(self._picture, wanted, self.targets, self._space, self.moves, self.costs)

    def search(self, wanted: Floats64, *, sweeps: int) -> None:
        """Look for better sources: from neighbours, then at random, ever nearer (Barnes 2010).

        Args:
            wanted: What the targets look like, CIE Lab, float64 [H, W, 3].
            sweeps: Times over all targets, from the first to the last and back by turns.
        """
        self.measure(wanted)
        for sweep in range(sweeps):
            kernels.sweep(
                self._picture,
                wanted,
                self._holes_before,
                self._sources,
                self.targets,
                self._number,
                self._space,
                self._rng,
                sweep % 2 == 1,
                self.moves,
                self.costs,
            )

    def vote(self, wanted: Floats64) -> Votes:
        """Mean of all sources, transformed and laid over their targets; `wanted` sets gain and bias."""
        return Votes(*kernels.vote(self._picture, wanted, self.targets, self._space, self.moves))


def holes_met(hole: Hole, side: int) -> Ints64:
    """Unknown pixels in each patch by its upper left pixel, int64 [H - side + 1, W - side + 1]."""
    if min(hole.shape) < side:
        return np.zeros((0, 0), np.int64)
    sums = np.pad(hole.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    met: Ints64 = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return met
