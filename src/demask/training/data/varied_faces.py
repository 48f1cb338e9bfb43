"""Which faces a training is shown, and how they are varied: heads turned, crops shifted as a finder errs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from demask import geometry
from demask.coverings.head import Turn, head_frame
from demask.dataset.record import FaceRecord
from demask.errors import ConfigError
from demask.geometry import FRAME_PX, TIGHT, Window
from demask.types import Hole, ImageU8, Landmarks, Matrix


@dataclass(frozen=True, kw_only=True, slots=True)
class FacesConfig:
    """Which faces are shown, how often, and how they are varied."""

    data: Path  # Folder of shards, from `demask dataset build`.
    textures: Path | None = None  # Folder of photographs without faces; patches become prints.
    seed: int = 0
    bare_fraction: float = 0.0  # Of faces left bare, half of them with something else before the mouth.
    sharp_factor: float = 3.7  # How much more often a sharp source is drawn than utkface's soft chips.
    soft_sources: tuple[str, ...] = ("utkface",)
    turned_factor: float = 1.0  # How much more often a face is drawn whose label `turn` is above 0.2.
    enlarged_px: int = (
        0  # pix2pix's jitter instead of the next four: resized to this, cropped to 256 at random.
    )
    shift_px: float = 4.0  # Standard deviation of the shift that imitates the finder's error.
    rotation_deg: float = 4.0
    scale: float = 0.05  # Standard deviation of the logarithm of the scale,
    aspect: float = 0.0  # and of width over height: a little of what a turned head does.
    nothing_fraction: float = 0.0  # Fraction of crops without any face: what the finder may mistake for one.
    turn_fraction: float = 0.0  # Fraction of heads turned further than they are,
    yaw_deg: float = 22.0  # by a normal angle of this standard deviation,
    pitch_deg: float = 9.0  # up or down by this.
    profile_fraction: float = 0.0  # Of the heads turned already, those turned further, towards a profile.
    dress_fraction: float = 0.0  # Fraction of heads that get a hat, a hood, glasses.
    wall_fraction: float = 0.0  # Fraction of heads put before a plain wall, mostly a white one.
    unusual_fraction: float = 0.0  # Fraction of coverings with straps and parts that no kind has.
    degrade_fraction: float = 0.4  # Fraction of faces blurred or compressed, as photographs from the web are.
    grey_fraction: float = 0.07
    light: bool = True  # Gain, gamma and a colour cast are varied.
    flip_fraction: float = 0.5  # Mirrored; at 0 the items hold landmarks too, which have a left and a right.
    widen_px: tuple[int, int] = (
        1,
        7,
    )  # The hole is widened by a number of pixels from this range; (0, 0): exact.
    missed_fraction: float = 0.0  # Fraction of holes that lack parts at the edge, as found holes do.
    # Fractions of holes that are no covering's, on bare faces: DeepFill v1's boxes, v2's boxes with strokes.
    box_fraction: float = 0.0
    free_form_fraction: float = 0.0
    wide_fraction: float = 0.0  # Fraction of batches that show the wide window (`geometry.WIDE`).
    wide_kinds_fraction: float = 0.65  # Fraction of coverings in those that run beyond the tight one.
    wide_valid: float = 0.6  # How much of the wide window the photograph must fill, at least.
    sources: tuple[str, ...] = ()  # Only faces of these; () = all.
    workers: int = 2

    def __post_init__(self) -> None:
        for name in (
            "bare_fraction",
            "nothing_fraction",
            "turn_fraction",
            "profile_fraction",
            "dress_fraction",
            "wall_fraction",
            "unusual_fraction",
            "degrade_fraction",
            "grey_fraction",
            "flip_fraction",
            "missed_fraction",
            "box_fraction",
            "free_form_fraction",
            "wide_fraction",
            "wide_kinds_fraction",
            "wide_valid",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)} but is a fraction between 0 and 1")
        if self.box_fraction + self.free_form_fraction > 1:
            raise ConfigError(
                f"box_fraction is {self.box_fraction} and free_form_fraction {self.free_form_fraction}; "
                "together they are at most 1"
            )
        if self.enlarged_px and self.wide_fraction:
            raise ConfigError("enlarged_px is pix2pix's way to vary tight crops; leave it 0 with wide_fraction")
        if self.enlarged_px and self.enlarged_px < FRAME_PX:
            raise ConfigError(f"enlarged_px is {self.enlarged_px}; it must be 0 or at least {FRAME_PX}")
        if self.widen_px[0] > self.widen_px[1] or self.widen_px[0] < 0:
            raise ConfigError(f"widen_px is {self.widen_px} but is a range of pixels, smallest first")


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
