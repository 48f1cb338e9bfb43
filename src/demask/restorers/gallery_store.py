"""A gallery of faces on disk: crops, who they are, descriptors; all read through memory maps.

`demask dataset gallery` makes one. Layout of the folder::

    gallery.json      how many faces, from which set, scales of the descriptor, size of every other file
    faces.npy         one record a face, see `FACE`
    descriptors.npy   float16 [N, 16, 33], see `demask.restorers.scene_descriptor`
    crops.bin         the crops as JPEG, one behind the other
    entries.jsonl     one line a face: face_id, identity, source, licence
    index.faiss, projection.npy    only in a large gallery, see `demask.restorers.scene_search`

The crops are photographs of people. Whatever is filled from a gallery contains pieces of them.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from demask.errors import DatasetError
from demask.restorers.scene_descriptor import CELL_VALUES, NUM_CELLS
from demask.restorers.scene_search import INDEX, Scales, SceneSearch, load_index
from demask.types import Hole, ImageU8

VERSION = 1
GALLERY = "gallery.json"
FACES = "faces.npy"
DESCRIPTORS = "descriptors.npy"
CROPS = "crops.bin"
ENTRIES = "entries.jsonl"
SIDE_PX = 256
VALID_GRID = 32
"""The valid pixels of a crop are kept as squares of 8 px; a square counts when all of it is valid."""

FACE = np.dtype(
    [
        ("crop_at", "<i8"),
        ("crop_bytes", "<u4"),
        ("crop_crc32", "<u4"),
        ("entry_at", "<i8"),
        ("entry_bytes", "<u4"),
        ("identity", "<u8"),  # See `identity_key`.
        ("share", "u1", (NUM_CELLS,)),  # Valid fraction of each cell of the descriptor, in 255ths.
        ("valid", "u1", (VALID_GRID * VALID_GRID // 8,)),  # One bit a square, `numpy.packbits`.
    ]
)


def identity_key(identity: str) -> int:
    """A number for a name, 64 bits, to tell people apart without reading their names."""
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=8).digest(), "little")


class Gallery:
    """A gallery opened for reading; safe to use from several threads.

    Args:
        folder: Where `demask dataset gallery` wrote.

    Attributes:
        info: What `gallery.json` says.
        search: Finds faces by their descriptor.

    Raises:
        DatasetError: A file is missing, cut short or of another version.
        UsageError: The gallery has an index, and FAISS is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.info = _read_info(self.folder)
        num = int(self.info["num_faces"])
        self._faces = self._mapped(FACES, (num,), FACE)
        descriptors = self._mapped(DESCRIPTORS, (num, NUM_CELLS, CELL_VALUES), np.dtype("<f2"))
        self._crops = np.memmap(self.folder / CROPS, np.uint8, "r")
        self.search = SceneSearch(
            descriptors,
            self._faces["share"],
            Scales.from_json(self.info["scales"]),
            index=load_index(self.folder) if INDEX in self.info["files"] else None,
        )

    def __len__(self) -> int:
        return len(self._faces)

    def crop(self, number: int, *, reduced: int = 1) -> ImageU8:
        """Decode a crop, uint8 RGB [256 / reduced, 256 / reduced, 3].

        Args:
            number: Which face, from 0.
            reduced: 1, or 4 for a small picture at a fraction of the time.

        Raises:
            DatasetError: The crop is damaged.
        """
        face = self._faces[number]
        data = np.array(self._crops[face["crop_at"] : face["crop_at"] + face["crop_bytes"]])
        flag = {1: cv2.IMREAD_COLOR_RGB, 4: cv2.IMREAD_REDUCED_COLOR_4}[reduced]
        sound = data.size > 0 and zlib.crc32(data.tobytes()) == face["crop_crc32"]
        picture = cv2.imdecode(data, flag) if sound else None
        if picture is None:
            raise DatasetError(
                f"{self.folder / CROPS}: face {number} is damaged; make the gallery again with "
                "`demask dataset gallery`"
            )
        # Only the full-size flag knows RGB.
        return cast(ImageU8, picture if reduced == 1 else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))

    def valid(self, number: int) -> Hole:
        """Pixels of a crop that are a photograph, in squares of 8 px: bool [32, 32]."""
        return np.unpackbits(self._faces[number]["valid"]).reshape(VALID_GRID, VALID_GRID) > 0

    def entry(self, number: int) -> dict[str, Any]:
        """Who it is and where from: face_id, identity, source, licence.

        Raises:
            DatasetError: The line is damaged.
        """
        face = self._faces[number]
        try:
            with (self.folder / ENTRIES).open("rb") as file:
                file.seek(int(face["entry_at"]))
                return cast(dict[str, Any], json.loads(file.read(int(face["entry_bytes"]))))
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{self.folder / ENTRIES}: the line of face {number} is damaged ({error}); make the gallery "
                "again with `demask dataset gallery`"
            ) from error

    def numbers_of(self, identity: str) -> npt.NDArray[np.int64]:
        """Which faces are of a person."""
        return np.flatnonzero(self._faces["identity"] == np.uint64(identity_key(identity)))

    def _mapped(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        path = self.folder / name
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise _damaged(path, str(error)) from error
        if array.shape != shape or array.dtype != dtype:
            raise _damaged(path, f"it holds {array.dtype} {array.shape}, not {dtype} {shape}")
        return cast(npt.NDArray[Any], array)


def _read_info(folder: Path) -> dict[str, Any]:
    path = folder / GALLERY
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(
            f"{folder} is no gallery: it holds no {GALLERY}; make one with `demask dataset gallery DATASET -o "
            f"{folder}`"
        ) from error
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(info, dict) or info.get("version") != VERSION:
        raise _damaged(path, f"its version is not {VERSION}")
    try:
        for name, size in info["files"].items():
            there = (folder / name).stat().st_size if (folder / name).is_file() else None
            if there != size:
                raise _damaged(folder / name, f"it has {there or 0} bytes, not {size}")
        if info["num_faces"] < 1:
            raise ValueError("it holds no face")
        Scales.from_json(info["scales"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    return info


def _damaged(path: Path, why: str) -> DatasetError:
    return DatasetError(f"{path} is damaged ({why}); make the gallery again with `demask dataset gallery`")
