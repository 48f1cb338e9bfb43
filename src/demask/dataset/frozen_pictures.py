"""One picture of a frozen test set: its covering drawn, its files written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from demask.coverings import (
    HELD_OUT_KINDS,
    HELD_OUT_TEXTURES,
    TRAINING_KINDS,
    TRAINING_TEXTURES,
    WIDE_KINDS,
    Drawn,
    draw,
)
from demask.dataset.frozen_set import png_bytes, sha256_of
from demask.dataset.record import FaceRecord
from demask.faces.judge import LOWER_FACE, MOUTH
from demask.geometry import FRAME_PX, apply, invert
from demask.rng import rng_for
from demask.types import Hole, ImageU8, Landmarks, Matrix, Points

Files = dict[str, tuple[str, ImageU8 | Hole]]
"""What a picture is stored as: its path in the set, and its pixels."""

# A face mask hides the mouth and much of the lower face; a random shape that does not is drawn again.
MIN_LOWER_FACE = 0.35
MIN_MOUTH = 0.6
MAX_DRAWS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class CoveringSlice:
    """Which coverings a slice shows; the words are those of `demask.coverings.draw`.

    Attributes:
        kinds: Kinds of covering.
        textures: Sets of prints; each picture takes one of the sets, evenly.
        colours: Which hues.
    """

    kinds: tuple[str, ...] = TRAINING_KINDS
    textures: tuple[tuple[str, ...], ...] = (TRAINING_TEXTURES,)
    colours: str = "training"


SLICES: dict[str, CoveringSlice] = {
    "seen": CoveringSlice(),
    "unseen_colours": CoveringSlice(textures=(("plain",), HELD_OUT_TEXTURES), colours="held_out"),
    "unseen_types": CoveringSlice(kinds=HELD_OUT_KINDS),
}

_ON_PHOTOS: dict[str, CoveringSlice] = {"wide": CoveringSlice(kinds=WIDE_KINDS)}
"""Of the slices of whole photos, those whose coverings are not as in the slice "seen"."""


def store_crop(
    folder: Path,
    name: str,
    record: FaceRecord,
    *,
    seed: int,
    patches: Sequence[ImageU8],
) -> dict[str, Any]:
    """Cover one aligned crop and write its files.

    Args:
        folder: Of the set.
        name: A slice of `SLICES`.
        record: The bare face.
        seed: Of the covering.
        patches: Pictures for printed patches.

    Returns:
        The line of the manifest.
    """
    face = np.where(record.valid[:, :, None], record.crop, np.uint8(0))
    drawn = _drawn(
        face, record.landmarks, np.eye(2, 3), f"{name}/{record.face_id}", SLICES[name], seed, patches
    )
    masked = np.where(record.valid[:, :, None], drawn.masked, np.uint8(0))
    truth = f"faces/{record.face_id}"
    files: Files = {
        "masked": (f"{name}/{record.face_id}.masked.png", masked),
        "face": (f"{truth}.face.png", face),
        "hole": (f"{name}/{record.face_id}.hole.png", drawn.hole & record.valid),
        "valid": (f"{truth}.valid.png", record.valid),
    }
    points = apply(record.photo_to_crop, record.photo_points)
    return _row(folder, name, record, points, drawn.recipe, files)


def store_photo(
    folder: Path, slice_name: str, record: FaceRecord, *, seed: int, patches: Sequence[ImageU8]
) -> dict[str, Any]:
    """Cover the whole photo, for a slice of `PHOTO_SLICES`; see `store_crop`."""
    to_photo = invert(record.photo_to_crop)
    landmarks = apply(to_photo, record.landmarks)
    name = f"{slice_name}/{record.face_id}"
    covering = _ON_PHOTOS.get(slice_name, SLICES["seen"])
    drawn = _drawn(record.photo, landmarks, record.photo_to_crop, name, covering, seed, patches)
    files: Files = {
        "masked": (f"{name}.masked.png", drawn.masked),
        "face": (f"{name}.face.png", record.photo),
        "hole": (f"{name}.hole.png", drawn.hole),
    }
    return _row(folder, slice_name, record, record.photo_points, drawn.recipe, files)


def _drawn(
    face: ImageU8,
    landmarks: Landmarks,
    to_crop: Matrix,
    name: str,
    covering: CoveringSlice,
    seed: int,
    patches: Sequence[ImageU8],
) -> Drawn:
    """Draw until the covering hides mouth and lower face, as a face mask does; the last try is kept."""
    pick = int(rng_for(seed, "freeze/textures", name).integers(len(covering.textures)))
    for attempt in range(MAX_DRAWS):
        drawn = draw(
            face,
            landmarks,
            rng_for(seed, f"freeze/{attempt}", name),
            kinds=covering.kinds,
            textures=covering.textures[pick],
            colours=covering.colours,
            patches=patches,
        )
        in_frame = cv2.warpAffine(drawn.hole.astype(np.uint8), to_crop, (FRAME_PX, FRAME_PX)).astype(bool)
        if in_frame[MOUTH].mean() >= MIN_MOUTH and in_frame[LOWER_FACE].mean() >= MIN_LOWER_FACE:
            break
    return drawn


def _row(
    folder: Path,
    name: str,
    record: FaceRecord,
    points: Points,
    recipe: Mapping[str, Any],
    files: Files,
) -> dict[str, Any]:
    """Write the files of one picture; return its line of the manifest."""
    stored = {}
    for what, (path, pixels) in files.items():
        data = png_bytes(pixels)
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(data)
        stored[what] = {"path": path, "sha256": sha256_of(data)}
    return {
        "slice": name,
        "face_id": record.face_id,
        "source": record.source,
        "licence": record.licence,
        "points": np.round(points.astype(np.float64), 2).tolist(),
        "recipe": recipe,
        "labels": record.labels,
        "files": stored,
    }
