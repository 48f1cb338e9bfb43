"""The words every room of the house shares: pictures, holes, faces, and the Restorer seam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

ImageU8 = npt.NDArray[np.uint8]
"""RGB picture, uint8 [H, W, 3]."""

Hole = npt.NDArray[np.bool_]
"""Pixels that are covered and to be filled: bool [H, W], True = covered."""

Alpha = npt.NDArray[np.float32]
"""Soft coverage while drawing or blending: float32 [H, W] in [0, 1]."""

Points = npt.NDArray[np.float32]
"""Points as (x, y) in pixels: float32 [N, 2]. Pixel centres are at whole numbers."""

Landmarks = npt.NDArray[np.float32]
"""The 468 FaceMesh points as (x, y, z): float32 [468, 3], z in pixels too, smaller is nearer."""

Matrix = npt.NDArray[np.float64]
"""Affine map of points: float64 [2, 3], `q = M[:, :2] @ p + M[:, 2]`."""

Floats32 = npt.NDArray[np.float32]
"""Plain numbers, where none of the words above says more: float32, any shape."""

Floats64 = npt.NDArray[np.float64]
"""The same in double precision, as sums and statistics need it."""

UInts8 = npt.NDArray[np.uint8]
"""Levels or coverage of one channel: uint8, any shape."""

Ints64 = npt.NDArray[np.int64]
"""Whole numbers: int64, any shape."""

AnyArray = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Face:
    """A face found in a photo, bare or covered.

    Attributes:
        box: (x0, y0, x1, y1) in pixels of the photo.
        points: Left eye, right eye, nose tip, left and right mouth corner in picture order
            (left is left in the picture): float32 [5, 2] in pixels of the photo.
        score: The finder's confidence in [0, 1].
    """

    box: tuple[float, float, float, float]
    points: Points
    score: float

    @property
    def size_px(self) -> float:
        """The longer side of the box, in pixels."""
        x0, y0, x1, y1 = self.box
        return max(x1 - x0, y1 - y0)


class Restorer(Protocol):
    """Fill the hole of one aligned crop.

    One that takes the wide window's crops too (384 px) says so by an attribute `windows` that holds
    `geometry.WIDE`; to all others a covering that runs on is shown as far as the tight window reaches.
    """

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Return the crop with its hole filled.

        Args:
            masked: Aligned crop, uint8 RGB [256, 256, 3].
            hole: True = to be filled, bool [256, 256]. What `masked` shows there must not matter.

        Returns:
            uint8 RGB [256, 256, 3]. Callers use only the pixels inside the hole.
        """
        ...
