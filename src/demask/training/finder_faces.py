"""Portraits kept in memory for the finder's scenes, each bare and with a few drawn coverings.

The labels are the teacher's on the bare photograph, so they are exact where the covering hides the
mouth. Drawing a covering costs more than composing a scene: each is drawn once, when it is first
asked for, and remembered where all of the loader's workers see it.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from demask.coverings import draw, rng_for
from demask.dataset.record import FaceRecord
from demask.errors import ConfigError, DatasetError
from demask.faces import alignment
from demask.types import ImageU8, Landmarks, Points

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


def portrait_of(record: FaceRecord, *, weight: float = 1.0, max_px: int = MAX_PHOTO_PX) -> Portrait:
    """Take a face of the data set, its photo scaled down to at most `max_px`."""
    landmarks = alignment.apply(alignment.invert(record.photo_to_crop), record.landmarks)
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
    """Portraits by number, bare or covered.

    Args:
        portraits: At least one.
        seed: Coverings are a function of the seed, the portrait's name and the variant.
        variants: Coverings per portrait.
        patches: Photographs without faces, whose patches become prints.

    Raises:
        DatasetError: There is no portrait.
        ConfigError: `variants` is below 1.
    """

    def __init__(
        self, portraits: Iterable[Portrait], *, seed: int, variants: int = 3, patches: Sequence[ImageU8] = ()
    ) -> None:
        self.portraits = list(portraits)
        if not self.portraits:
            raise DatasetError("there is no face to train the finder on; build the set from more photographs")
        if variants < 1:
            raise ConfigError(f"variants is {variants}; each portrait needs at least 1 covering")
        self.seed, self.variants, self.patches = seed, variants, patches
        weights = np.array([portrait.weight for portrait in self.portraits])
        self._cumulative = np.cumsum(weights / weights.sum())
        sizes = [portrait.photo.nbytes for portrait in self.portraits for _ in range(variants)]
        self._ends = np.cumsum(sizes)
        self._open_memory()

    def __len__(self) -> int:
        return len(self.portraits)

    def pick(self, rng: np.random.Generator) -> int:
        """Number of a portrait, drawn by weight."""
        return min(int(np.searchsorted(self._cumulative, rng.random())), len(self) - 1)

    def covered(self, index: int, variant: int) -> ImageU8:
        """The photo of portrait `index` with its covering number `variant` drawn on; do not write to it."""
        portrait = self.portraits[index]
        slot = index * self.variants + variant
        end = int(self._ends[slot])
        kept = self._pixels[end - portrait.photo.nbytes : end].reshape(portrait.photo.shape)
        if not self._is_drawn[slot]:
            rng = rng_for(self.seed, f"finder covering {variant}", portrait.name)
            # Two workers may draw the same one at the same time; they write the same bytes.
            kept[:] = draw(portrait.photo, portrait.landmarks, rng, patches=self.patches).masked
            self._is_drawn[slot] = 1
        return kept

    def _open_memory(self) -> None:
        # Anonymous shared memory: pages are taken when first written, and forked workers share them.
        self._pixels = np.frombuffer(mmap.mmap(-1, int(self._ends[-1])), dtype=np.uint8)
        self._is_drawn = np.frombuffer(mmap.mmap(-1, len(self._ends)), dtype=np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        # A spawned worker starts with nothing drawn and memory of its own.
        return {key: value for key, value in self.__dict__.items() if key not in ("_pixels", "_is_drawn")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open_memory()
