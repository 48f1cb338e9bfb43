"""Who takes part in a benchmark: restorers by name or .onnx file, each with a version that says which one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demask.errors import UsageError
from demask.restorers.by_name import describe, get_restorer
from demask.restorers.gallery_store import ENTRIES, GALLERY
from demask.types import Restorer
from demask.weights import registry


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """One restorer in a benchmark.

    Attributes:
        name: What tables call it.
        source: What `get_restorer` takes: a name of the registry (with its gallery, where it has one), or
            the path of an .onnx file.
        version: Whose results these are; other pixels come with another version. A restorer of the
            registry has its number there, a network the sha256 of its file, a gallery that of its lists, a
            plug-in its package's version too.
        paper: Where it comes from, in a line.
    """

    name: str
    source: str
    version: str
    paper: str


def parse_systems(texts: Sequence[str]) -> tuple[System, ...]:
    """Read names, `.onnx` paths, and `NAME=PATH.onnx`.

    Raises:
        UsageError: A name is unknown or given twice, a file or gallery is not there, or none is given.
        RestorerError: A plug-in cannot be used.
        WeightsError: The shipped network is missing.
    """
    systems = tuple(_system(text.strip()) for text in texts if text.strip())
    if not systems:
        raise UsageError("--restorers names none; give some, such as network,telea,criminisi")
    names = [system.name for system in systems]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"--restorers names {', '.join(twice)} twice; tell files apart as NAME=FILE.onnx")
    return systems


def open_system(source: str) -> Restorer:
    """Make the restorer of a system, for one thread of one worker; errors as `get_restorer`."""
    return get_restorer(source, device="cpu", threads=1)


def _system(text: str) -> System:
    if not text.endswith(".onnx"):
        about = describe(text)
        version = str(about.version)
        if text == "network":
            version += "+" + file_sha256(registry.find("restorer"))[:16]
        if about.package:  # What is handed to a plug-in may be anything, so it is part of the version as it is.
            argument = text.partition(":")[2]
            version = "+".join(filter(None, (version, about.package, about.digest[:16], argument)))
        elif folder := text.partition(":")[2]:
            version += "+" + _gallery_sha256(Path(folder))[:16]
        return System(name=about.name, source=text, version=version, paper=about.paper)
    name, equals, file = text.partition("=")
    path = Path(file if equals else text)
    if not path.is_file():
        raise UsageError(f"--restorers: there is no file {path}; name an .onnx file that is there")
    return System(
        name=name if equals else path.stem,
        source=str(path),
        version=file_sha256(path)[:16],
        paper="an own network, by its file",
    )


def _gallery_sha256(folder: Path) -> str:
    """Checksum of what says which faces a gallery holds and how they are described."""
    digest = hashlib.sha256()
    for name in (GALLERY, ENTRIES):
        try:
            digest.update((folder / name).read_bytes())
        except OSError as error:
            raise UsageError(
                f"{folder} is no gallery ({name}: {error.strerror}); make one with `demask dataset gallery`"
            ) from error
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Checksum of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
