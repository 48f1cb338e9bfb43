"""Faces of the data set moved: heads turned in their photographs, crops shifted as a finder's error does."""

from __future__ import annotations

import cv2
import numpy as np

from demask import geometry
from demask.coverings.head import head_frame
from demask.coverings.turning import Turn
from demask.dataset.record import FaceRecord
from demask.geometry import TIGHT, Window
from demask.training.data.faces_config import FacesConfig
from demask.types import Hole, ImageU8, Landmarks, Matrix


def yaw_deg(landmarks: Landmarks) -> float:
    """How far a head looks to the right in the picture, as its landmarks in a crop tell."""
    ahead = head_frame(landmarks).axes[2]
    return float(np.degrees(np.arctan2(ahead[0], abs(ahead[2]))))


def shown(record: FaceRecord, window: Window) -> tuple[ImageU8, Hole, Landmarks]:
    """Crop, valid pixels and landmarks of a face in a window of the frame."""
    if window == TIGHT:
        return record.crop, record.valid, record.landmarks
    matrix = window.of(record.photo_to_crop)
    crop, inside = geometry.crop_to_frame(record.photo, matrix, size_px=window.side_px)
    # What the tight crop calls invalid stays so; beyond it only the photo's edge is known.
    inside[TIGHT.within(window)] &= record.valid
    crop[~inside] = 0
    return crop, inside, (record.landmarks - [window.x0, window.y0, 0]).astype(np.float32)


def turned(
    record: FaceRecord, yaw_deg: float, pitch_deg: float, window: Window = TIGHT
) -> tuple[ImageU8, Hole, Landmarks]:
    """Crop, valid pixels and landmarks after a turn of the head in its photograph, aligned anew."""
    to_photo = geometry.invert(record.photo_to_crop)
    landmarks = geometry.apply(to_photo, record.landmarks)
    turn = Turn.of(landmarks, yaw_deg=yaw_deg, pitch_deg=pitch_deg)
    size = (record.photo.shape[1], record.photo.shape[0])
    valid = cv2.warpAffine(record.valid.astype(np.uint8) * 255, to_photo, size, borderValue=255)
    valid = turn.picture(np.asarray(valid, np.uint8), border=cv2.BORDER_CONSTANT)
    matrix = window.of(geometry.to_frame(turn.moved(record.photo_points).astype(np.float32)))
    side = window.side_px
    crop, inside = geometry.crop_to_frame(turn.picture(record.photo), matrix, size_px=side)
    still = cv2.warpAffine(valid, matrix, (side, side), flags=cv2.INTER_AREA) >= 250
    return crop, inside & still, geometry.apply(matrix, turn.landmarks(landmarks))


def jitter(
    crop: ImageU8, valid: Hole, landmarks: Landmarks, rng: np.random.Generator, config: FacesConfig
) -> tuple[ImageU8, Hole, Landmarks]:
    """Crop, valid pixels and landmarks shifted, turned and scaled a little, as a finder's errors do."""
    angle = np.deg2rad(np.clip(rng.normal(0, config.rotation_deg), -20, 20))
    scale = np.exp(np.clip(rng.normal(0, config.scale), -0.25, 0.25))
    shift = np.clip(rng.normal(0, config.shift_px, 2), -20, 20)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    centre = np.array([crop.shape[1] / 2, crop.shape[0] / 2])
    linear = np.array([[cos, -sin], [sin, cos]])
    if config.enlarged_px:  # Isola et al. 2017 (arXiv:1611.07004), appendix 6.2.
        linear = np.eye(2) * config.enlarged_px / crop.shape[0]
        over = config.enlarged_px - crop.shape[0]
        shift = linear @ centre - centre - rng.integers(0, over + 1, 2)
    elif config.aspect:
        stretch = np.exp(0.5 * np.clip(rng.normal(0, config.aspect), -0.25, 0.25))
        linear = linear @ np.diag([stretch, 1 / stretch])
    matrix: Matrix = np.column_stack([linear, centre + shift - linear @ centre])
    size = (crop.shape[1], crop.shape[0])
    moved = cv2.warpAffine(crop, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    valid_moved = cv2.warpAffine(valid.astype(np.uint8) * 255, matrix, size, flags=cv2.INTER_LINEAR) >= 254
    return np.asarray(moved, np.uint8), valid_moved, geometry.apply(matrix, landmarks)
