"""What a built set says about itself: one line a face in `manifest.jsonl`, and `dataset.json` over all.

Both are files that somebody may have edited, copied in part or made up: every value is checked before use,
and a shard is a plain file name beside them, never a path that leads elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from demask.dataset.split import SPLITS, Split
from demask.errors import DatasetError

MANIFEST = "manifest.jsonl"
DATASET = "dataset.json"

_TURNED = 0.2
_SHARD = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*\.tar")


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
    valid_fraction: float
    labels: dict[str, str]

    @property
    def is_turned(self) -> bool:
        """Whether the source says (`turn`) that the nose lies over 0.2 eye distances off the eyes' middle."""
        return self.size_of("turn") > _TURNED

    def size_of(self, label: str) -> float:
        """The size of a number that the source states, such as `turn` or `eyes_px`; 0 where it states none."""
        try:
            return abs(float(self.labels.get(label) or 0))
        except ValueError:
            return 0.0

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> FaceEntry:
        """Check one line of the manifest.

        Raises:
            ValueError: A value is missing or of another kind; says which.
        """
        if "valid_fraction" not in row and "valid_share" in row:  # As sets built by demask 0.1.0 name it.
            row = {**row, "valid_fraction": row["valid_share"]}
        entry = cls(**{name: row.get(name) for name in cls.__dataclass_fields__})  # type: ignore[arg-type]
        for name in ("face_id", "source", "identity", "licence"):
            text_in(row, name)
        for name in ("sharpness", "scale", "valid_fraction"):
            number_in(row, name)
        if entry.split not in SPLITS:
            raise ValueError(f"split is {entry.split!r}; it must be {', '.join(SPLITS)}")
        check_shard_name(entry.shard)
        labels_in(row)
        return entry


def text_in(facts: Mapping[str, Any], name: str) -> str:
    """A text of some facts; ValueError if it is none, or none that a file can hold."""
    value = facts.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is {_short(value)}; it must be text")
    value.encode()  # Half a surrogate pair, which JSON can spell, is a UnicodeEncodeError: a ValueError too.
    return value


def number_in(facts: Mapping[str, Any], name: str) -> float:
    """A finite number of some facts; ValueError if it is none."""
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf:
        raise ValueError(f"{name} is {_short(value)}; it must be a finite number")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{name} is too large a number") from error


def labels_in(facts: Mapping[str, Any]) -> dict[str, str]:
    """The labels of some facts; ValueError if they are no table of texts."""
    value = facts.get("labels")
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError(f"labels are {_short(value)}; they must be a table of texts")
    return value


def check_shard_name(name: object) -> None:
    """Refuse a shard that is anything but a plain file name; raises ValueError."""
    if not isinstance(name, str) or not _SHARD.fullmatch(name):
        raise ValueError(f"shard is {_short(name)}; it must be the name of a tar in the same folder")


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:60] + "..."


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """Lines of the manifest of a built set; `FaceEntry.of` checks what a line says.

    Raises:
        DatasetError: There is none, or a line is damaged.
    """
    path = folder / MANIFEST
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DatasetError(f"{folder} holds no {MANIFEST}; run `demask dataset build` first") from error
    except ValueError as error:
        raise DatasetError(f"{path} is damaged: {error}; build the set again") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("it is no record of a face")
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{path}, line {number} is damaged: {error}; build the set again") from error
        rows.append(row)
    return rows


def read_entries(folder: Path, rows: list[dict[str, Any]]) -> list[FaceEntry]:
    """Check the lines of a manifest.

    Raises:
        DatasetError: One says what cannot be; the message names it.
    """
    entries = []
    for row in rows:
        try:
            entries.append(FaceEntry.of(row))
        except ValueError as error:
            who = _short(row.get("face_id"))
            raise DatasetError(
                f"{folder / MANIFEST} is damaged: of {who}, {error}; build the set again"
            ) from error
    return entries


def read_dataset(folder: Path) -> dict[str, Any]:
    """What `dataset.json` says of a finished set: counts, config, shards with their sha256.

    Raises:
        DatasetError: The folder holds no finished set, or the file is damaged.
    """
    path = Path(folder) / DATASET
    try:
        facts = cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))
        if not isinstance(facts, dict) or not isinstance(facts.get("shards"), dict):
            raise ValueError("it lists no shards")
        for name in facts["shards"]:
            check_shard_name(name)
            text_in(facts["shards"], name)
        text_in(facts, "manifest_sha256")
        return facts
    except OSError as error:
        raise DatasetError(f"{folder} holds no finished set; run `demask dataset build` first") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is damaged: {error}; build the set again") from error


def damaged_files(folder: Path) -> dict[str, str]:
    """Compare the shards and the manifest with their checksums: file name to what is wrong; empty = sound."""
    facts = read_dataset(folder)
    names = {**facts["shards"], MANIFEST: facts["manifest_sha256"]}
    wrong = {name: difference(Path(folder) / name, expected) for name, expected in names.items()}
    return {name: what for name, what in wrong.items() if what}


def difference(path: Path, expected_sha256: str) -> str:
    """How a file differs from its checksum; empty = not at all."""
    try:
        with path.open("rb") as file:
            got = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if got == expected_sha256 else f"sha256 is {got[:12]}..., expected {expected_sha256[:12]}..."
