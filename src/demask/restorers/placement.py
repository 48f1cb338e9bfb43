"""Where another face fits best around a hole: shift and scale by the known pixels in a ring around it.

J. Hays, A. A. Efros, "Scene Completion Using Millions of Photographs", SIGGRAPH 2007, sec. 4: squared CIE Lab
differences over the local context, and the likeness of texture there. Coarse on pictures of 64 px for every
candidate, then to the pixel for those that are left.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from demask.restorers.cielab import to_lab
from demask.restorers.scene_descriptor import fill_smoothly
from demask.types import Hole, ImageU8

MISSING_LAB = 30.0
"""What a context pixel counts that the other picture does not have: a difference of so many units."""
MISSING_HOLE_LAB = 60.0
"""The same for a pixel of the hole: there would be nothing to fill it with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """How another picture is laid over this one.

    Attributes:
        scale: About the middle of the frame.
        dx: Shift to the right after scaling, in widths of the frame.
        dy: Shift downwards, in heights of the frame.
        error: Mean squared CIE Lab difference over the context, times 1 + offset / context radius; more where
            the other picture ends inside the hole.
    """

    scale: float
    dx: float
    dy: float
    error: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Context:
    """A hole and its surroundings at some resolution, ready to be compared with many pictures.

    Attributes:
        lab: float32 [K, 3], colours of the context's pixels.
        at: Their rows and columns, int [K, 2].
        hole_at: Rows and columns of the hole, int [M, 2].
        side_px: Side of the picture.
        radius_px: How far from the hole the context reaches.
    """

    lab: npt.NDArray[np.float32]
    at: npt.NDArray[np.int64]
    hole_at: npt.NDArray[np.int64]
    side_px: int
    radius_px: float

    @classmethod
    def of(cls, picture: ImageU8, context: Hole, hole: Hole, *, radius_px: float) -> Context:
        """Take the pixels of `context` and `hole`, bool [H, H], from uint8 RGB [H, H, 3]."""
        return cls(
            lab=to_lab(picture)[context].astype(np.float32),
            at=np.argwhere(context),
            hole_at=np.argwhere(hole),
            side_px=len(hole),
            radius_px=radius_px,
        )

    def best(
        self, picture: ImageU8, valid: Hole, *, scales: tuple[float, ...], around: Placement, reach_px: int
    ) -> Placement:
        """Try all whole-pixel shifts around a placement; the first of the best, the least shift first.

        Args:
            picture: The other picture, uint8 RGB [H, H, 3].
            valid: Its pixels that are a photograph, bool of any size.
            scales: Which scales to try.
            around: Where the shifts are centred.
            reach_px: How far they go.
        """
        side, middle = self.side_px, reach_px
        lab = to_lab(picture).astype(np.float32)
        there = cv2.resize(valid.astype(np.float32), (side, side), interpolation=cv2.INTER_NEAREST)
        dx, dy = round(around.dx * side), round(around.dy * side)
        steps = np.arange(-reach_px, reach_px + 1)
        shifts = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
        shifts = shifts[np.argsort((shifts**2).sum(axis=1), kind="stable")]
        best: Placement | None = None
        for scale in scales:
            matrix = _matrix(scale, dx + middle, dy + middle, side)
            size = (side + 2 * reach_px,) * 2
            moved = cv2.warpAffine(np.dstack([lab, there]), matrix, size, flags=cv2.INTER_LINEAR)
            # A context pixel at (y, x) meets moved[y + middle - shift]; one flat address for all of them.
            flat = moved.reshape(-1, 4)
            start = (middle - shifts[:, 0]) * size[0] + middle - shifts[:, 1]
            met = flat[start[:, None] + (self.at[:, 0] * size[0] + self.at[:, 1])]
            whole = met[..., 3] > 0.999
            squares = ((met[..., :3] - self.lab) ** 2).sum(axis=2)
            errors = (
                np.where(whole, squares, MISSING_LAB**2).mean(axis=1) if len(self.at) else np.zeros(len(start))
            )
            holes = flat[start[:, None] + (self.hole_at[:, 0] * size[0] + self.hole_at[:, 1]), 3]
            missing = (holes <= 0.999).mean(axis=1)
            offsets = np.hypot(dy + shifts[:, 0], dx + shifts[:, 1])
            errors = errors * (1 + offsets / self.radius_px) + MISSING_HOLE_LAB**2 * missing
            chosen = int(errors.argmin())
            if best is None or errors[chosen] < best.error:
                best = Placement(
                    scale=scale,
                    dx=(dx + int(shifts[chosen, 1])) / side,
                    dy=(dy + int(shifts[chosen, 0])) / side,
                    error=float(errors[chosen]),
                )
        assert best is not None
        return best


def placed(picture: ImageU8, valid: Hole, placement: Placement) -> ImageU8:
    """Move and scale a picture, uint8 RGB [H, H, 3]; where it ends, it goes on smoothly.

    Args:
        picture: uint8 RGB [H, H, 3].
        valid: Its pixels that are a photograph, bool of any size.
        placement: Where to.
    """
    side = len(picture)
    there = np.asarray(
        cv2.resize(valid.astype(np.float32), (side, side), interpolation=cv2.INTER_NEAREST), np.float32
    )
    picture = np.rint(fill_smoothly(picture.astype(np.float32), there)).astype(np.uint8)
    matrix = _matrix(placement.scale, placement.dx * side, placement.dy * side, side)
    moved = cv2.warpAffine(
        picture, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.uint8)


def texture_difference(one: ImageU8, two: ImageU8, context: Hole) -> float:
    """Mean squared difference of texture over the context: median of the gradient's size in 5 x 5 px."""
    if not context.any():
        return 0.0
    return float(((_texture(one) - _texture(two))[context] ** 2).mean())


def _texture(picture: ImageU8) -> npt.NDArray[np.float32]:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    size = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return np.asarray(cv2.medianBlur(size.astype(np.float32), 5), np.float32)


def _matrix(scale: float, dx: float, dy: float, side: int) -> npt.NDArray[np.float64]:
    rest = (1 - scale) * (side - 1) / 2
    return np.array([[scale, 0, rest + dx], [0, scale, rest + dy]])
