"""Put a plain wall behind a photographed head, as in the pictures of shops; few face data sets show one."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from demask.coverings.head import head_frame
from demask.types import Floats32, Hole, ImageU8, Landmarks

_JAW = (172, 397)  # Corners of the jaw, left and right in the picture.
_FOREHEAD = 10
_WORK_PX = 128
_WHITE_FRACTION = 0.7


def before_wall(face: ImageU8, valid: Hole, landmarks: Landmarks, rng: np.random.Generator) -> ImageU8:
    """Replace what lies around a head by a plain wall, white more often than not.

    Head and surroundings are told apart by GrabCut (Rother et al. 2004, section 3) from the outline of the
    landmarks, on a small copy. Neck and jaw stay; hair and shoulders may lose some of their edge.

    Args:
        face: Photograph, uint8 RGB [H, W, 3]; not changed.
        valid: Where the photograph is, bool [H, W]; what lies beyond tells nothing.
        landmarks: FaceMesh points in its pixels, [468, 3].
        rng: Decides the wall's colour, light and noise.

    Returns:
        A new picture, uint8 RGB [H, W, 3]; a copy where head and surroundings cannot be told apart.

    Raises:
        InputError: The landmarks cannot be used.
    """
    head_frame(landmarks)  # Refuses landmarks of no head.
    height, width = face.shape[:2]
    scale = _WORK_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(face, size, interpolation=cv2.INTER_AREA), np.uint8)
    shown = cv2.resize(valid.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) >= 250
    wall = _wall(face.shape[:2], rng)
    person = _person(_continued(small, shown), landmarks[:, :2] * scale) if shown.any() else None
    if person is None:
        return face.copy()
    alpha = cv2.resize(person, (width, height), interpolation=cv2.INTER_CUBIC)
    alpha = np.clip(cv2.GaussianBlur(alpha, (0, 0), 0.6 / scale), 0, 1)[..., None]
    return np.asarray(np.rint(alpha * face + (1 - alpha) * wall), np.uint8)


def _continued(small: ImageU8, shown: Hole) -> ImageU8:
    """The picture with every pixel beyond its edge in the colour of the nearest one inside."""
    beyond = (~shown).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(beyond, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    colours = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    colours[nearest[shown]] = small[shown]
    continued: ImageU8 = colours[nearest]
    return continued


def _person(small: ImageU8, points: npt.NDArray[np.floating]) -> Floats32 | None:
    """1 where the person is, [h, w]; None where next to nothing or next to everything is."""
    height, width = small.shape[:2]
    outline = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(outline, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    beyond = cv2.distanceTransform(1 - outline, cv2.DIST_L2, 3)
    (left, jaw_y), (right, other_y) = points[list(_JAW)]
    face_px = max(right - left, 1.0)
    y, x = np.mgrid[:height, :width]
    hair = (y < points[_FOREHEAD, 1]) & (beyond < 0.5 * face_px)
    inset = 0.12 * face_px
    neck = (y > min(jaw_y, other_y)) & (x > left + inset) & (x < right - inset)
    guess = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    guess[(beyond < 0.18 * face_px) | hair] = cv2.GC_PR_FGD
    aside = (beyond > 0.4 * face_px) & (y > points[_FOREHEAD, 1]) & (y < min(jaw_y, other_y))
    guess[aside] = cv2.GC_BGD
    guess[(outline > 0) | neck] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # GrabCut draws from OpenCV's own generator; the same picture must give the same answer.
    models = np.zeros((1, 65)), np.zeros((1, 65))  # Of background and person; the rectangle counts for nothing.
    cv2.grabCut(small, guess, (0, 0, width, height), *models, 2, cv2.GC_INIT_WITH_MASK)
    person: Floats32 = ((guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)).astype(np.float32)
    return person if 1.05 * outline.sum() < person.sum() < 0.9 * person.size else None


def _wall(shape: tuple[int, int], rng: np.random.Generator) -> Floats32:
    """The wall as photographed, float32 [H, W, 3]: even, or a little darker to one side."""
    if rng.random() < _WHITE_FRACTION:
        colour = np.full(3, rng.uniform(240, 262)) + rng.normal(0, 2, 3)
    else:
        colour = np.full(3, rng.uniform(90, 240)) + rng.normal(0, 12, 3)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / max(shape)
    fall = rng.normal(0, 10, 2)
    noise = rng.standard_normal(shape, dtype=np.float32) * rng.uniform(0, 1.5)
    light = fall[0] * (x - 0.5) + fall[1] * (y - 0.5) + noise
    return np.asarray(np.clip(colour + light[..., None], 0, 255), np.float32)
