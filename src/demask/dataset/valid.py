"""Which pixels of a crop are a photograph: not beyond its edge, not in a black rotation corner."""

from __future__ import annotations

import cv2
import numpy as np

from demask.geometry import crop_to_frame
from demask.types import Hole, ImageU8, Matrix

# A rotated chip's corners are black up to JPEG noise; dark hair and studio backdrops are lighter.
_BLACK_LEVEL = 14
_SURE_BLACK_LEVEL = 4
_MIN_CORNER_FRACTION = 0.002
_ERODE_PX = 3


def black_corners(photo: ImageU8, *, hinted: bool | None = None) -> Hole:
    """Find near-black regions that reach into the picture from one of its four corners.

    Args:
        photo: uint8 RGB [H, W, 3].
        hinted: True = the source says that there are some, False = that there are none, None = unknown;
            then only regions that are black nearly everywhere count.

    Returns:
        bool [H, W], True = black corner.
    """
    height, width = photo.shape[:2]
    found = np.zeros((height, width), bool)
    if hinted is False:
        return found
    brightest = photo.max(axis=2)
    dark = (brightest <= _BLACK_LEVEL).astype(np.uint8)
    num_regions, regions = cv2.connectedComponents(dark, connectivity=4)
    if num_regions < 2:
        return found
    for y, x in ((0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1)):
        label = regions[y, x]
        if label == 0 or found[y, x]:
            continue
        region = regions == label
        if region.mean() < _MIN_CORNER_FRACTION:
            continue
        if hinted is None and np.mean(brightest[region] <= _SURE_BLACK_LEVEL) < 0.9:
            continue
        found |= region
    return found


def valid_region(photo: ImageU8, matrix: Matrix, *, hinted: bool | None = None) -> tuple[ImageU8, Hole]:
    """Cut the aligned crop and tell which of its pixels may be learnt from.

    Args:
        photo: uint8 RGB [H, W, 3].
        matrix: Photo to frame.
        hinted: As for `black_corners`.

    Returns:
        The crop, uint8 [256, 256, 3], and its valid region, bool [256, 256], eroded by 3 px where it
        meets an edge inside the frame, so that no half-black pixel of a slanted edge counts.
    """
    crop, valid = crop_to_frame(photo, matrix)
    corners = black_corners(photo, hinted=hinted)
    if corners.any():
        as_picture = np.repeat(np.where(corners, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
        valid &= crop_to_frame(as_picture, matrix)[0][:, :, 0] >= 250
    side = 2 * _ERODE_PX + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    # The frame's own edge is no edge of the photo: a border of "valid" keeps it from being eroded.
    eroded = cv2.erode(valid.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return crop, eroded.astype(bool)
