"""Pictures that commands draw: faces with boxes and points."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from demask.results import FaceResult
from demask.types import Hole, ImageU8

COVERED_RGB, BARE_RGB, POINT_RGB, HOLE_RGB = (255, 140, 0), (0, 200, 90), (255, 255, 0), (255, 0, 60)


def draw_faces(photo: ImageU8, faces: Sequence[FaceResult], hole: Hole | None) -> ImageU8:
    """Draw boxes, numbers, points and the hole over a copy of a photo.

    Orange boxes are covered faces, green ones bare or not looked at; the hole is tinted red.
    """
    drawn = photo.copy()
    if hole is not None:
        tint = 0.5 * drawn[hole] + 0.5 * np.array(HOLE_RGB)
        drawn[hole] = tint.astype(np.uint8)
    thick = max(1, round(max(photo.shape[:2]) / 640))
    for index, result in enumerate(faces):
        x0, y0, x1, y1 = (round(value) for value in result.face.box)
        colour = COVERED_RGB if result.covered else BARE_RGB
        cv2.rectangle(drawn, (x0, y0), (x1, y1), colour, thick)
        place = (x0, max(y0 - 4 * thick, 12 * thick))
        cv2.putText(drawn, str(index), place, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * thick, colour, thick, cv2.LINE_AA)
        for x, y in result.face.points:
            cv2.circle(drawn, (round(float(x)), round(float(y))), 2 * thick, POINT_RGB, -1, cv2.LINE_AA)
    return drawn
