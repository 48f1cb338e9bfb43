"""Tar shards in WebDataset layout: written in order with fixed headers, read in any order."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from demask.atomic import part_name
from demask.dataset.manifest import FaceEntry, difference, read_dataset, read_entries, read_manifest
from demask.dataset.record import PARTS, FaceRecord, decode_record
from demask.dataset.split import SPLITS
from demask.errors import DatasetError

logger = logging.getLogger(__name__)


class FaceShards:
    """A built set with random access; picklable, and safe in forked or spawned workers.

    Args:
        folder: Where `demask dataset build` wrote.
        split: Only faces of this split; None = all.
        skip_damaged: Leave damaged shards and faces out, with one warning each, instead of raising.
            Shards are compared with their checksums first (a few seconds per gigabyte); where one
            differs, each of its faces is read, and those whose crop is not the one that was built, or
            that cannot be decoded, go. A shard that is no whole tar goes with all of its faces.

    Attributes:
        entries: What the manifest says of each face, in its order.
        skipped: What was left out: "train-00002.tar" or "train-00002.tar: face_id" to the reason.
        num_skipped: How many faces that are.

    Raises:
        DatasetError: The folder is no set, a face of the manifest is not in its shard, or all are damaged.
    """

    def __init__(self, folder: Path, *, split: str | None = None, skip_damaged: bool = False) -> None:
        if split is not None and split not in SPLITS:
            raise DatasetError(f"there is no split {split!r}; need one of {', '.join(SPLITS)}")
        self.folder, self.split = Path(folder), split
        self.skipped: dict[str, str] = {}
        self.num_skipped = 0
        # Opened when first read, per process: a descriptor inherited by a fork would be shared, which
        # pread allows, but one that was pickled would not exist.
        self._files: dict[str, int] = {}
        self._owner = os.getpid()
        rows = [row for row in read_manifest(self.folder) if split in (None, row.get("split"))]
        self.entries = read_entries(self.folder, rows)
        self._spans = self._located(skip_damaged)
        if skip_damaged:
            self._skip_damaged_faces({row["face_id"]: row.get("crop_sha256") for row in rows})
        if self.num_skipped and not self.entries:
            first = next(iter(self.skipped.values())).removesuffix("; build the set again")
            raise DatasetError(
                f"all {self.num_skipped} faces{f' of {split}' if split else ''} in {folder} are damaged "
                f"({first}); build the set again"
            )

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, i: int) -> FaceRecord:
        """Read and decode face `i`; DatasetError names the shard and face if it is damaged."""
        entry = self.entries[i]
        descriptor = self._descriptor(entry.shard)
        try:
            parts = {part: os.pread(descriptor, size, at) for part, (at, size) in self._spans[i].items()}
        except OSError as error:
            raise DatasetError(f"{entry.shard} cannot be read: {error}; check the disk") from error
        return decode_record(parts, name=f"{entry.shard}: {entry.face_id}")

    def __iter__(self) -> Iterator[FaceRecord]:
        return (self[i] for i in range(len(self)))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": {}, "_owner": -1}

    def __del__(self) -> None:
        if getattr(self, "_owner", None) == os.getpid():
            self.close()

    def close(self) -> None:
        """Close the shards; they open again when read."""
        for descriptor in self._files.values():
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._files = {}

    def _located(self, skip_damaged: bool) -> list[dict[str, tuple[int, int]]]:
        """Find each face in its shard; with `skip_damaged`, entries that are not there go."""
        indexes: dict[str, dict[str, tuple[int, int]]] = {}
        for shard, count in Counter(entry.shard for entry in self.entries).items():
            try:
                indexes[shard] = tar_index(self.folder / shard)
            except DatasetError as error:
                if not skip_damaged:
                    raise
                self._skip(shard, str(error), num_faces=count)
        kept, spans = [], []
        for entry in self.entries:
            if entry.shard not in indexes:
                continue
            try:
                spans.append(_spans(entry, indexes[entry.shard]))
                kept.append(entry)
            except DatasetError as error:
                if not skip_damaged:
                    raise
                self._skip(f"{entry.shard}: {entry.face_id}", str(error))
        self.entries = kept
        return spans

    def _skip_damaged_faces(self, crops: Mapping[str, str | None]) -> None:
        """Read the faces of every shard that is not as it was built, and keep the sound ones."""
        expected = read_dataset(self.folder)["shards"]
        doubtful = {
            shard
            for shard in {entry.shard for entry in self.entries}
            if difference(self.folder / shard, expected.get(shard, ""))
        }
        sound = []
        for i, entry in enumerate(self.entries):
            reason = self._damage(i, crops[entry.face_id]) if entry.shard in doubtful else ""
            if reason:
                self._skip(f"{entry.shard}: {entry.face_id}", reason)
            else:
                sound.append(i)
        self.entries = [self.entries[i] for i in sound]
        self._spans = [self._spans[i] for i in sound]

    def _damage(self, i: int, crop_sha256: str | None) -> str:
        """What is wrong with face `i`; empty = nothing."""
        at, size = self._spans[i]["crop.jpg"]
        try:
            crop = os.pread(self._descriptor(self.entries[i].shard), size, at)
            if crop_sha256 and hashlib.sha256(crop).hexdigest() != crop_sha256:
                return "crop.jpg is not the one that was built"
            _ = self[i]
        except (DatasetError, OSError) as error:
            return str(error)
        return ""

    def _skip(self, what: str, reason: str, *, num_faces: int = 1) -> None:
        self.skipped[what] = reason
        self.num_skipped += num_faces
        logger.warning("skipped %s, faces lost: %d: %s", what, num_faces, reason)

    def _descriptor(self, shard: str) -> int:
        if self._owner != os.getpid():
            self._files, self._owner = {}, os.getpid()
        if shard not in self._files:
            try:
                self._files[shard] = os.open(self.folder / shard, os.O_RDONLY)
            except OSError as error:
                raise DatasetError(f"{shard} cannot be opened: {error}; build the set again") from error
        return self._files[shard]


class ShardWriter:
    """Write one tar; it takes its name only when complete, so a killed run leaves no half shard."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = part_name(path)
        self._tar = tarfile.open(self._temporary, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115

    def add(self, name: str, data: bytes) -> None:
        """Append one member; owner, time and mode are fixed so that equal data give equal bytes."""
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(data), 0o644, 0
        self._tar.addfile(info, io.BytesIO(data))

    def add_face(self, face_id: str, parts: Mapping[str, bytes]) -> None:
        """Append the four files of a face."""
        for part in PARTS:
            self.add(f"{face_id}.{part}", parts[part])

    def finish(self) -> None:
        """Close the tar and give it its name."""
        self._tar.close()
        self._temporary.replace(self.path)

    def discard(self) -> None:
        """Close and delete what was written so far."""
        self._tar.close()
        self._temporary.unlink(missing_ok=True)


def tar_index(path: Path) -> dict[str, tuple[int, int]]:
    """Where each member of a tar lies: name to (offset, size) in bytes.

    Raises:
        DatasetError: The file is missing, cut short or not a tar.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            members = list(tar)
        end = path.stat().st_size
    except Exception as error:  # A damaged header makes tarfile raise a dozen kinds, and not all on purpose.
        raise DatasetError(f"{path.name} cannot be read as a shard: {error}; build the set again") from error
    if not members:
        raise DatasetError(f"{path.name} is an empty tar; build the set again")
    for info in members:
        if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise DatasetError(f"{path.name}: {info.name!r} is no plain file; build the set again")
        if min(info.size, info.offset_data) < 0 or info.offset_data + info.size > end:
            raise DatasetError(f"{path.name} is cut short at {end} bytes; build the set again")
    return {info.name: (info.offset_data, info.size) for info in members}


def _spans(entry: FaceEntry, index: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    spans = {}
    for part in PARTS:
        name = f"{entry.face_id}.{part}"
        if name not in index:
            raise DatasetError(f"{entry.shard} lacks {name}, which the manifest lists; build the set again")
        spans[part] = index[name]
    return spans
