"""Which restored picture belongs to which truth, hole and input: matched by name, whatever the suffix.

The truth may be a frozen test set as well, which brings holes and inputs along.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from demask.dataset.frozen_set import SET, read_manifest
from demask.errors import InputError, UsageError
from demask.photo.formats import READ_SUFFIXES

HOLE_ENDING = ".hole.png"
"""What `demask find --holes` and `demask remove --holes` put behind the name of a photo."""

MASKED_ENDING = ".masked"
"""What a frozen test set puts behind the name of a picture to restore, before its suffix."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A restored picture with what it is measured by.

    Attributes:
        name: Path below the folders without suffix, with forward slashes; the file's stem for two files.
        restored: The picture under test.
        truth: What it should look like.
        hole: Its hole; None where there is none of that name or none was asked for.
        masked: The picture before it was restored; None likewise.
    """

    name: str
    restored: Path
    truth: Path
    hole: Path | None = None
    masked: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Matched:
    """What was found in the folders.

    Attributes:
        pairs: In the order of their names.
        only_restored: Files that have no truth.
        only_truth: Files that have nothing restored; of a frozen set, what was to be restored.
        no_hole: Names of pairs without a hole, where holes were asked for.
        no_masked: Names of pairs without a masked picture, where those were asked for.
        holes: Whether holes were asked for.
        masked: Whether masked pictures were asked for.
    """

    pairs: tuple[Pair, ...]
    only_restored: tuple[Path, ...] = ()
    only_truth: tuple[Path, ...] = ()
    no_hole: tuple[str, ...] = ()
    no_masked: tuple[str, ...] = ()
    holes: bool = False
    masked: bool = False


def match(restored: Path, truth: Path, *, holes: Path | None = None, masked: Path | None = None) -> Matched:
    """Match two folders (searched recursively), or two files.

    Files belong together when their paths below the folders are the same but for the suffix. A hole is
    `NAME.png`, or `NAME.SUFFIX.hole.png` as `demask find` writes it. Hidden files and folders are not
    looked at, nor is a folder that lies inside another one and was itself named.

    Where the truth is a frozen test set, restored pictures are `SLICE/NAME.png` or `SLICE/NAME.masked.png`;
    slices of which there is none are left out.

    Raises:
        InputError: A path is not there, a folder holds two files of one name, or nothing matches.
        DatasetError: A frozen set is damaged.
        UsageError: Files and folders are mixed, one path was given twice, or a frozen set's own holes and
            inputs were given once more.
    """
    if (truth / SET).is_file():
        if holes is not None or masked is not None:
            raise UsageError(f"{truth} is a frozen test set with its own holes and inputs; name it alone")
        return _match_frozen(restored, truth)
    given = {"RESTORED": restored, "TRUTH": truth, "--holes": holes, "--masked": masked}
    named = {option: path for option, path in given.items() if path is not None}
    _check(named)
    if not restored.is_dir():
        pair = Pair(name=restored.stem, restored=restored, truth=truth, hole=holes, masked=masked)
        return Matched(pairs=(pair,), holes=holes is not None, masked=masked is not None)
    skipped = {path.resolve() for path in named.values()}
    ours, theirs = _pictures(restored, skipped), _pictures(truth, skipped)
    their_holes = None if holes is None else _holes(holes, skipped)
    inputs = None if masked is None else _pictures(masked, skipped)
    names = sorted(ours.keys() & theirs.keys())
    if not names:
        raise InputError(
            f"no picture of {restored} ({_examples(ours)}) has a partner in {truth} ({_examples(theirs)}); "
            "the paths below both folders must be the same but for the suffix"
        )
    pairs = [
        Pair(
            name=name,
            restored=ours[name],
            truth=theirs[name],
            hole=(their_holes or {}).get(name),
            masked=(inputs or {}).get(name),
        )
        for name in names
    ]
    return Matched(
        pairs=tuple(pairs),
        only_restored=tuple(ours[name] for name in sorted(ours.keys() - theirs.keys())),
        only_truth=tuple(theirs[name] for name in sorted(theirs.keys() - ours.keys())),
        no_hole=tuple(p.name for p in pairs if their_holes is not None and p.hole is None),
        no_masked=tuple(p.name for p in pairs if inputs is not None and p.masked is None),
        holes=holes is not None,
        masked=masked is not None,
    )


def _match_frozen(restored: Path, folder: Path) -> Matched:
    """Match what was made of a frozen set's `masked` pictures with the rest of it."""
    if not restored.is_dir():
        raise InputError(
            f"{restored} is no folder; {folder} is a frozen test set and wants SLICE/NAME.png in one"
        )
    ours: dict[str, Path] = {}
    for name, file in _pictures(restored, {folder.resolve()}).items():
        short = name.removesuffix(MASKED_ENDING)
        other = ours.setdefault(short, file)
        if other is not file:
            raise InputError(f"{other} and {file} are both of {short}; remove one of them")
    rows = {f"{row['slice']}/{row['face_id']}": row for row in read_manifest(folder)}
    slices = {name.partition("/")[0] for name in ours}
    wanted = {name: row["files"] for name, row in rows.items() if row["slice"] in slices}
    pairs = [
        Pair(
            name=name,
            restored=ours[name],
            truth=folder / files["face"]["path"],
            hole=folder / files["hole"]["path"],
            masked=folder / files["masked"]["path"],
        )
        for name, files in sorted(wanted.items())
        if name in ours
    ]
    if not pairs:
        raise InputError(
            f"no picture of {restored} ({_examples(ours)}) is of the set {folder} ({_examples(rows)}); "
            "restore its SLICE/NAME.masked.png and keep the names"
        )
    return Matched(
        pairs=tuple(pairs),
        only_restored=tuple(ours[name] for name in sorted(ours.keys() - rows.keys())),
        only_truth=tuple(
            folder / files["masked"]["path"] for name, files in sorted(wanted.items()) if name not in ours
        ),
        holes=True,
        masked=True,
    )


def _check(named: dict[str, Path]) -> None:
    for option, path in named.items():
        if not path.exists():
            raise InputError(f"{option} {path}: there is no such file or folder")
    kinds = {option: path.is_dir() for option, path in named.items()}
    if len(set(kinds.values())) > 1:
        folders = ", ".join(option for option, folder in kinds.items() if folder)
        files = ", ".join(option for option, folder in kinds.items() if not folder)
        raise UsageError(f"{folders} is a folder but {files} is a file; give files only, or folders only")
    seen: dict[Path, str] = {}
    for option, path in named.items():
        other = seen.setdefault(path.resolve(), option)
        if other != option:
            raise UsageError(f"{other} and {option} are both {path}; name different ones")


def _pictures(root: Path, skipped: set[Path]) -> dict[str, Path]:
    return _index(
        root,
        [
            (_bare(file), file)
            for file in _walk(root, skipped)
            if file.suffix.lower() in READ_SUFFIXES and not file.name.endswith(HOLE_ENDING)
        ],
    )


def _holes(root: Path, skipped: set[Path]) -> dict[str, Path]:
    found = []
    for file in _walk(root, skipped):
        if file.name.endswith(HOLE_ENDING):
            found.append((_bare(file.with_name(file.name.removesuffix(HOLE_ENDING))), file))
        elif file.suffix.lower() == ".png":
            found.append((_bare(file), file))
    if not found:
        raise InputError(f"the folder {root} holds no holes; they are PNG files, non-zero = hole")
    return _index(root, found)


def _walk(root: Path, skipped: set[Path]) -> list[Path]:
    """All files below a folder that are not hidden, without the other folders that were named."""
    files = []
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [entry for entry in folders if entry[0] != "." and (here / entry).resolve() not in skipped]
        files += [here / entry for entry in names if entry[0] != "."]
    return sorted(files)


def _bare(file: Path) -> Path:
    """The path without its suffix, if that is a picture's: `a.b.jpg` is `a.b`, and `a.b` stays."""
    return file.with_suffix("") if file.suffix.lower() in READ_SUFFIXES else file


def _index(root: Path, found: list[tuple[Path, Path]]) -> dict[str, Path]:
    index: dict[str, Path] = {}
    for bare, file in found:
        # macOS may store accents apart from their letters: one name, two spellings.
        name = unicodedata.normalize("NFC", str(PurePosixPath(*bare.relative_to(root).parts)))
        other = index.setdefault(name, file)
        if other is not file:
            raise InputError(f"{other} and {file} have one name but for the suffix; remove one of them")
    return index


def _examples(index: Mapping[str, object]) -> str:
    return ", ".join(sorted(index)[:2]) + (", ..." if len(index) > 2 else "") if index else "no pictures"
