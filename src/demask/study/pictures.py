"""Pictures by condition and face, checked: the same faces in every folder, the same size in every condition."""

from __future__ import annotations

import csv
import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from demask.errors import InputError, UsageError
from demask.study.blocks import EXPRESSIONS, MASKED, TRUTH
from demask.study.plan import Plan
from demask.study.trials import FaceLabel

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")  # What every browser shows.

_NAMED = 5  # How many names an error lists.


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One picture of the study.

    Attributes:
        picture_id: Says neither condition nor face, so that an address on the page gives nothing away.
        condition: System, truth or masked.
        face: Name of the face.
        path: Where it is.
        sha256: Of its bytes.
        size: Width and height in pixels.
    """

    picture_id: str
    condition: str
    face: str
    path: Path
    sha256: str
    size: tuple[int, int]


def collect(plan: Plan, folders: Mapping[str, Path]) -> list[Picture]:
    """Read the folders of every condition that the plan shows.

    Args:
        plan: Says which conditions are needed.
        folders: Condition to folder; a file's name without its suffix is the face's name.

    Raises:
        UsageError: A condition has no folder, or a folder has no such condition.
        InputError: A folder is missing, names differ between folders, a picture is broken, or a face's
            pictures differ in size.
    """
    needed = plan.conditions
    for name in folders:
        if name not in needed:
            near = difflib.get_close_matches(name, needed, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it shows {', '.join(needed)}"
            raise UsageError(f"the plan shows no condition {name!r}; {hint}")
    missing = [name for name in needed if name not in folders]
    if missing:
        options = [f"--{name}" if name in (TRUTH, MASKED) else f"--system {name}=" for name in missing]
        raise UsageError(
            f"no folder for {', '.join(missing)}; add " + " and ".join(f"{o} FOLDER" for o in options)
        )
    files = {name: pictures_in(folders[name]) for name in needed}
    first = needed[0]
    for name in needed[1:]:
        _compare(first, files[first], name, files[name])
    pictures = [
        _read(plan.seed, name, face, path) for name in needed for face, path in sorted(files[name].items())
    ]
    _same_sizes(pictures)
    return pictures


def read_labels(path: Path | None, faces: Sequence[str]) -> dict[str, FaceLabel]:
    """Read a CSV with the columns face, identity, expression; faces that it does not name stay unlabelled.

    Raises:
        InputError: There is no such file, a column or an expression is unknown, or it names none of the faces.
    """
    labels = {face: FaceLabel() for face in faces}
    if path is None:
        return labels
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise InputError(f"cannot read the labels {path}: {error.strerror}; name a CSV file") from error
    known = ("face", "identity", "expression")
    columns = list(rows[0]) if rows else []
    for column in columns:
        if column not in known:
            raise InputError(f"{path} has a column {column!r}; the columns are {', '.join(known)}")
    if "face" not in columns:
        raise InputError(f"{path} needs a column `face` with the pictures' names without suffix")
    found = 0
    for row in rows:
        expression = (row.get("expression") or "").strip()
        if expression and expression not in EXPRESSIONS:
            near = difflib.get_close_matches(expression, EXPRESSIONS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose {', '.join(EXPRESSIONS)}"
            raise InputError(f"{path}: {row['face']} has the expression {expression!r}; {hint}")
        if row["face"] in labels:
            found += 1
            labels[row["face"]] = FaceLabel(identity=(row.get("identity") or "").strip(), expression=expression)
    if not found:
        raise InputError(
            f"{path} names none of the {len(faces)} faces; `face` is a picture's name without suffix"
        )
    return labels


def pictures_in(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by name without suffix.

    Raises:
        InputError: There is no such folder, no picture in it, or two of one name.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            if path.stem in found:
                raise InputError(f"{folder} has both {found[path.stem].name} and {path.name}; keep one of them")
            found[path.stem] = path
    if not found:
        raise InputError(f"{folder} holds no pictures ({', '.join(SUFFIXES)})")
    return found


def _compare(first: str, ours: Mapping[str, Path], second: str, theirs: Mapping[str, Path]) -> None:
    parts = []
    for here, there, names in ((first, second, ours.keys() - theirs), (second, first, theirs.keys() - ours)):
        if names:
            some = ", ".join(sorted(names)[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
            parts.append(f"{len(names)} only in {here}, not in {there}: {some}")
    if parts:
        raise InputError(
            f"the folders hold different faces ({'; '.join(parts)}); every condition needs every face"
        )


def picture_id(seed: int, condition: str, face: str) -> str:
    """The name under which a page asks for a picture; it says neither condition nor face."""
    return hashlib.blake2b(f"{seed}/study/picture/{condition}/{face}".encode(), digest_size=8).hexdigest()


def _read(seed: int, condition: str, face: str, path: Path) -> Picture:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            size = picture.size
            picture.verify()
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} is no picture that a page could show: {error}") from error
    name = picture_id(seed, condition, face)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Picture(picture_id=name, condition=condition, face=face, path=path, sha256=digest, size=size)


def _same_sizes(pictures: Sequence[Picture]) -> None:
    """A picture of another size would tell people which system made it."""
    sizes: dict[str, Picture] = {}
    for picture in pictures:
        other = sizes.setdefault(picture.face, picture)
        if picture.size != other.size:
            raise InputError(
                f"{picture.face} is {other.size[0]}x{other.size[1]} px in {other.condition} but "
                f"{picture.size[0]}x{picture.size[1]} px in {picture.condition}; the size would give the "
                "condition away, scale them alike"
            )
