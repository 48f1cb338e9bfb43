"""The known patch most like a partly known one: every place is compared, and none is rounded."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from demask.errors import InputError
from demask.types import Hole

_FLOAT32_WHOLE = 2**24
"""Whole numbers up to this are exact in float32, and so are sums that never pass it."""
_DIRECT_TAPS = 49
"""OpenCV turns to a Fourier transform, which rounds, from 50 taps on where a processor lacks SSE3."""


class PatchSearch:
    """Sum of squared differences against every patch that lies wholly in the known region.

    `sum m (s - t)^2 = sum m s^2 - 2 sum m s t + const`, with m = 1 where the target t is known, is two
    correlations. Colours are whole numbers, so sums in any order agree to the last bit, and equal
    patches are equal.

    Args:
        colours: Whole-number colours, int32 [H, W, 3].
        known: Pixels that may be copied, bool [H, W].
        patch_px: Odd side of a patch.

    Raises:
        InputError: No patch lies wholly in the known region.
    """

    def __init__(self, colours: npt.NDArray[np.int32], known: Hole, *, patch_px: int) -> None:
        self._patch_px = patch_px
        whole = _corners_of_whole_patches(known, patch_px)
        if not whole.any():
            raise InputError(
                f"the hole leaves no whole {patch_px}x{patch_px} px patch of the "
                f"{known.shape[1]}x{known.shape[0]} px picture known, and there is nothing to copy; "
                "give a smaller hole, or take a restorer that does not copy patches, such as telea"
            )
        self._barrier = np.where(whole, 0.0, np.inf)
        squares = (colours.astype(np.int64) ** 2).sum(axis=2)
        most = int(squares.max()) * patch_px**2
        kind = np.float32 if most <= _FLOAT32_WHOLE else np.float64
        self._channels = [np.ascontiguousarray(colours[..., c].astype(kind)) for c in range(3)]
        self._squares = squares.astype(kind)

    def nearest(self, target: npt.NDArray[np.int32], compared: Hole) -> tuple[int, int]:
        """Find the source patch with the least difference; the first in reading order among equals.

        Args:
            target: Colours of the patch to match, int32 [patch_px, patch_px, 3].
            compared: Where they are known, bool [patch_px, patch_px].

        Returns:
            Row and column of the upper left pixel of the source patch.
        """
        products = sum(
            self._correlate(channel, target[..., c] * compared) for c, channel in enumerate(self._channels)
        )
        score = self._barrier + self._correlate(self._squares, compared)
        score -= 2.0 * np.asarray(products, np.float64)
        row, column = np.unravel_index(int(score.argmin()), score.shape)
        return int(row), int(column)

    def _correlate(
        self, plane: npt.NDArray[np.floating], kernel: npt.NDArray[np.generic]
    ) -> npt.NDArray[np.floating]:
        """`out[y, x] = sum of kernel[i, j] * plane[y + i, x + j]` for every whole patch."""
        side = self._patch_px
        rows, columns = plane.shape[0] - side + 1, plane.shape[1] - side + 1
        step = max(1, _DIRECT_TAPS // side)
        total = np.zeros((rows, columns), plane.dtype)
        for top in range(0, side, step):
            strip = kernel[top : top + step].astype(plane.dtype)
            if strip.any():
                part = plane[top : top + rows + len(strip) - 1]
                total += cv2.filter2D(part, -1, strip, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)[
                    :rows, :columns
                ]
        return total


def _corners_of_whole_patches(known: Hole, side: int) -> Hole:
    """Upper left pixels of the patches that are known throughout, bool [H - side + 1, W - side + 1]."""
    if min(known.shape) < side:
        return np.zeros((0, 0), bool)
    sums = np.pad(known.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    whole: Hole = inside == side * side
    return whole
