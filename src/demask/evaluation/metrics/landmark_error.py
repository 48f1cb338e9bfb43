"""How far the landmarks of a restored face lie from those of the true face."""

from __future__ import annotations

import numpy as np

from demask.errors import InputError
from demask.faces.crop_networks import LandmarkFinder
from demask.geometry import EYE_DISTANCE_PX, FRAME_PX, apply, crop_to_frame, to_frame
from demask.types import ImageU8, Points

_CORNERS = np.array([(0, 0), (FRAME_PX, 0), (FRAME_PX, FRAME_PX), (0, FRAME_PX)], np.float32)
_SAME_FRAME_PX = 0.05  # An aligned crop is its own frame and is not resampled.


class LandmarkError:
    """Mean distance of 468 points in the picture plane, in eye distances (study B's third measure).

    Study B used dlib's 68 points; here our network places FaceMesh's points (Kartynnik et al. 2019,
    arXiv:1907.06724) on both pictures, in the frame of the truth's five points, so that only their pixels can
    make the difference. It always answers, even where no face is left; such an answer is far off and is
    counted like any other.

    Args:
        finder: Places the points on aligned crops.
    """

    def __init__(self, finder: LandmarkFinder) -> None:
        self._finder = finder

    def __call__(self, picture: ImageU8, truth: ImageU8, points: Points) -> float:
        """Compare two pictures; a float >= 0 in eye distances.

        Args:
            picture: uint8 RGB [H, W, 3].
            truth: Same shape.
            points: The truth's five points, float [5, 2] in its pixels.

        Raises:
            InputError: The shapes differ, or the five points coincide.
        """
        if picture.shape != truth.shape:
            raise InputError(f"got pictures {picture.shape} and {truth.shape}; need two of one shape")
        matrix, crops = to_frame(points), [picture, truth]
        moved = np.abs(apply(matrix, _CORNERS) - _CORNERS).max()
        if picture.shape[:2] != (FRAME_PX, FRAME_PX) or moved > _SAME_FRAME_PX:
            crops = [crop_to_frame(side, matrix)[0] for side in crops]
        placed = self._finder(np.stack(crops))
        distances = np.linalg.norm(placed[0, :, :2] - placed[1, :, :2], axis=-1)
        return float(distances.mean() / EYE_DISTANCE_PX)
