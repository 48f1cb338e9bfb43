"""Training pictures: faces from the shards, coverings drawn on the fly, everything a function of its number.

Picture number i of a run depends on (seed, i) alone, so workers, restarts and reruns agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from demask.coverings import draw
from demask.coverings.catalogue import WIDE_KINDS
from demask.coverings.distractors import add_distractor
from demask.coverings.headwear import wear
from demask.coverings.wall import before_wall
from demask.dataset.record import FaceRecord, filled
from demask.errors import DatasetError
from demask.geometry import TIGHT, WIDE, Window
from demask.rng import rng_for
from demask.training.data.augment import FACES_DEGRADATION, FACES_LIGHT, degrade, vary_light
from demask.training.data.decoys import draw_decoy
from demask.training.data.loading import open_split, read_pictures
from demask.training.data.training_holes import box_hole, free_form_hole, miss, widen
from demask.training.data.varied_faces import FacesConfig, jitter, shown, turned, yaw_deg
from demask.types import Hole, ImageU8

Item = dict[str, npt.NDArray[Any]]

_PROFILE_DRAWS, _PROFILE_FROM_DEG = 24, 18.0
_PROFILE_ONWARD_DEG = (8.0, 35.0)
"""A frontal head turned by 45 degrees keeps its far cheek; one turned by 20 looks right 35 degrees further."""
_WIDE_DRAWS = 16
_MOST_TEXTURES = 200


class CoveredFaces(Dataset[Item]):
    """Endless covered faces of one split.

    An item holds `masked` and `face`, uint8 RGB [S, S, 3], `hole` and `valid`, uint8 0 or 1 [S, S], and where
    nothing is mirrored `landmarks`, float32 [468, 3] in crop pixels. S is 256, the tight window, or 384, the
    wide one.

    Args:
        config: Which faces, and how they are varied.
        split: Of the data set.
        group: So many pictures in a row show the same window, as those of a batch must.

    Raises:
        DatasetError: The folder holds no face of this split.
    """

    def __init__(self, config: FacesConfig, *, split: str, group: int = 1) -> None:
        self.config, self.group = config, group
        self.light = dataclasses.replace(FACES_LIGHT, grey_fraction=config.grey_fraction)
        self.shards = open_split(config.data, split)
        soft = np.array([entry.source in config.soft_sources for entry in self.shards.entries])
        weight = np.where(soft, 1.0, config.sharp_factor)
        weight = weight * np.where([entry.is_turned for entry in self.shards.entries], config.turned_factor, 1)
        if config.sources:
            weight = weight * np.array([entry.source in config.sources for entry in self.shards.entries])
            if not weight.any():
                raise DatasetError(
                    f"{config.data} holds no face of {', '.join(config.sources)} in its split {split}; "
                    "name other sources"
                )
        self.cumulative = np.cumsum(weight / weight.sum())
        self.patches = read_pictures(config.textures, most=_MOST_TEXTURES) if config.textures else ()

    def __getitem__(self, number: int) -> Item:
        """Picture `number` of the run; any number >= 0."""
        config = self.config
        window = self.window(number)
        rng = rng_for(config.seed, "picture", str(number))
        index = self._index(rng)
        if config.nothing_fraction and rng.random() < config.nothing_fraction:
            return _no_face(self.patches, rng, window.side_px)
        record = self.shards[index] if window == TIGHT else self._with_surroundings(index, rng)
        onward = None
        if config.profile_fraction and rng.random() < config.profile_fraction:
            record, onward = self._turned_head(rng, window)
        rng = rng_for(config.seed, f"picture {number}", record.face_id)
        if onward is not None:
            face, valid, landmarks = turned(record, onward, rng.normal(0, config.pitch_deg), window)
        elif config.turn_fraction and rng.random() < config.turn_fraction:
            yaw = rng.normal(0, config.yaw_deg)
            face, valid, landmarks = turned(record, yaw, rng.normal(0, config.pitch_deg), window)
        else:
            face, valid, landmarks = shown(record, window)
        if config.wall_fraction and rng.random() < config.wall_fraction:
            face = before_wall(face, valid, landmarks, rng)
        if config.dress_fraction and rng.random() < config.dress_fraction:
            face = wear(face, landmarks, rng)
        face, valid, landmarks = jitter(face, valid, landmarks, rng, config)
        if config.light:
            face = vary_light(face, rng, self.light)
        if rng.random() < config.degrade_fraction:
            face = degrade(face, rng, FACES_DEGRADATION)
        face[~valid] = 0

        masked = face
        hole = np.zeros(valid.shape, bool)
        published = self._published_hole(rng, window.side_px)
        if published is not None:
            hole = published
        elif rng.random() >= config.bare_fraction:
            kinds = WIDE_KINDS if window == WIDE and rng.random() < config.wide_kinds_fraction else None
            drawn = draw(
                face,
                landmarks,
                rng,
                kinds=kinds,
                patches=self.patches,
                unusual_fraction=config.unusual_fraction,
            )
            masked, hole = drawn.masked, drawn.hole
        elif rng.random() < 0.5:
            masked = add_distractor(face, landmarks, rng)
            face = masked
        if config.widen_px[1] and published is None:
            hole = widen(hole, rng, config.widen_px)
        if config.missed_fraction and published is None and rng.random() < config.missed_fraction:
            hole = miss(hole, rng)
        if rng.random() < config.flip_fraction:
            masked, face, hole, valid = (np.ascontiguousarray(a[:, ::-1]) for a in (masked, face, hole, valid))
        item: Item = {
            "masked": np.where(valid[..., None], masked, 0).astype(np.uint8),
            "face": np.where(valid[..., None], face, 0).astype(np.uint8),
            "hole": (hole & valid).astype(np.uint8),
            "valid": valid.astype(np.uint8),
        }
        if config.flip_fraction == 0:
            item["landmarks"] = landmarks.astype(np.float32)
        return item

    def window(self, number: int) -> Window:
        """Which window picture `number` shows."""
        group, fraction = number // self.group, self.config.wide_fraction
        return WIDE if int((group + 1) * fraction) > int(group * fraction) else TIGHT

    def _with_surroundings(self, index: int, rng: np.random.Generator) -> FaceRecord:
        """The face at `index`, or else one that fills the wide window; the last one tried if none does."""
        record = self.shards[index]
        for _ in range(_WIDE_DRAWS):
            if filled(record, WIDE) >= self.config.wide_valid:
                break
            record = self.shards[self._index(rng)]
        return record

    def _index(self, rng: np.random.Generator) -> int:
        """Draw which face of the split is shown, sharp sources more often."""
        return min(int(np.searchsorted(self.cumulative, rng.random())), len(self.shards) - 1)

    def _published_hole(self, rng: np.random.Generator, side_px: int) -> Hole | None:
        """A hole of another work, for the fraction of pictures that has one."""
        boxes, all_of_them = self.config.box_fraction, self.config.box_fraction + self.config.free_form_fraction
        if not all_of_them:
            return None
        drawn = rng.random()
        if drawn >= all_of_them:
            return None
        return box_hole(rng, side_px) if drawn < boxes else free_form_hole(rng, side_px)

    def _turned_head(self, rng: np.random.Generator, window: Window) -> tuple[FaceRecord, float | None]:
        """A head that is turned already, and by how much to turn it further; None where none came up."""
        for _ in range(_PROFILE_DRAWS):
            record = self.shards[self._index(rng)]
            if window == WIDE and filled(record, WIDE) < self.config.wide_valid:
                continue
            yaw = yaw_deg(record.landmarks)
            if abs(yaw) >= _PROFILE_FROM_DEG:
                return record, float(np.copysign(rng.uniform(*_PROFILE_ONWARD_DEG), yaw))
        return record, None


def _no_face(patches: Sequence[ImageU8], rng: np.random.Generator, side_px: int) -> Item:
    """A crop of a picture without faces, half of them with a sign, a button or a fist drawn on."""
    tile = np.full((side_px, side_px, 3), rng.integers(0, 256, 3), np.uint8)
    if patches:
        picture = patches[int(rng.integers(len(patches)))]
        side = max(2, int(min(picture.shape[:2]) * np.exp(rng.uniform(np.log(0.2), 0))))
        y, x = (int(rng.integers(0, length - side + 1)) for length in picture.shape[:2])
        part = np.ascontiguousarray(picture[y : y + side, x : x + side])
        tile = np.asarray(cv2.resize(part, (side_px, side_px), interpolation=cv2.INTER_AREA), np.uint8)
    if rng.random() < 0.5:
        tile = draw_decoy(tile, rng)
    nowhere = np.zeros(tile.shape[:2], np.uint8)
    return {"masked": tile, "face": tile, "hole": nowhere, "valid": nowhere + 1}
