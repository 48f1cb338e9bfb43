"""One photo's row in the manifest, what its output was made of, and what earlier rows say to a later run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demask import __version__
from demask.errors import InputError
from demask.faces.choice import Faces
from demask.photo.handed_in import Output
from demask.weights import registry

SUCCESS = frozenset({"restored", "no_face", "no_covering", "done"})
"""Statuses of photos whose output is there."""
MadeWith = Mapping[str, str]
"""Networks and settings by name; all that decides about the bytes of an output beside the photo's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What became of one photo.

    Attributes:
        name: The photo, relative to its source.
        output: Its output, relative to the target; None where none was written.
        key: sha256 over photo, networks and settings; empty where the photo could not be read.
        status: `restored`, `no_face`, `no_covering`; `done` (an earlier run says so, and its output is there);
            `failed` (the photo cannot be used), `error` (something else went wrong; the next run tries again),
            `poisoned` (it ended its workers again and again).
        reason: Why it failed.
        faces: Faces found.
        covered: Those that wore a covering.
        seconds: What it took its worker, reading and writing included.
        worker: Machine and process.
        made: Digest of networks and settings.
        photo_bytes: Size of the photo.
        output_bytes: Size of the output.
        at: When, in seconds since 1970.
        known: An earlier run's row says so already, so that this one is not written down again.
    """

    name: str
    output: str | None = None
    key: str = ""
    status: str
    reason: str | None = None
    faces: int = 0
    covered: int = 0
    seconds: float = 0.0
    worker: str = ""
    made: str = ""
    photo_bytes: int = 0
    output_bytes: int = 0
    at: float = 0.0
    known: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What an earlier run wrote down of a photo; as in `Row`."""

    key: str
    status: str
    output: str | None
    output_bytes: int
    made: str
    reason: str | None
    photo_bytes: int


def made_with(
    *, restorer: str, faces: Faces, output: Output, hole: Path | None = None, **more: str | bool
) -> MadeWith:
    """Name the networks and settings of a run.

    A network is named by the sha256 of its file. Of demask's version the first two numbers count: a release
    that changes pictures has others.

    Args:
        restorer: As `Remover` takes it.
        faces: Whose holes are filled.
        output: How a file is given back; `renamed` follows from names and is left out.
        hole: The user's own hole.
        **more: Settings of a command that decide about its outputs.

    Raises:
        WeightsError: A network is missing or damaged.
        InputError: A file that a setting names cannot be read.
    """
    names = {
        "demask": ".".join(__version__.split(".")[:2]),
        "finder": sha256_of(registry.find("finder")),
        "hole network": sha256_of(registry.find("hole")),
        "restorer": restorer,
        "faces": faces if isinstance(faces, str) else ",".join(map(str, faces)),
        "format": output.format or "as it came",
        "quality": "as it came" if output.quality is None else str(output.quality),
        "label": str(output.label),
    }
    if restorer == "network" or restorer.endswith(".onnx"):
        names["restorer"] = sha256_of(registry.find("restorer") if restorer == "network" else Path(restorer))
    if output.c2pa is not None:
        names["c2pa"] = sha256_of(output.c2pa[0])
    if hole is not None:
        names["own hole"] = sha256_of(hole)
    return {**names, **{name.replace("_", " "): str(value) for name, value in more.items()}}


def digest_of(made: MadeWith) -> str:
    """Sixteen hex digits for networks and settings together."""
    return hashlib.sha256(json.dumps(dict(made), sort_keys=True).encode()).hexdigest()[:16]


def content_key(photo: bytes, made: MadeWith) -> str:
    """sha256 in hex over the photo's bytes, the networks and the settings."""
    return hashlib.sha256(f"{hashlib.sha256(photo).hexdigest()} {digest_of(made)}".encode()).hexdigest()


def differences(was: MadeWith, now: MadeWith) -> str:
    """Say what differs, such as `the restorer was telea, is criminisi`; empty where nothing does."""
    return "; ".join(
        f"{name} was {_short(was.get(name))}, is {_short(now.get(name))}"
        for name in sorted({*was, *now})
        if was.get(name) != now.get(name)
    )


def sha256_of(path: Path) -> str:
    """sha256 of a file in hex; networks that a remover has opened are not read again.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return registry.sha256_of(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from error


def _short(value: str | None) -> str:
    if value is None:
        return "not set"
    return f"{value[:12]}..." if len(value) == 64 else value
