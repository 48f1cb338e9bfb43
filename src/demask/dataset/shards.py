"""Tar shards in WebDataset layout: written in order with fixed headers, read at random."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from demask.dataset.record import PARTS, FaceRecord, decode_record
from demask.dataset.split import SPLITS, Split
from demask.errors import DatasetError

MANIFEST = "manifest.jsonl"
DATASET = "dataset.json"
SKIPPED_MEMBER = "skipped.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceEntry:
    """What the manifest says about one face; nothing is decoded to tell it."""

    face_id: str
    source: str
    identity: str
    split: Split
    shard: str
    licence: str
    sharpness: float
    scale: float
    draw_weight: float
    valid_share: float
    labels: dict[str, str]


class ShardWriter:
    """Write one tar; it takes its name only when complete, so a killed run leaves no half shard."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = path.with_name(f".{path.name}.writing")
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
            index = {info.name: (info.offset_data, info.size) for info in tar}
        end = path.stat().st_size
    except (OSError, tarfile.TarError) as error:
        raise DatasetError(f"{path.name} cannot be read as a shard: {error}; build the set again") from error
    if not index:
        raise DatasetError(f"{path.name} is an empty tar; build the set again")
    if any(offset + size > end for offset, size in index.values()):
        raise DatasetError(f"{path.name} is cut short at {end} bytes; build the set again")
    return index


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """Lines of the manifest of a built set.

    Raises:
        DatasetError: There is none, or a line is damaged.
    """
    path = folder / MANIFEST
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DatasetError(f"{folder} holds no {MANIFEST}; run `demask dataset build` first") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(cast(dict[str, Any], json.loads(line)))
        except ValueError as error:
            raise DatasetError(f"{path}, line {number} is damaged: {error}; build the set again") from error
    return rows


def read_dataset(folder: Path) -> dict[str, Any]:
    """What `dataset.json` says of a finished set: counts, config, shards with their sha256.

    Raises:
        DatasetError: The folder holds no finished set, or the file is damaged.
    """
    path = Path(folder) / DATASET
    try:
        return cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DatasetError(f"{folder} holds no finished set; run `demask dataset build` first") from error
    except ValueError as error:
        raise DatasetError(f"{path} is damaged: {error}; build the set again") from error


def damaged_files(folder: Path) -> dict[str, str]:
    """Compare the shards and the manifest with their checksums: file name to what is wrong; empty = sound."""
    facts = read_dataset(folder)
    wrong = {}
    for name, expected in {**facts["shards"], MANIFEST: facts["manifest_sha256"]}.items():
        try:
            with (Path(folder) / name).open("rb") as file:
                got = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            wrong[name] = f"cannot be read: {error.strerror}"
            continue
        if got != expected:
            wrong[name] = f"sha256 is {got[:12]}..., expected {expected[:12]}..."
    return wrong


class FaceShards:
    """A built set with random access; picklable, and safe in forked or spawned workers.

    Args:
        folder: Where `demask dataset build` wrote.
        split: Only faces of this split; None = all.

    Raises:
        DatasetError: The folder is no set, or a face of the manifest is not in its shard.
    """

    def __init__(self, folder: Path, *, split: str | None = None) -> None:
        if split is not None and split not in SPLITS:
            raise DatasetError(f"there is no split {split!r}; need one of {', '.join(SPLITS)}")
        self.folder, self.split = Path(folder), split
        rows = [row for row in read_manifest(self.folder) if split in (None, row.get("split"))]
        try:
            self.entries = [_entry(row) for row in rows]
        except KeyError as error:
            raise DatasetError(f"{self.folder / MANIFEST} lacks {error} for a face; build again") from error
        indexes = {shard: tar_index(self.folder / shard) for shard in {e.shard for e in self.entries}}
        self._spans = [_spans(entry, indexes[entry.shard]) for entry in self.entries]
        # Opened when first read, per process: a descriptor inherited by a fork would be shared, which
        # pread allows, but one that was pickled would not exist.
        self._files: dict[str, int] = {}
        self._owner = os.getpid()

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, i: int) -> FaceRecord:
        """Read and decode face `i`; DatasetError names the shard and face if it is damaged."""
        entry = self.entries[i]
        descriptor = self._descriptor(entry.shard)
        parts = {part: os.pread(descriptor, size, at) for part, (at, size) in self._spans[i].items()}
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

    def _descriptor(self, shard: str) -> int:
        if self._owner != os.getpid():
            self._files, self._owner = {}, os.getpid()
        if shard not in self._files:
            try:
                self._files[shard] = os.open(self.folder / shard, os.O_RDONLY)
            except OSError as error:
                raise DatasetError(f"{shard} cannot be opened: {error}; build the set again") from error
        return self._files[shard]


def _entry(row: Mapping[str, Any]) -> FaceEntry:
    return FaceEntry(**{name: row[name] for name in FaceEntry.__dataclass_fields__})


def _spans(entry: FaceEntry, index: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    spans = {}
    for part in PARTS:
        name = f"{entry.face_id}.{part}"
        if name not in index:
            raise DatasetError(f"{entry.shard} lacks {name}, which the manifest lists; build the set again")
        spans[part] = index[name]
    return spans
