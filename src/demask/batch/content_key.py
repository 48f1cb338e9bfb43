"""What an output was made of: the bytes of the photo, the networks, the settings.

Two runs that agree in all three make the same picture, so the second need not make it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from demask import __version__
from demask.errors import InputError
from demask.faces.choice import Faces
from demask.photo.handed_in import Output
from demask.weights import registry

MadeWith = Mapping[str, str]
"""Networks and settings by name; all that decides about the bytes of an output beside the photo's."""


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
