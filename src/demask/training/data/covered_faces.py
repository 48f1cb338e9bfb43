"""Training pictures: faces from the shards, coverings drawn on the fly, everything a function of its number.

Picture number i of a run depends on (seed, i) alone, so workers, restarts and reruns agree.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from demask import geometry
from demask.coverings import draw
from demask.coverings.distractors import add_distractor
from demask.coverings.head import head_frame
from demask.coverings.headwear import wear
from demask.coverings.turning import Turn
from demask.coverings.wall import before_wall
from demask.dataset.record import FaceRecord
from demask.dataset.shards import FaceShards
from demask.errors import ConfigError, DatasetError
from demask.geometry import FRAME_PX
from demask.rng import rng_for
from demask.training.data.decoys import draw_decoy
from demask.training.data.loader_workers import start_worker
from demask.types import Hole, ImageU8, Landmarks, Matrix

log = logging.getLogger(__name__)

Item = dict[str, npt.NDArray[Any]]

_PROFILE_DRAWS, _PROFILE_FROM_DEG = 24, 18.0
_PROFILE_ONWARD_DEG = (8.0, 35.0)
"""A frontal head turned by 45 degrees keeps its far cheek; one turned by 20 looks right 35 degrees further."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FacesConfig:
    """Which faces are shown, how often, and how they are varied."""

    data: Path  # Folder of shards, from `demask dataset build`.
    textures: Path | None = None  # Folder of photographs without faces; patches become prints.
    seed: int = 0
    bare_share: float = 0.0  # Share of faces left bare, half of them with something else before the mouth.
    sharp_factor: float = 3.7  # How much more often a sharp source is drawn than utkface's soft chips.
    soft_sources: tuple[str, ...] = ("utkface",)
    enlarged_px: int = (
        0  # pix2pix's jitter instead of the next four: resized to this, cropped to 256 at random.
    )
    shift_px: float = 4.0  # Standard deviation of the shift that imitates the finder's error.
    rotation_deg: float = 4.0
    scale: float = 0.05  # Standard deviation of the logarithm of the scale,
    aspect: float = 0.0  # and of width over height: a little of what a turned head does.
    nothing_share: float = 0.0  # Share of crops without any face: what the finder may mistake for one.
    turn_share: float = 0.0  # Share of heads turned further than they are,
    yaw_deg: float = 22.0  # by a normal angle of this standard deviation,
    pitch_deg: float = 9.0  # up or down by this.
    profile_share: float = 0.0  # Share of heads turned already that are turned further, towards a profile.
    dress_share: float = 0.0  # Share of heads that get a hat, a hood, glasses.
    wall_share: float = 0.0  # Share of heads put before a plain wall, mostly a white one.
    unusual_share: float = 0.0  # Share of coverings with straps and parts that no kind has.
    degrade_share: float = 0.4  # Share of faces blurred or compressed, as photographs from the web are.
    grey_share: float = 0.07
    light: bool = True  # Gain, gamma and a colour cast are varied.
    flip_share: float = 0.5  # Share mirrored; at 0 the items hold landmarks too, which have a left and a right.
    widen_px: tuple[int, int] = (
        1,
        7,
    )  # The hole is widened by a number of pixels from this range; (0, 0): exact.
    missed_share: float = 0.0  # Share of holes that lack parts at the edge, as found holes do.
    workers: int = 2

    def __post_init__(self) -> None:
        for name in (
            "bare_share",
            "nothing_share",
            "turn_share",
            "profile_share",
            "dress_share",
            "wall_share",
            "unusual_share",
            "degrade_share",
            "grey_share",
            "flip_share",
            "missed_share",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)} but is a share between 0 and 1")
        if self.enlarged_px and self.enlarged_px < FRAME_PX:
            raise ConfigError(f"enlarged_px is {self.enlarged_px}; it must be 0 or at least {FRAME_PX}")
        if self.widen_px[0] > self.widen_px[1] or self.widen_px[0] < 0:
            raise ConfigError(f"widen_px is {self.widen_px} but is a range of pixels, smallest first")


class CoveredFaces(Dataset[Item]):
    """Endless covered faces of one split.

    An item holds `masked` and `face`, uint8 RGB [256, 256, 3], `hole` and `valid`, uint8 0 or 1
    [256, 256], and where nothing is mirrored `landmarks`, float32 [468, 3] in crop pixels.

    Raises:
        DatasetError: The folder holds no face of this split.
    """

    def __init__(self, config: FacesConfig, *, split: str) -> None:
        self.config = config
        self.shards = FaceShards(config.data, split=split, skip_damaged=True)
        if self.shards.num_skipped:
            log.warning("%s: %d damaged faces are left out", config.data, self.shards.num_skipped)
        if len(self.shards) == 0:
            raise DatasetError(
                f"{config.data} holds no face of the split {split!r}; build it from more photographs"
            )
        soft = np.array([entry.source in config.soft_sources for entry in self.shards.entries])
        weight = np.where(soft, 1.0, config.sharp_factor)
        self.cumulative = np.cumsum(weight / weight.sum())
        self.patches = _load_textures(config.textures) if config.textures else ()

    def __getitem__(self, number: int) -> Item:
        """Picture `number` of the run; any number >= 0."""
        config = self.config
        rng = rng_for(config.seed, "picture", str(number))
        index = self._index(rng)
        if config.nothing_share and rng.random() < config.nothing_share:
            return _no_face(self.patches, rng)
        record = self.shards[index]
        onward = None
        if config.profile_share and rng.random() < config.profile_share:
            record, onward = self._turned_head(rng)
        rng = rng_for(config.seed, f"picture {number}", record.face_id)
        face, valid, landmarks = record.crop, record.valid, record.landmarks
        if onward is not None:
            face, valid, landmarks = _turned(record, onward, rng.normal(0, config.pitch_deg))
        elif config.turn_share and rng.random() < config.turn_share:
            yaw = rng.normal(0, config.yaw_deg)
            face, valid, landmarks = _turned(record, yaw, rng.normal(0, config.pitch_deg))
        if config.wall_share and rng.random() < config.wall_share:
            face = before_wall(face, valid, landmarks, rng)
        if config.dress_share and rng.random() < config.dress_share:
            face = wear(face, landmarks, rng)
        face, valid, landmarks = _jitter(face, valid, landmarks, rng, config)
        if config.light:
            face = _vary_light(face, rng, grey_share=config.grey_share)
        if rng.random() < config.degrade_share:
            face = _degrade(face, rng)
        face[~valid] = 0

        masked = face
        hole = np.zeros(valid.shape, bool)
        if rng.random() >= config.bare_share:
            drawn = draw(face, landmarks, rng, patches=self.patches, unusual_share=config.unusual_share)
            masked, hole = drawn.masked, drawn.hole
        elif rng.random() < 0.5:
            masked = add_distractor(face, landmarks, rng)
            face = masked
        if config.widen_px[1]:
            hole = widen(hole, rng, config.widen_px)
        if config.missed_share and rng.random() < config.missed_share:
            hole = miss(hole, rng)
        if rng.random() < config.flip_share:
            masked, face, hole, valid = (np.ascontiguousarray(a[:, ::-1]) for a in (masked, face, hole, valid))
        item: Item = {
            "masked": np.where(valid[..., None], masked, 0).astype(np.uint8),
            "face": np.where(valid[..., None], face, 0).astype(np.uint8),
            "hole": (hole & valid).astype(np.uint8),
            "valid": valid.astype(np.uint8),
        }
        if config.flip_share == 0:
            item["landmarks"] = landmarks.astype(np.float32)
        return item

    def _index(self, rng: np.random.Generator) -> int:
        """Draw which face of the split is shown, sharp sources more often."""
        return min(int(np.searchsorted(self.cumulative, rng.random())), len(self.shards) - 1)

    def _turned_head(self, rng: np.random.Generator) -> tuple[FaceRecord, float | None]:
        """A head that is turned already, and by how much to turn it further; None where none came up."""
        for _ in range(_PROFILE_DRAWS):
            record = self.shards[self._index(rng)]
            yaw = _yaw_deg(record.landmarks)
            if abs(yaw) >= _PROFILE_FROM_DEG:
                return record, float(np.copysign(rng.uniform(*_PROFILE_ONWARD_DEG), yaw))
        return record, None


def _yaw_deg(landmarks: Landmarks) -> float:
    """How far a head looks to the right in the picture, as its landmarks in a crop tell."""
    ahead = head_frame(landmarks).axes[2]
    return float(np.degrees(np.arctan2(ahead[0], abs(ahead[2]))))


def _no_face(patches: Sequence[ImageU8], rng: np.random.Generator) -> Item:
    """A crop of a picture without faces, half of them with a sign, a button or a fist drawn on."""
    tile = np.full((FRAME_PX, FRAME_PX, 3), rng.integers(0, 256, 3), np.uint8)
    if patches:
        picture = patches[int(rng.integers(len(patches)))]
        side = max(2, int(min(picture.shape[:2]) * np.exp(rng.uniform(np.log(0.2), 0))))
        y, x = (int(rng.integers(0, length - side + 1)) for length in picture.shape[:2])
        part = np.ascontiguousarray(picture[y : y + side, x : x + side])
        tile = np.asarray(cv2.resize(part, (FRAME_PX, FRAME_PX), interpolation=cv2.INTER_AREA), np.uint8)
    if rng.random() < 0.5:
        tile = draw_decoy(tile, rng)
    nowhere = np.zeros(tile.shape[:2], np.uint8)
    return {"masked": tile, "face": tile, "hole": nowhere, "valid": nowhere + 1}


def batches(
    dataset: CoveredFaces, *, numbers: Sequence[int], batch_size: int
) -> Iterator[dict[str, torch.Tensor]]:
    """Pictures of these numbers in batches, drawn in worker processes ahead of time."""
    loader: DataLoader[Any] = DataLoader(
        dataset,
        sampler=numbers,
        batch_size=batch_size,
        num_workers=dataset.config.workers,
        prefetch_factor=4 if dataset.config.workers else None,
        worker_init_fn=start_worker,
        drop_last=True,
    )
    yield from loader


def fixed_batch(dataset: CoveredFaces, count: int) -> dict[str, torch.Tensor]:
    """The first `count` pictures of a data set, stacked: the same at every call."""
    items = [dataset[number] for number in range(count)]
    return {key: torch.from_numpy(np.stack([item[key] for item in items])) for key in items[0]}


def widen(hole: Hole, rng: np.random.Generator, widen_px: tuple[int, int]) -> Hole:
    """Imitate a found hole: widened by a few pixels, half the time with an outline that wavers.

    Args:
        hole: bool [H, W].
        rng: Where the width and the waver come from.
        widen_px: Smallest and largest widening, in pixels.
    """
    radius = int(rng.integers(widen_px[0], widen_px[1] + 1))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    wide = cv2.dilate(hole.astype(np.uint8), kernel)
    if rng.random() < 0.5:
        height, width = hole.shape
        coarse = rng.normal(0, 1, (height // 16, width // 16)).astype(np.float32)
        waver = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        soft = cv2.GaussianBlur(wide.astype(np.float32), (0, 0), 4)
        wide = (soft > 0.45 + 0.15 * waver).astype(np.uint8)
    return wide.astype(bool)


def miss(hole: Hole, rng: np.random.Generator) -> Hole:
    """Imitate what a segmenter misses: straps and other thin parts, or patches at the outline.

    Args:
        hole: bool [H, W].
        rng: Where the patches come from.

    Returns:
        A part of the hole, bool [H, W]; the whole hole where less than 70 % of its area would be left.
    """
    kept = hole.astype(np.uint8)
    if rng.random() < 0.4:
        radius = int(rng.integers(3, 8))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        kept = cv2.morphologyEx(kept, cv2.MORPH_OPEN, kernel).astype(np.uint8)
    outlines, _ = cv2.findContours(kept, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if outlines:
        outline = max(outlines, key=len)[:, 0]
        for _ in range(int(rng.integers(1, 4))):
            x, y = outline[int(rng.integers(len(outline)))]
            axes = np.exp(rng.uniform(np.log(3), np.log(24), 2))
            turn = float(rng.uniform(0, 180))
            cv2.ellipse(kept, ((float(x), float(y)), (2 * axes[0], 2 * axes[1]), turn), 0, -1)
    return kept.astype(bool) if kept.sum() >= 0.7 * hole.sum() else hole


def _turned(record: FaceRecord, yaw_deg: float, pitch_deg: float) -> tuple[ImageU8, Hole, Landmarks]:
    """Crop, valid pixels and landmarks after a turn of the head in its photograph, aligned anew."""
    to_photo = geometry.invert(record.photo_to_crop)
    landmarks = geometry.apply(to_photo, record.landmarks)
    turn = Turn.of(landmarks, yaw_deg=yaw_deg, pitch_deg=pitch_deg)
    size = (record.photo.shape[1], record.photo.shape[0])
    valid = cv2.warpAffine(record.valid.astype(np.uint8) * 255, to_photo, size, borderValue=255)
    valid = turn.picture(np.asarray(valid, np.uint8), border=cv2.BORDER_CONSTANT)
    matrix = geometry.to_frame(turn.moved(record.photo_points).astype(np.float32))
    crop, inside = geometry.crop_to_frame(turn.picture(record.photo), matrix)
    still = cv2.warpAffine(valid, matrix, (FRAME_PX, FRAME_PX), flags=cv2.INTER_AREA) >= 250
    return crop, inside & still, geometry.apply(matrix, turn.landmarks(landmarks))


def _jitter(
    crop: ImageU8, valid: Hole, landmarks: Landmarks, rng: np.random.Generator, config: FacesConfig
) -> tuple[ImageU8, Hole, Landmarks]:
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


def _vary_light(face: ImageU8, rng: np.random.Generator, *, grey_share: float) -> ImageU8:
    """Gain, gamma and a colour cast, through a table; some faces turn grey."""
    levels = np.arange(256, dtype=np.float32) / 255
    gain, gamma = np.exp(rng.normal(0, 0.12)), np.exp(rng.normal(0, 0.12))
    cast = np.exp(rng.normal(0, 0.04, 3))
    table = np.clip(255 * np.power(levels[:, None], gamma) * gain * cast, 0, 255).astype(np.uint8)
    out: ImageU8 = np.asarray(cv2.LUT(face, table.reshape(1, 256, 3)), np.uint8)
    if rng.random() < grey_share:
        grey = cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)
        out = np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=2)
    return out


def _degrade(face: ImageU8, rng: np.random.Generator) -> ImageU8:
    """Lose detail as photographs from the web do: scaled down and up, compressed, noisy."""
    height, width = face.shape[:2]
    out = face
    if rng.random() < 0.6:
        share = rng.uniform(0.35, 0.9)
        small = cv2.resize(out, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        out = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    if rng.random() < 0.4:
        sigma = rng.uniform(1, 7)
        # One noise field is enough: random numbers cost more than the addition.
        noise = rng.standard_normal((height, width), dtype=np.float32) * sigma
        out = np.clip(out + noise[..., None], 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = int(rng.integers(35, 92))
        _, encoded = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, quality])
        out = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    return out


def _load_textures(folder: Path) -> Sequence[ImageU8]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if not paths:
        raise ConfigError(f"{folder} holds no .jpg or .png picture to take prints from")
    pictures = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in paths[:200]]
    return [
        cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8) for picture in pictures if picture is not None
    ]
