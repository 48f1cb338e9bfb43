"""Which input becomes which output, decided and checked before any work is done."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from demask.errors import InputError, OutputError, UsageError
from demask.photo.formats import READ_SUFFIXES, format_of, output_format, suffix_of

STDIO = "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One input and where it goes.

    Attributes:
        source: The file to read; None is stdin.
        target: The file to write; None is stdout.
        format: Format to write, by Pillow's name; None follows the input.
        hole_target: Where the found hole goes, if it was asked for.
        review_target: Where a second copy goes if the result is doubtful, if that was asked for.
        makes_folder: Whether missing folders above the targets may be made.
    """

    source: Path | None
    target: Path | None
    format: str | None = None
    hole_target: Path | None = None
    review_target: Path | None = None
    makes_folder: bool = False

    @property
    def label(self) -> str:
        """How messages and JSON call the input."""
        return STDIO if self.source is None else str(self.source)


def plan_jobs(
    inputs: Sequence[str],
    output: str | None,
    *,
    ending: str = "demasked",
    format: str | None = None,
    holes: Path | None = None,
    review: Path | None = None,
    overwrite: bool = False,
    writes: bool = True,
    may_be_empty: bool = False,
) -> list[Job]:
    """Give every input its output.

    Args:
        inputs: Files, folders (searched recursively, their tree kept), patterns such as `*.jpg` where no file
            has that very name, or `-`.
        output: A file, a folder (a name without a suffix is one), `-`, or None for
            `<stem>-<ending><suffix>` beside each input.
        ending: The word that marks outputs beside their inputs.
        format: Format of all outputs, by Pillow's name; None follows output name and input.
        holes: Folder for the found holes.
        review: Folder for copies of doubtful results.
        overwrite: The user allows that files are replaced, the input itself included.
        writes: False gives every job stdout as its target, for a command that writes no picture.
        may_be_empty: A folder without pictures is no error.

    Raises:
        UsageError: Two inputs would be written to one file, or an output is an input.
        InputError: A folder holds no pictures.
        OutputError: The output cannot be what it would have to be.
    """
    inputs = [name for given in inputs for name in _matching(given)]
    several = len(inputs) > 1 or any(name != STDIO and Path(name).is_dir() for name in inputs)
    found = [pair for name in inputs for pair in _expand(name, output, ending, may_be_empty=may_be_empty)]
    if output == STDIO and several:
        raise UsageError(f"-o - takes one picture, not {len(found)}; name a folder with -o FOLDER")
    into = _folder(output, several)
    jobs = []
    for source, relative in found:
        if source is None and (into is not None or holes is not None or review is not None):
            raise UsageError("a picture from stdin has no name; give its output a file name with -o FILE")
        target, wanted = None, format
        if writes:
            target, wanted = _target(source, relative, output, into, ending, format)
        hole_target = None if holes is None else holes / relative.with_name(relative.name + ".hole.png")
        jobs.append(
            Job(
                source=source,
                target=target,
                format=wanted,
                hole_target=hole_target,
                review_target=_review_target(review, relative, target),
                makes_folder=into is not None,
            )
        )
    _refuse_clashes(jobs, overwrite=overwrite)
    return jobs


def _matching(given: str) -> list[str]:
    """The names that an input stands for: itself, or what a pattern matches that no shell has expanded.

    Raises:
        InputError: It is an address, or a pattern that matches nothing.
    """
    if re.match(r"[a-z][a-z0-9+.-]+://", given, re.IGNORECASE):
        raise InputError(
            f"{given} is an address, and addresses are not fetched; download it, then give the file"
        )
    if given == STDIO or not glob.has_magic(given) or os.path.lexists(given):
        return [given]
    names = sorted(glob.glob(given, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern.
    if not names:
        raise InputError(f"nothing matches {given}; check the pattern, or name files and folders")
    return names


def _review_target(review: Path | None, relative: Path, target: Path | None) -> Path | None:
    if review is None:
        return None
    return review / (relative if target is None else relative.with_suffix(target.suffix))


def _expand(
    name: str, output: str | None, ending: str, *, may_be_empty: bool
) -> Iterator[tuple[Path | None, Path]]:
    """The files an input stands for, each with its path relative to that input."""
    if name == STDIO:
        yield None, Path("stdin")
        return
    root = Path(name)
    if not root.is_dir():
        yield root, Path(root.name)
        return
    skipped = None if output is None or output == STDIO else Path(output).resolve()
    files = []
    seen: set[str] = set()  # A link may lead back up.
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        if (real := os.path.realpath(here)) in seen:
            folders.clear()
            continue
        seen.add(real)
        # Neither hidden folders, nor the output of this very run when it lies inside the input.
        folders[:] = sorted(
            entry for entry in folders if entry[0] != "." and (here / entry).resolve() != skipped
        )
        files += [here / entry for entry in names if _is_picture(here / entry, ending)]
    if not files and not may_be_empty:
        raise InputError(f"the folder {root} holds no pictures; known are {', '.join(sorted(READ_SUFFIXES))}")
    for file in sorted(files):
        yield file, file.relative_to(root)


def _is_picture(path: Path, ending: str) -> bool:
    if path.name.startswith(".") or path.suffix.lower() not in READ_SUFFIXES:
        return False
    if not path.stem.endswith(f"-{ending}"):
        return True
    # An earlier run's output, if what it was made from lies beside it.
    original = path.stem.removesuffix(f"-{ending}")
    return not any(path.with_name(original + suffix).exists() for suffix in READ_SUFFIXES)


def _folder(output: str | None, several: bool) -> Path | None:
    """The folder that outputs go into, or None if `output` is a file, stdout or absent."""
    if output is None or output == STDIO:
        return None
    path = Path(output)
    # Without a suffix it names no format: a folder, for one picture as for several.
    is_folder = path.is_dir() or output.endswith(("/", os.sep)) or not (path.suffix or path.exists())
    if several and not is_folder:
        if path.exists() or format_of(path) is not None:
            raise UsageError(
                f"several pictures cannot be written to the one file {path}; name a folder with -o FOLDER"
            )
        is_folder = True
    if not is_folder and not path.parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    return path if is_folder else None


def _target(
    source: Path | None,
    relative: Path,
    output: str | None,
    into: Path | None,
    ending: str,
    format: str | None,
) -> tuple[Path | None, str | None]:
    """Where one input goes, and in which format if that is settled by names or by the user."""
    if into is None and output not in (None, STDIO):
        named = Path(str(output))
        by_name = format_of(named)
        if format is not None and by_name is not None and format != by_name:
            raise UsageError(
                f"--format says {format} but {named} is the name of a {by_name}; change one of them"
            )
        return named, format or by_name
    if source is None or output == STDIO:
        return None, format
    known = format_of(source)
    wanted = format or (output_format(known) if known else None)
    suffix = source.suffix if wanted is None or wanted == known else suffix_of(wanted)
    if into is not None:
        return into / relative.with_suffix(suffix), format
    return source.with_name(f"{source.stem}-{ending}{suffix}"), format


def _refuse_clashes(jobs: Sequence[Job], *, overwrite: bool) -> None:
    """Raise a UsageError if an original or another output would be lost."""
    sources = {_key(job.source): job for job in jobs if job.source is not None}
    taken: dict[str, Job] = {}
    for job in jobs:
        for target in (job.target, job.hole_target, job.review_target):
            if target is None:
                continue
            key = _key(target)
            other = taken.setdefault(key, job)
            if other is not job or (target is not job.target and _key(job.target) == key):
                raise UsageError(
                    f"{other.label} and {job.label} would both be written to {target}; "
                    "run them apart or give them outputs of their own"
                )
            read = sources.get(key)
            if read is not None and (read is not job or not overwrite or target is not job.target):
                how = "pass --overwrite to replace it" if read is job else "leave one of them out"
                raise UsageError(
                    f"the output {target} is the input {read.label}; name another with -o, or {how}"
                )


def _key(path: Path | None) -> str:
    """One name per file, whatever way a path takes to it."""
    return "" if path is None else os.path.normcase(os.path.realpath(path))
