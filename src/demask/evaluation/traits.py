"""Traits by which results are broken down: how far a head is turned, how light the skin is in the picture.

Both are measured on the bare truth; they describe a photograph, never a person: the same face is
"dark" in one light and "light" in another.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from demask.errors import InputError
from demask.geometry import crop_to_frame, to_frame
from demask.types import Hole, ImageU8, Points

Turn = Literal["frontal", "turned"]
Skin = Literal["dark", "medium", "light", "grey picture"]

TURNED = 0.16
"""Nose tip off the middle of eyes and mouth by more than this fraction of the eyes' distance: turned."""

CHEEKS = ((slice(112, 132), slice(84, 108)), (slice(112, 132), slice(148, 172)))
"""Skin under the eyes in the canonical frame, as (rows, columns)."""

DARK_ITA_DEG, LIGHT_ITA_DEG = 10.0, 41.0
"""Bounds of brown and of light skin on the scale of the individual typology angle."""

MIN_CHROMA = 2.0
"""Median chroma below this on the cheeks: the picture is grey and its skin has no hue to measure."""


def head_turn(points: Points) -> Turn:
    """Tell a turned head by its nose.

    Args:
        points: Eyes, nose tip, mouth corners in picture order, float [5, 2].

    Raises:
        InputError: Both eyes are at one place.
    """
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    across = points[1] - points[0]
    distance = float(np.linalg.norm(across))
    if distance < 1e-6:
        raise InputError("both eyes are at one place; a turn needs their distance")
    middle = (eyes + mouth) / 2
    return "turned" if abs(float((points[2] - middle) @ across)) / distance**2 > TURNED else "frontal"


def skin_tone(face: ImageU8, points: Points, valid: Hole | None = None) -> Skin:
    """Class of the skin under the eyes by its individual typology angle.

    ITA = atan((L* - 50) / b*), Chardon et al. 1991 (Int. J. Cosmetic Science 13(4)); the six usual
    classes are drawn together to three.

    Args:
        face: The bare face, uint8 RGB [H, W, 3].
        points: Five points in its pixels, float [5, 2].
        valid: Pixels of `face` that are a photograph, bool [H, W]; None = all.
    """
    matrix = to_frame(points)
    crop, inside = crop_to_frame(face, matrix)
    if valid is not None:
        shown = np.repeat(valid.astype(np.uint8)[:, :, None] * 255, 3, axis=2)
        inside = inside & (crop_to_frame(shown, matrix)[0][:, :, 0] > 250)
    lab = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    skin = np.concatenate([lab[rows, columns][inside[rows, columns]] for rows, columns in CHEEKS])
    if not len(skin):
        raise InputError("no valid pixel under the eyes; the skin cannot be measured")
    lightness, red, yellow = np.median(skin, axis=0)
    if np.hypot(red, yellow) < MIN_CHROMA:
        return "grey picture"
    angle = float(np.degrees(np.arctan2(lightness - 50, max(float(yellow), 1e-3))))
    return "dark" if angle < DARK_ITA_DEG else "light" if angle > LIGHT_ITA_DEG else "medium"
