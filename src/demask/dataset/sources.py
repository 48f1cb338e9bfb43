"""Where bare faces come from: a plain folder of photographs, or a folder with an `index.csv`."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from demask.errors import DatasetError

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})

NOT_BARE = frozenset({"real_masked", "real_masked_scenes", "backgrounds"})
"""Sources of an index that are never read as bare faces unless they are named."""

LICENCES = {
    "ffhq256": "CC BY-NC-SA 4.0 (dataset), non-commercial",
    "generated256": "not stated",
    "utkface": "non-commercial research",
    "congress": "public domain (US government work)",
    "london": "CC BY 4.0",
    "canada": "CC BY 4.0",
}
"""What the publishers of known sources state; other sources get what the caller says."""

INDEX_COLUMNS = ("file", "source", "identity")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One photograph that may become a face.

    Attributes:
        path: The file.
        file: The path inside its source, with forward slashes; this is what the manifest keeps.
        face_id: Stable and unique: letters, digits, `_` and `-` only.
        source: Name of the collection.
        identity: Whose face; splits never share one.
        labels: What the source says about the face (expression, age, black_corners, ...).
        licence: Rights, as the publisher states them.
    """

    path: Path
    file: str
    face_id: str
    source: str
    identity: str
    labels: dict[str, str] = field(default_factory=dict)
    licence: str = "not stated"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A folder of photographs and how to read it; made by `folder` or `index`."""

    kind: Literal["folder", "index"]
    path: Path
    name: str
    only: tuple[str, ...] = ()
    licence: str = "not stated"

    def entries(self) -> list[Entry]:
        """List the photographs, sorted by face id.

        Raises:
            DatasetError: The folder or its index cannot be read, or holds nothing of what was asked for.
        """
        found = _folder_entries(self) if self.kind == "folder" else _index_entries(self)
        if not found:
            raise DatasetError(
                f"no photographs in {self.path}"
                + (f" for sources {', '.join(self.only)}" if self.only else "")
                + f"; need files ending in {', '.join(sorted(PHOTO_SUFFIXES))}"
            )
        return sorted(found, key=lambda entry: entry.face_id)


def folder(path: Path, *, name: str | None = None, licence: str = "not stated") -> Source:
    """A plain folder, read with its subfolders.

    A photograph inside a subfolder has that (innermost) subfolder as its identity: one folder per
    person. A photograph at the top is its own identity.
    """
    return Source(kind="folder", path=Path(path), name=name or Path(path).resolve().name, licence=licence)


def index(path: Path, *, sources: tuple[str, ...] = ()) -> Source:
    """A folder with an `index.csv`: columns file, source, identity, and any more as labels.

    Args:
        path: The folder, or the `index.csv` itself.
        sources: Which values of the column `source` to read; empty = all but `NOT_BARE`.
    """
    path = Path(path)
    root = path.parent if path.suffix == ".csv" else path
    return Source(kind="index", path=root, name=root.resolve().name, only=tuple(sorted(sources)))


def make_face_id(source: str, file: str) -> str:
    """Name a face after its source and file; a digest of the path keeps equal stems apart."""
    stem = file.rsplit("/", 1)[-1].split(".", 1)[0]
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", f"{source}-{stem}")[:64]
    return f"{plain}-{blake2b(f'{source}/{file}'.encode(), digest_size=4).hexdigest()}"


def _folder_entries(source: Source) -> list[Entry]:
    if not source.path.is_dir():
        raise DatasetError(f"{source.path} is not a folder; name a folder of photographs")
    entries = []
    for path in sorted(source.path.rglob("*")):
        relative = path.relative_to(source.path)
        hidden = any(part.startswith(".") for part in relative.parts)
        if hidden or path.suffix.lower() not in PHOTO_SUFFIXES or not path.is_file():
            continue
        file = relative.as_posix()
        person = relative.parent.as_posix() if len(relative.parts) > 1 else file
        entries.append(
            Entry(
                path=path,
                file=file,
                face_id=make_face_id(source.name, file),
                source=source.name,
                identity=f"{source.name}/{person}",
                licence=source.licence,
            )
        )
    return entries


def _index_entries(source: Source) -> list[Entry]:
    table = source.path / "index.csv"
    try:
        with table.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in INDEX_COLUMNS if name not in (reader.fieldnames or [])]
            if missing:
                raise DatasetError(
                    f"{table} has no column {', '.join(missing)}; need {', '.join(INDEX_COLUMNS)}"
                )
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"cannot read {table}: {error}; need a CSV file of photographs") from error
    present = {row["source"] for row in rows}
    if unknown := [name for name in source.only if name not in present]:
        raise DatasetError(f"{table} has no source {', '.join(unknown)}; it has {', '.join(sorted(present))}")
    wanted = set(source.only) or present - NOT_BARE
    return [_row_entry(source, row) for row in rows if row["source"] in wanted]


def _row_entry(source: Source, row: dict[str, str]) -> Entry:
    labels = {key: value for key, value in row.items() if key and value and key not in INDEX_COLUMNS}
    return Entry(
        path=source.path / row["file"],
        file=row["file"],
        face_id=make_face_id(row["source"], row["file"]),
        source=row["source"],
        identity=row["identity"] or row["file"],
        labels=labels,
        licence=LICENCES.get(row["source"], source.licence),
    )
