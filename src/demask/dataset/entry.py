"""A photograph that may become a face: its name, its person, its labels, its rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from demask.errors import DatasetError

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})

LICENCES = {
    "ffhq": "pictures: CC BY 2.0, CC BY-NC 2.0, Public Domain Mark 1.0, CC0 1.0 or US government work; "
    "dataset: CC BY-NC-SA 4.0, non-commercial",
    "ffhq256": "CC BY-NC-SA 4.0 (dataset), non-commercial",
    "generated256": "not stated",
    "kdef": "researchers only, non-commercial, no redistribution without written consent",
    "utkface": "non-commercial research",
    "congress": "public domain (US government work)",
    "london": "CC BY 4.0",
    "canada": "CC BY 4.0",
}
"""What the publishers of known sources state; other sources get what the caller says."""


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
class Listing:
    """The photographs of a source, and the files whose names do not fit its layout.

    Attributes:
        entries: What can be built.
        refused: Path inside the source: why it was left out.
    """

    entries: list[Entry]
    refused: dict[str, str] = field(default_factory=dict)


def make_face_id(source: str, file: str) -> str:
    """Name a face after its source and file; a digest of the path keeps equal stems apart."""
    stem = file.rsplit("/", 1)[-1].split(".", 1)[0]
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", f"{source}-{stem}")[:64]
    digest = blake2b(f"{source}/{file}".encode(errors="surrogateescape"), digest_size=4).hexdigest()
    return f"{plain}-{digest}"


def photo_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Photographs of a folder and its subfolders, sorted; each with its path inside, slashes forward.

    Raises:
        DatasetError: `root` is not a folder.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; name a folder of photographs")
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        hidden = any(part.startswith(".") for part in relative.parts)
        if not hidden and path.suffix.lower() in PHOTO_SUFFIXES and path.is_file():
            yield path, relative.as_posix()
