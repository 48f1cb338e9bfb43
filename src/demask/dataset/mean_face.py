"""The mean of many faces in the aligned frame: the floor `mean-face` puts it into every hole.

python -m demask.dataset.mean_face runs/faces -o src/demask/restorers/mean_face.png

A mean over thousands of people is nobody's face; one over a few would show them, and is refused.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from demask.atomic import write_atomic
from demask.dataset.manifest import read_dataset
from demask.dataset.shards import FaceShards
from demask.errors import DatasetError, DemaskError
from demask.types import AnyArray, ImageU8

SIDE_PX = 64
LEAST_IDENTITIES = 1000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MeanFace:
    """The mean and what it was made of.

    Attributes:
        picture: uint8 RGB [side, side, 3]; pixel (0, 0) covers the frame's first pixels.
        split: Which faces of the set.
        num_faces: Pictures.
        num_identities: People, as far as the sources tell them apart.
        manifest_sha256: Manifest of the set.
    """

    picture: ImageU8
    split: str
    num_faces: int
    num_identities: int
    manifest_sha256: str


def mean_face(
    folder: Path,
    *,
    split: str = "train",
    side_px: int = SIDE_PX,
    least_identities: int = LEAST_IDENTITIES,
    progress: Callable[[int, int], None] | None = None,
) -> MeanFace:
    """Average the crops of a built set, every identity counting once, over the pixels that are a photograph.

    Args:
        folder: Where `demask dataset build` wrote.
        split: Which faces.
        side_px: Side of the result; the mean holds no more detail than about 64 px show.
        least_identities: Refuse a mean of fewer people.
        progress: Called with (faces read, faces in all).

    Raises:
        DatasetError: The set is damaged, holds too few identities, or some pixel is valid in no face.
    """
    faces = FaceShards(folder, split=split)
    pictures_of = Counter(entry.identity for entry in faces.entries)
    if len(pictures_of) < least_identities:
        raise DatasetError(
            f"{folder} holds {len(pictures_of)} identities to {split}; a mean of fewer than "
            f"{least_identities} would show single people; give a larger set"
        )
    total = np.zeros((side_px, side_px, 3))
    weights = np.zeros((side_px, side_px, 1))
    for number, face in enumerate(faces, start=1):
        weight = face.valid.astype(np.float64)[..., None] / pictures_of[face.identity]
        total += _shrunk(face.crop * weight, side_px)
        weights += _shrunk(weight, side_px).reshape(side_px, side_px, 1)
        if progress is not None:
            progress(number, len(faces))
    if not weights.all():
        raise DatasetError(
            f"{folder}: {np.count_nonzero(weights == 0)} pixels of the frame are in no photograph"
        )
    return MeanFace(
        picture=np.rint(total / weights).astype(np.uint8),
        split=split,
        num_faces=len(faces),
        num_identities=len(pictures_of),
        manifest_sha256=str(read_dataset(folder)["manifest_sha256"]),
    )


def _shrunk(plane: AnyArray, side_px: int) -> AnyArray:
    return cv2.resize(plane, (side_px, side_px), interpolation=cv2.INTER_AREA)


def png_of(mean: MeanFace) -> bytes:
    """A PNG that says in its text what it is the mean of; the same mean gives the same bytes."""
    note = PngInfo()
    note.add_text(
        "Comment",
        f"Mean of {mean.num_faces} aligned photographs of {mean.num_identities} identities (split {mean.split} "
        f"of the set whose manifest has sha256 {mean.manifest_sha256}), by demask.dataset.mean_face. Nobody's "
        "face.",
    )
    buffer = io.BytesIO()
    Image.fromarray(mean.picture).save(buffer, format="PNG", optimize=True, pnginfo=note)
    return buffer.getvalue()


def main() -> None:
    """Make the file that the package ships."""
    parser = argparse.ArgumentParser(prog="python -m demask.dataset.mean_face", description=__doc__)
    parser.add_argument("data", type=Path, help="folder that `demask dataset build` wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the PNG to write")
    parser.add_argument("--split", default="train", help="train, val or test")
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it is there")
    arguments = parser.parse_args()
    try:
        mean = mean_face(arguments.data, split=arguments.split, progress=_show)
        data = png_of(mean)
        write_atomic(arguments.output, data, overwrite=arguments.overwrite)
    except DemaskError as error:
        raise SystemExit(f"demask: {error}") from None
    sys.stderr.write(f"{arguments.output}: mean of {mean.num_faces} faces, {len(data)} bytes\n")


def _show(done: int, total: int) -> None:
    if done % 1000 == 0 or done == total:
        sys.stderr.write(f"{done}/{total}\n")


if __name__ == "__main__":
    main()
