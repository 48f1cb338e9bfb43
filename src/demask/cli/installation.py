"""Which packages the installation has, of the base and of each extra, as its own metadata lists them."""

from __future__ import annotations

import re
from importlib import metadata

_BASE = ("numpy", "Pillow", "opencv-python-headless", "onnxruntime", "typer", "rich")
_NOT_SHOWN = frozenset({"dev", "web"})
"""Extras that nobody asks for by name: one for developers, one that others are made of."""


def base_packages() -> list[tuple[str, str | None]]:
    """Each package of the base and its version, None where it is not installed."""
    from demask.weights.devices import installed_builds

    found: list[tuple[str, str | None]] = [(name, _version(name)) for name in _BASE if name != "onnxruntime"]
    builds: list[tuple[str, str | None]] = [(name, version) for name, version in installed_builds().items()]
    return found + (builds or [("onnxruntime", None)])


def extra_states() -> list[tuple[str, list[tuple[str, str | None]]]]:
    """Each extra, with its packages and their versions, None where one is not installed."""
    try:
        installed = metadata.distribution("demask")
    except metadata.PackageNotFoundError:
        return []
    requirements: dict[str, list[str]] = {}
    for line in installed.requires or ():
        name = re.match(r"[A-Za-z0-9._-]+", line)
        extra = re.search(r"""extra\s*==\s*["']([\w-]+)["']""", line)
        if name and extra and name[0] != "demask" and extra[1] not in _NOT_SHOWN:
            requirements.setdefault(extra[1], []).append(name[0])
    return [
        (extra, [(name, _version(name)) for name in dict.fromkeys(names)])
        for extra, names in sorted(requirements.items())
    ]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
