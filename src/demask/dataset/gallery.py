"""Make a gallery from a built set: crops, descriptors and, when there are many, an index over them.

Everything is written in batches and read back through memory maps; only the set's manifest is held whole. The
gallery holds photographs of people: keep it where the set is kept, under the same terms, and never publish it.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from demask.atomic import remove_leftovers, replacing
from demask.dataset.manifest import read_dataset
from demask.dataset.record import FaceRecord
from demask.dataset.shards import FaceShards
from demask.errors import ConfigError, DatasetError, OutputError, OutputExists, UsageError
from demask.extras import install_command
from demask.restorers import gallery_store as layout
from demask.restorers.scene_descriptor import CELL_VALUES, NUM_CELLS, Description, describe_known
from demask.restorers.scene_search import (
    INDEX,
    INDEX_DIMENSIONS,
    PROJECTION,
    Projection,
    Scales,
    face_vectors,
)
from demask.rng import rng_for
from demask.types import Floats32

INDEX_FROM = 200_000
"""From so many faces on an index is made; below, comparing all of them takes less than a second."""
JPEG_QUALITY = 95
_BATCH = 64
_ADD_BATCH = 16_384
_SCALE_SAMPLE = 20_000  # Means, variances and directions need no more.
CODE_BYTES = 32
_POINTS_PER_LIST = 39  # FAISS asks for at least so many training vectors a list.


@dataclass(frozen=True, kw_only=True, slots=True)
class GalleryConfig:
    """What to make and where."""

    data: Path  # Folder of shards, from `demask dataset build`.
    out: Path  # A folder that is not there yet.
    split: str = "train"
    seed: int = 0  # Of the sample that scales and index are made from.
    sample: int = 160_000  # Faces in that sample, at most.
    index_from: int = INDEX_FROM  # Make an index from so many faces on.
    workers: int = 2  # Threads that describe faces.

    def __post_init__(self) -> None:
        for name, low in (("sample", 256), ("index_from", 256), ("workers", 1)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name} is {getattr(self, name)} but must be at least {low}")


@dataclass(frozen=True, kw_only=True, slots=True)
class GalleryReport:
    """What was written."""

    out: Path
    num_faces: int
    num_identities: int
    num_bytes: int
    indexed: bool


def build_gallery(
    config: GalleryConfig, *, progress: Callable[[int, int], None] | None = None
) -> GalleryReport:
    """Write a gallery; nothing is left behind on failure.

    Args:
        config: What and where.
        progress: Called with (faces described, faces in all).

    Raises:
        OutputExists: `config.out` is there already.
        DatasetError: The set is damaged or holds no face of the split.
        OutputError: The folder cannot be written.
        UsageError: An index is wanted and FAISS is not installed.
    """
    if config.out.exists():
        raise OutputExists(f"{config.out} exists; name another folder, or delete it first")
    remove_leftovers(config.out.parent, config.out.name)
    faces = FaceShards(config.data, split=config.split)
    if not len(faces):
        raise DatasetError(f"{config.data} holds no face of the split {config.split!r}")
    try:
        with replacing(config.out) as temporary:
            temporary.mkdir(parents=True)
            report = _write(config, faces, temporary, progress or (lambda done, total: None))
    except OSError as error:
        raise OutputError(
            f"cannot write {config.out}: {error.strerror or error}; name another place"
        ) from error
    return report


def _write(
    config: GalleryConfig, faces: FaceShards, folder: Path, progress: Callable[[int, int], None]
) -> GalleryReport:
    num = len(faces)
    table = np.lib.format.open_memmap(folder / layout.FACES, "w+", layout.FACE, (num,))
    values = np.lib.format.open_memmap(
        folder / layout.DESCRIPTORS, "w+", np.dtype("<f2"), (num, NUM_CELLS, CELL_VALUES)
    )
    with (folder / layout.CROPS).open("wb") as crops, (folder / layout.ENTRIES).open("wb") as entries:
        for at, (face, description) in enumerate(_described(faces, config.workers)):
            crop, entry = _jpeg(face), _entry(face)
            values[at] = description.values
            row = table[at]
            row["crop_at"], row["crop_bytes"] = crops.tell(), len(crop)
            row["crop_crc32"] = zlib.crc32(crop)
            row["entry_at"], row["entry_bytes"] = entries.tell(), len(entry)
            row["identity"] = layout.identity_key(face.identity)
            row["share"] = np.rint(description.share * 255)
            row["valid"] = np.packbits(_valid_squares(face.valid))
            crops.write(crop)
            entries.write(entry)
            progress(at + 1, num)
    values.flush()
    table.flush()
    scales = measured_scales(values, table["share"], sample=config.sample, seed=config.seed)
    num_identities = len({entry.identity for entry in faces.entries})
    names = [layout.FACES, layout.DESCRIPTORS, layout.CROPS, layout.ENTRIES]
    if num >= config.index_from:
        write_index(folder, values, table["share"], scales, sample=config.sample, seed=config.seed)
        names += [INDEX, PROJECTION]
    info = {
        "version": layout.VERSION,
        "num_faces": num,
        "num_identities": num_identities,
        "split": config.split,
        "manifest_sha256": read_dataset(config.data).get("manifest_sha256"),
        "files": {name: (folder / name).stat().st_size for name in names},
        "scales": scales.as_json(),
        "note": "Photographs of people, under the terms of their sources; keep them here, never publish them.",
    }
    (folder / layout.GALLERY).write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
    return GalleryReport(
        out=config.out,
        num_faces=num,
        num_identities=num_identities,
        num_bytes=sum(path.stat().st_size for path in folder.iterdir()),
        indexed=INDEX in names,
    )


def _described(faces: FaceShards, workers: int) -> Iterator[tuple[FaceRecord, Description]]:
    """Faces in their order, with their descriptions."""
    records = iter(faces)
    with ThreadPoolExecutor(workers) as pool:
        while batch := list(islice(records, _BATCH)):
            yield from zip(
                batch, pool.map(lambda face: describe_known(face.crop, face.valid), batch), strict=True
            )


def _jpeg(face: FaceRecord) -> bytes:
    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        JPEG_QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(face.crop, cv2.COLOR_RGB2BGR), settings)
    return data.tobytes()


def _entry(face: FaceRecord) -> bytes:
    facts = {name: getattr(face, name) for name in ("face_id", "identity", "source", "licence")}
    return (json.dumps(facts, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _valid_squares(valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    side = layout.SIDE_PX // layout.VALID_GRID
    squares = valid.reshape(layout.VALID_GRID, side, layout.VALID_GRID, side)
    return np.asarray(squares.all(axis=(1, 3)), np.bool_)


def measured_scales(
    values: npt.NDArray[np.float16], share: npt.NDArray[np.uint8], *, sample: int, seed: int
) -> Scales:
    """Take the scales of a gallery from a sample of its descriptors [N, 16, 33] and shares [N, 16]."""
    chosen = _sample(len(values), min(sample, _SCALE_SAMPLE), seed)
    return Scales.measured(values[chosen].astype(np.float32), _fractions(share[chosen]))


def write_index(
    folder: Path,
    values: npt.NDArray[np.float16],
    share: npt.NDArray[np.uint8],
    scales: Scales,
    *,
    sample: int,
    seed: int,
) -> None:
    """Train FAISS's inverted file with product quantisation on a sample, add all in batches, write it.

    Args:
        folder: Where `index.faiss` and `projection.npy` go.
        values: Descriptors, float16 [N, 16, 33], N at least 256; may be a memory map.
        share: Valid shares in 255ths, uint8 [N, 16].
        scales: The gallery's.
        sample: Faces to train on, at most.
        seed: Of the sample.

    Raises:
        UsageError: FAISS is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise UsageError(f"an index needs FAISS; run: {install_command('gallery')}") from None
    few = _sample(len(values), min(sample, _SCALE_SAMPLE), seed)
    projection = Projection.measured(values[few], _fractions(share[few]), scales)

    def projected(rows: Any) -> Floats32:
        found: Floats32 = projection.of_faces(face_vectors(values[rows], _fractions(share[rows]), scales))
        return found

    chosen = _sample(len(values), sample, seed)
    lists = num_lists(len(values), len(chosen))
    nearest: Any = faiss.IndexFlatL2(INDEX_DIMENSIONS)
    index: Any = faiss.IndexIVFPQ(nearest, INDEX_DIMENSIONS, lists, CODE_BYTES, 8, faiss.METRIC_INNER_PRODUCT)
    index.do_polysemous_training = False  # For another kind of search; it would take most of the time.
    index.cp.spherical = False
    index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1  # No warnings on stderr.
    parts = [projected(chosen[at : at + _ADD_BATCH]) for at in range(0, len(chosen), _ADD_BATCH)]
    index.train(np.concatenate(parts))
    for at in range(0, len(values), _ADD_BATCH):
        index.add(projected(slice(at, at + _ADD_BATCH)))
    # Faces went to the list with the nearest middle. Queries look through those with the largest product: it
    # is linear, so the middle's is the mean of the list's.
    largest: Any = faiss.IndexFlatIP(INDEX_DIMENSIONS)
    largest.add(nearest.reconstruct_n(0, lists))
    index.quantizer = largest
    faiss.write_index(index, str(folder / INDEX))
    np.save(folder / PROJECTION, projection.as_array())


def num_lists(num: int, num_sample: int) -> int:
    """Lists of the index of so many faces: about 4 * sqrt(num), no more than the sample can place."""
    wanted = min(4 * math.sqrt(num), num_sample / _POINTS_PER_LIST)
    return int(2 ** max(0, round(math.log2(max(wanted, 1)))))


def _fractions(stored: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.asarray(stored / np.float32(255), np.float32)


def _sample(num: int, most: int, seed: int) -> npt.NDArray[np.int64]:
    """Numbers of a random sample, ascending, so that a file is read in order."""
    if num <= most:
        return np.arange(num)
    chosen = rng_for(seed, "gallery/sample", str(num)).choice(num, most, replace=False)
    return np.sort(chosen)
