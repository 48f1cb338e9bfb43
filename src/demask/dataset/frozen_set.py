"""A frozen test set on disk: what a picture of it is, how it is read, and how its bytes are vouched for.

Layout of the folder::

    set.json                  what was asked for, how many pictures each slice holds, sha256 of the whole
    manifest.jsonl            one line a picture: names, five points, recipe, sha256 of every file
    faces/<face_id>.face.png  .valid.png       the truth, kept once for all slices
    <slice>/<face_id>.masked.png  .hole.png    the covered face and its true hole (1 bit)

The slices of `PHOTO_SLICES` keep their own `.face.png` beside: the whole photo instead of the aligned crop.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from demask.dataset.manifest import labels_in, text_in
from demask.errors import DatasetError
from demask.types import Hole, ImageU8, Points

MANIFEST = "manifest.jsonl"
SET = "set.json"
PHOTO_SLICES = {
    "portrait": "FFHQ's framing, seen coverings",
    "wide": "coverings that run on below or beside the face, photographs with surroundings",
    "turned": "heads turned when photographed, seen coverings",
    "large": "sharp photographs of 512 px, seen coverings",
}
"""Slices of whole photos, in which the face is looked for too, and what each holds."""
CROP_SLICES = ("seen", "unseen_colours", "unseen_types")
FILES = ("masked", "face", "hole", "valid")
PHOTO_FILES = ("masked", "face", "hole")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FrozenPicture:
    """One covered face and its truth.

    Attributes:
        slice: Which slice it belongs to.
        face_id: Whose picture; unique inside a slice, the same face in the others.
        source: Collection the face comes from.
        masked: The covered face, uint8 RGB [H, W, 3]; 256 x 256 in the crop slices.
        face: The same bare.
        hole: Pixels the covering changed, bool [H, W].
        valid: Pixels that were inside the photo, bool [H, W].
        points: Five points in pixels of `face`, float32 [5, 2].
        recipe: What was drawn: kind, texture, colours and the rest.
        labels: What the source says about the face.
    """

    slice: str
    face_id: str
    source: str
    masked: ImageU8
    face: ImageU8
    hole: Hole
    valid: Hole
    points: Points
    recipe: dict[str, Any]
    labels: dict[str, str]

    @property
    def is_photo(self) -> bool:
        """Whether it is a whole photo, not an aligned crop."""
        return self.slice in PHOTO_SLICES


def png_bytes(picture: ImageU8 | Hole) -> bytes:
    """Encode without loss: RGB as 24 bit, a hole as 1 bit. The same pixels give the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def sha256_of(data: bytes) -> str:
    """Checksum in hex."""
    return hashlib.sha256(data).hexdigest()


def set_sha256(manifest: bytes) -> str:
    """Checksum of a whole set: that of its manifest, which holds the checksum of every file."""
    return sha256_of(manifest)


def read_info(folder: Path) -> dict[str, Any]:
    """Read `set.json` and check that the manifest is the one it vouches for.

    Raises:
        DatasetError: A file is missing or damaged, or the manifest was changed.
    """
    try:
        info: dict[str, Any] = json.loads((folder / SET).read_text(encoding="utf-8"))
        manifest = (folder / MANIFEST).read_bytes()
        if not isinstance(info, dict) or not isinstance(info.get("slices"), dict):
            raise ValueError(f"{SET} names no slices")
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(
            f"{folder} is no frozen test set ({error}); make one with `demask dataset freeze`"
        ) from error
    got = set_sha256(manifest)
    if got != info.get("sha256"):
        raise DatasetError(
            f"{folder / MANIFEST} has sha256 {got[:12]}, which is not what {SET} says; freeze again"
        )
    return info


def load_frozen(
    folder: Path, *, slices: Sequence[str] | None = None, verify: bool = True
) -> Iterator[FrozenPicture]:
    """Iterate over the pictures of a frozen set in the order of its manifest.

    Args:
        folder: Where `demask dataset freeze` wrote.
        slices: Only these slices; None = all.
        verify: Compare every file that is read with its sha256.

    Raises:
        DatasetError: The folder is no frozen set, a slice is unknown, or a file is missing or changed.
    """
    folder = Path(folder)
    info = read_info(folder)
    if slices is not None and (unknown := set(slices) - info["slices"].keys()):
        raise DatasetError(
            f"{folder} has no slice {', '.join(sorted(unknown))}; it has {', '.join(info['slices'])}"
        )
    return _pictures(folder, None if slices is None else frozenset(slices), verify)


def _pictures(folder: Path, slices: frozenset[str] | None, verify: bool) -> Iterator[FrozenPicture]:
    for row in read_manifest(folder):
        if slices is None or row["slice"] in slices:
            yield read_picture(folder, row, verify=verify)


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """All rows of the manifest in its order, no picture read yet.

    Raises:
        DatasetError: The folder is no frozen set, or the manifest was changed.
    """
    read_info(folder)
    rows = []
    for line in (folder / MANIFEST).read_bytes().splitlines():
        try:
            row = json.loads(line)
            for name in ("slice", "face_id", "source"):
                text_in(row, name)
            for file in row["files"].values():
                text_in(file, "sha256")
                _check_inside(text_in(file, "path"))
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise DatasetError(f"{folder / MANIFEST} is damaged: {error}; freeze again") from error
        rows.append(row)
    return rows


def _check_inside(path: str) -> None:
    """Refuse a path that leads out of the set; raises ValueError."""
    if "\\" in path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"path is {path!r}; it must lie inside the set")


def read_picture(folder: Path, row: dict[str, Any], *, verify: bool = True) -> FrozenPicture:
    """Read one picture of a frozen set.

    Args:
        folder: Where `demask dataset freeze` wrote.
        row: Its row of the manifest.
        verify: Compare every file with its sha256.

    Raises:
        DatasetError: A file is missing or changed, or the row is damaged.
    """
    try:
        pixels = {what: _read(folder, file, verify) for what, file in row["files"].items()}
        face = pixels["face"]
        valid = pixels.get("valid")
        return FrozenPicture(
            slice=row["slice"],
            face_id=row["face_id"],
            source=row["source"],
            masked=pixels["masked"],
            face=face,
            hole=pixels["hole"] > 0,
            valid=np.ones(face.shape[:2], bool) if valid is None else valid > 0,
            points=np.array(row["points"], np.float32).reshape(5, 2),
            recipe=dict(row["recipe"]),
            labels=labels_in(row),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DatasetError(
            f"{folder / MANIFEST} is damaged at {row.get('face_id')!r} ({type(error).__name__}: {error}); "
            "freeze again"
        ) from error


def _read(folder: Path, file: dict[str, str], verify: bool) -> Any:
    path = folder / file["path"]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{path} of the frozen set cannot be read: {error.strerror}; freeze again"
        ) from error
    if verify and sha256_of(data) != file["sha256"]:
        raise DatasetError(f"{path} is not the file that was frozen (sha256 differs); freeze again")
    try:
        picture = Image.open(io.BytesIO(data))
        picture.load()
    except Exception as error:  # Pillow's decoders raise a dozen kinds.
        raise DatasetError(f"{path} is no picture: {error}; freeze again") from error
    # Pillow hands out 1-bit pictures as bool arrays whose True is the byte 255; a comparison makes true bools.
    return np.asarray(picture.convert("L")) > 0 if picture.mode == "1" else np.asarray(picture)
