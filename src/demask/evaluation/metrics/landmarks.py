"""How far the landmarks of a restored face lie from those of the true face."""

from __future__ import annotations

import numpy as np

from demask.dataset.labels import Teachers
from demask.errors import InputError
from demask.faces.landmark_network import LandmarkFinder
from demask.geometry import EYE_DISTANCE_PX, to_frame
from demask.types import ImageU8, Points


class LandmarkError:
    """Mean distance of 468 points in the picture plane, in eye distances (study B's third measure).

    Study B used dlib's 68 points; here a network places FaceMesh's points on both pictures.

    Args:
        finder: Places the points on aligned crops.
    """

    def __init__(self, finder: LandmarkFinder) -> None:
        self._finder = finder

    def __call__(self, picture: ImageU8, truth: ImageU8) -> float:
        """Compare two aligned crops, uint8 RGB [256, 256, 3] each; a float >= 0.

        Raises:
            InputError: The crops differ in shape, or have another.
        """
        if picture.shape != truth.shape:
            raise InputError(f"got crops {picture.shape} and {truth.shape}; need two of one shape")
        points = self._finder(np.stack([picture, truth]))
        distances = np.linalg.norm(points[0, :, :2] - points[1, :, :2], axis=-1)
        return float(distances.mean() / EYE_DISTANCE_PX)


class MeshLandmarkError:
    """The same distance for pictures of any size, the points placed by MediaPipe's FaceMesh itself.

    Kartynnik et al. 2019 (arXiv:1907.06724). Both pictures are looked at in the frame of the truth's
    five points, so that only their pixels can make the difference. FaceMesh always answers, even where
    no face is left; such an answer is far off and is counted like any other.

    Args:
        teachers: FaceMesh, opened; its detector is not used here.
    """

    def __init__(self, teachers: Teachers) -> None:
        self._teachers = teachers

    def __call__(self, picture: ImageU8, truth: ImageU8, points: Points) -> float:
        """Compare two pictures; a float >= 0 in eye distances.

        Args:
            picture: uint8 RGB [H, W, 3].
            truth: Same shape.
            points: The truth's five points, float [5, 2] in its pixels.

        Raises:
            InputError: The five points coincide.
        """
        matrix = to_frame(points)
        placed, wanted = (self._teachers.landmarks(shown, matrix)[0] for shown in (picture, truth))
        distances = np.linalg.norm(placed[:, :2] - wanted[:, :2], axis=-1)
        return float(distances.mean() / EYE_DISTANCE_PX)
