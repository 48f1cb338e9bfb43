"""Portraits kept in memory for the finder's scenes: as they are, turned, dressed, covered.

The labels are the teacher's on the bare photograph, so they are exact where the covering hides the
mouth; a turn of the head moves them along. Drawing costs more than composing a scene: each view is
drawn once, when it is first asked for, and remembered where all of the loader's workers see it.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

from demask import geometry
from demask.coverings import draw
from demask.coverings.head import Turn
from demask.coverings.headwear import wear
from demask.dataset.record import FaceRecord
from demask.errors import ConfigError, DatasetError
from demask.rng import rng_for
from demask.types import AnyArray, ImageU8, Landmarks, Points

MAX_PHOTO_PX = 256
"""Portraits are kept at most this long: a face of about 160 px, which is what a covering needs."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Portrait:
    """One labelled face on its photograph; everything in pixels of `photo`.

    Attributes:
        name: Unique name.
        photo: uint8 RGB [H, W, 3].
        box: (x0, y0, x1, y1), float64 [4].
        points: float32 [5, 2] in picture order.
        landmarks: float32 [468, 3].
        weight: How often to show it, next to others.
    """

    name: str
    photo: ImageU8
    box: np.ndarray[Any, np.dtype[np.float64]]
    points: Points
    landmarks: Landmarks
    weight: float = 1.0


class View(NamedTuple):
    """One portrait as it is shown; everything in pixels of `photo`."""

    photo: ImageU8  # uint8 RGB [H, W, 3]; do not write to it.
    box: AnyArray  # float64 [4]
    points: AnyArray  # float [5, 2]


def portrait_of(record: FaceRecord, *, weight: float = 1.0, max_px: int = MAX_PHOTO_PX) -> Portrait:
    """Take a face of the data set, its photo scaled down to at most `max_px`."""
    landmarks = geometry.apply(geometry.invert(record.photo_to_crop), record.landmarks)
    height, width = record.photo.shape[:2]
    scale = min(1.0, max_px / max(height, width))
    photo, ratio = record.photo, np.ones(2)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        photo = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        ratio = np.array([size[0] / width, size[1] / height])
    # Pixel centres: x_small = (x_large + 0.5) * ratio - 0.5.
    box = (np.array(record.photo_box).reshape(2, 2) + 0.5) * ratio - 0.5
    landmarks = np.column_stack([(landmarks[:, :2] + 0.5) * ratio - 0.5, landmarks[:, 2] * ratio.mean()])
    return Portrait(
        name=record.face_id,
        photo=photo,
        box=box.reshape(4),
        points=((record.photo_points + 0.5) * ratio - 0.5).astype(np.float32),
        landmarks=landmarks.astype(np.float32),
        weight=weight,
    )


class FaceBank:
    """Portraits by number, in several views.

    Args:
        portraits: At least one.
        seed: A view is a function of the seed, the portrait's name and the view's number.
        variants: Covered views per portrait; one more is bare, but turned or dressed.
        patches: Photographs without faces, whose patches become prints.
        turn_fraction: Fraction of the views whose head is turned further than it was.
        dress_fraction: Fraction of the views with something on the head or before the eyes.

    Raises:
        DatasetError: There is no portrait.
        ConfigError: `variants` is below 1.
    """

    def __init__(
        self,
        portraits: Iterable[Portrait],
        *,
        seed: int,
        variants: int = 3,
        patches: Sequence[ImageU8] = (),
        turn_fraction: float = 0.0,
        dress_fraction: float = 0.0,
    ) -> None:
        self.portraits = list(portraits)
        if not self.portraits:
            raise DatasetError("there is no face to train the finder on; build the set from more photographs")
        if variants < 1:
            raise ConfigError(f"variants is {variants}; each portrait needs at least 1 covering")
        self.seed, self.variants, self.patches = seed, variants, patches
        self.turn_fraction, self.dress_fraction = turn_fraction, dress_fraction
        weights = np.array([portrait.weight for portrait in self.portraits])
        self._cumulative = np.cumsum(weights / weights.sum())
        sizes = [portrait.photo.nbytes for portrait in self.portraits for _ in range(variants + 1)]
        self._ends = np.cumsum(sizes)
        self._open_memory()

    def __len__(self) -> int:
        return len(self.portraits)

    def pick(self, rng: np.random.Generator) -> int:
        """Number of a portrait, drawn by weight."""
        return min(int(np.searchsorted(self._cumulative, rng.random())), len(self) - 1)

    def untouched(self, index: int) -> View:
        """Portrait `index` as it was photographed."""
        portrait = self.portraits[index]
        return View(portrait.photo, portrait.box, portrait.points)

    def bare(self, index: int) -> View:
        """Portrait `index` without a covering, perhaps turned or dressed."""
        return self._view(index, self.variants)

    def covered(self, index: int, variant: int) -> View:
        """Portrait `index` with its covering number `variant`."""
        return self._view(index, variant)

    def _view(self, index: int, variant: int) -> View:
        portrait = self.portraits[index]
        slot = index * (self.variants + 1) + variant
        end = int(self._ends[slot])
        kept = self._pixels[end - portrait.photo.nbytes : end].reshape(portrait.photo.shape)
        labels = self._labels[slot]
        if not self._is_drawn[slot]:
            # Two workers may draw the same one at the same time; they write the same bytes.
            view = self._draw(portrait, variant)
            kept[:] = view.photo
            labels[:] = np.concatenate([view.box, view.points.ravel()])
            self._is_drawn[slot] = 1
        return View(kept, labels[:4], labels[4:].reshape(5, 2))

    def _draw(self, portrait: Portrait, variant: int) -> View:
        rng = rng_for(self.seed, f"finder view {variant}", portrait.name)
        photo, landmarks, box, points = portrait.photo, portrait.landmarks, portrait.box, portrait.points
        if rng.random() < self.turn_fraction:
            turn = Turn.of(landmarks, yaw_deg=rng.normal(0, 26), pitch_deg=rng.normal(0, 12))
            photo, turned = turn.picture(photo), turn.landmarks(landmarks)
            points = turn.moved(points).astype(np.float32)
            # The box keeps its margins around the landmarks.
            box = box + _extent(turned) - _extent(landmarks)
            landmarks = turned
        if rng.random() < self.dress_fraction:
            photo = wear(photo, landmarks, rng)
        if variant < self.variants:
            photo = draw(photo, landmarks, rng, patches=self.patches).masked
        return View(photo, box, points)

    def _open_memory(self) -> None:
        # Anonymous shared memory: pages are taken when first written, and forked workers share them.
        slots = len(self._ends)
        self._pixels = np.frombuffer(mmap.mmap(-1, int(self._ends[-1])), dtype=np.uint8)
        self._labels = np.frombuffer(mmap.mmap(-1, slots * 14 * 8), dtype=np.float64).reshape(slots, 14)
        self._is_drawn = np.frombuffer(mmap.mmap(-1, slots), dtype=np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        # A spawned worker starts with nothing drawn and memory of its own.
        shared = ("_pixels", "_labels", "_is_drawn")
        return {key: value for key, value in self.__dict__.items() if key not in shared}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open_memory()


def _extent(landmarks: Landmarks) -> AnyArray:
    return np.concatenate([landmarks[:, :2].min(0), landmarks[:, :2].max(0)]).astype(np.float64)
