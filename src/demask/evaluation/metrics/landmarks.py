"""How far the landmarks of a restored face lie from those of the true face."""

from __future__ import annotations

import numpy as np

from demask.dataset.labels import Teachers
from demask.errors import InputError
from demask.faces.alignment import FRAME_POINTS, FRAME_PX, to_frame
from demask.types import ImageU8, Points
from demask.weights.sessions import Session, require_contract

EYE_DISTANCE_PX = float(FRAME_POINTS[1, 0] - FRAME_POINTS[0, 0])


class LandmarkError:
    """Mean distance of 468 points in the picture plane, in eye distances (study B's third measure).

    Study B used dlib's 68 points; here a network places FaceMesh's points on both pictures.

    Args:
        session: A network that maps `crop` uint8 [N, 256, 256, 3] to `points` float32 [N, 468, 3].

    Raises:
        WeightsError: The network has other inputs or outputs.
    """

    def __init__(self, session: Session) -> None:
        inputs, outputs = {"crop": "tensor(uint8)"}, {"points": "tensor(float)"}
        require_contract(session, inputs=inputs, outputs=outputs, what="landmark network")
        self._session = session

    def __call__(self, picture: ImageU8, truth: ImageU8) -> float:
        """Compare two aligned crops, uint8 RGB [256, 256, 3] each; a float >= 0.

        Raises:
            InputError: Other shapes.
        """
        for crop in (picture, truth):
            if crop.shape != (FRAME_PX, FRAME_PX, 3) or crop.dtype != np.uint8:
                raise InputError(
                    f"got a crop {crop.shape} {crop.dtype}, need uint8 [{FRAME_PX}, {FRAME_PX}, 3]; "
                    "cut it with crop_to_frame"
                )
        points = self._session.run(["points"], {"crop": np.stack([picture, truth])})[0]
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
