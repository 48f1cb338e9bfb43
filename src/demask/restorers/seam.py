"""Where a patch should begin: the cheapest cut around a hole, by graph cut.

J. Hays, A. A. Efros, "Scene Completion Using Millions of Photographs", SIGGRAPH 2007, sec. 4, after V. Kwatra,
A. Schodl, I. Essa, G. Turk, A. Bobick, "Graphcut Textures: Image and Video Synthesis Using Graph Cuts",
SIGGRAPH 2003: cutting is cheap where the difference of the two pictures does not change, since a blend can
remove a constant difference. Solved exactly, as a minimum cut (PyMaxflow, of Y. Boykov, V. Kolmogorov, 2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from demask.errors import UsageError
from demask.extras import install_command
from demask.types import Floats64, Hole, ImageU8

_RIGHT = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0]])
_DOWN = np.array([[0, 0, 0], [0, 0, 0], [0, 1, 0]])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SeamCosts:
    """What every cut costs.

    Attributes:
        hole: Pixels that must come from the patch, bool [H, W].
        free: Pixels that may come from either, bool [H, W]; all others stay as they are.
        pixel: Price of taking a free pixel from the patch, float64 [H, W].
        right: Price of a cut between a pixel and its right neighbour, float64 [H, W]; the last column is 0.
        down: The same for the neighbour below; the last row is 0.
    """

    hole: Hole
    free: Hole
    pixel: Floats64
    right: Floats64
    down: Floats64

    def of(self, region: Hole) -> float:
        """Cost of taking `region`, bool [H, W], from the patch; infinite where that is not allowed."""
        if (self.hole & ~region).any() or (region & ~(self.hole | self.free)).any():
            return float("inf")
        across = self.right[:, :-1][region[:, :-1] != region[:, 1:]].sum()
        along = self.down[:-1][region[:-1] != region[1:]].sum()
        return float(self.pixel[region & ~self.hole].sum() + across + along)


def seam_costs(photo: ImageU8, patch: ImageU8, hole: Hole, *, context: Hole, pixel_cost: float) -> SeamCosts:
    """Price all cuts between a photo and the patch that lies over it.

    A cut between p and q costs |D(p) - D(q)|, D being the squared RGB distance of the two pictures, each
    channel in [0, 1]. In the hole there is no D: a cut along its rim costs the mean change of D around the
    known pixel there. A known pixel that is given up costs (pixel_cost * distance to the hole)^3.

    Args:
        photo: uint8 RGB [H, W, 3]; what it shows in the hole does not matter.
        patch: uint8 RGB [H, W, 3].
        hole: Pixels that must come from the patch, bool [H, W].
        context: Known pixels that may, bool [H, W].
        pixel_cost: k of the paper, per pixel.
    """
    known = ~hole
    apart = (((photo.astype(np.float64) - patch) / 255) ** 2).sum(axis=2)
    apart[hole] = 0
    both_right = known[:, :-1] & known[:, 1:]
    both_down = known[:-1] & known[1:]
    change_right = np.abs(np.diff(apart, axis=1)) * both_right
    change_down = np.abs(np.diff(apart, axis=0)) * both_down
    total, count = np.zeros(hole.shape), np.zeros(hole.shape)
    for part, change, there in (
        (np.s_[:, :-1], change_right, both_right),
        (np.s_[:, 1:], change_right, both_right),
        (np.s_[:-1], change_down, both_down),
        (np.s_[1:], change_down, both_down),
    ):
        total[part] += change
        count[part] += there
    # A known pixel without known neighbours tells no change: its own difference stands in.
    around = np.where(count > 0, total / np.maximum(count, 1), apart) * known
    right, down = np.zeros(hole.shape), np.zeros(hole.shape)
    right[:, :-1] = np.where(both_right, change_right, around[:, :-1] + around[:, 1:])
    down[:-1] = np.where(both_down, change_down, around[:-1] + around[1:])
    distance = cv2.distanceTransform(known.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    pixel = (pixel_cost * distance.astype(np.float64)) ** 3
    return SeamCosts(hole=hole, free=context & known, pixel=pixel, right=right, down=down)


def cheapest_region(costs: SeamCosts) -> Hole:
    """Find the pixels to take from the patch at the least cost, bool [H, W]; they hold the hole.

    Raises:
        UsageError: PyMaxflow is not installed.
    """
    region = costs.hole.copy()
    movable = costs.hole | costs.free
    if not costs.hole.any() or not costs.free.any():
        return region
    # Only the free pixels and one more around them can lie at a cut.
    rows, columns = (np.flatnonzero(movable.any(axis=axis)) for axis in (1, 0))
    box = (
        slice(max(0, rows[0] - 1), rows[-1] + 2),
        slice(max(0, columns[0] - 1), columns[-1] + 2),
    )
    right, down = costs.right[box].copy(), costs.down[box].copy()
    right[:, -1], down[-1] = 0, 0
    never = float(costs.pixel[costs.free].sum() + right.sum() + down.sum()) + 1

    graph = _maxflow().Graph[float]()
    nodes = graph.add_grid_nodes(right.shape)
    graph.add_grid_edges(nodes, weights=right, structure=_RIGHT, symmetric=True)
    graph.add_grid_edges(nodes, weights=down, structure=_DOWN, symmetric=True)
    # A pixel on the sink's side comes from the patch, and pays what ties it to the source.
    stays = np.where(costs.free[box], costs.pixel[box], np.where(costs.hole[box], 0, never))
    graph.add_grid_tedges(nodes, stays, np.where(costs.hole[box], never, 0))
    graph.maxflow()
    region[box] = graph.get_grid_segments(nodes)
    return region


def _maxflow() -> Any:
    try:
        import maxflow
    except ImportError:
        raise UsageError(
            f"scene-completion needs PyMaxflow, which is not here; run: {install_command('gallery')}"
        ) from None
    return maxflow
