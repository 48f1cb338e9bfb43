"""How to install what an extra of the package brings, for the installation at hand.

`pip install 'demask[serve]'` asks an index for a package of this name, wherever demask itself came from. So the
command is made from what pip wrote down when it installed demask (PEP 610, `direct_url.json`).
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

if TYPE_CHECKING:
    from importlib import metadata

_NAME = "demask"


def install_command(extra: str) -> str:
    """The command that installs an extra, such as `serve`, in the way demask itself was installed.

    From a checkout, a folder, a wheel or a repository: the same again, with the extra. From an index, or where
    that place is gone: the extra's requirements by their own names.
    """
    from importlib import metadata  # Slow to import, and hardly ever needed.

    try:
        return command_for(metadata.distribution(_NAME), extra)
    except metadata.PackageNotFoundError:
        # Run from a checkout that is not installed, by PYTHONPATH.
        return _pip("-e", f"{Path(__file__).resolve().parents[2]}[{extra}]")


def command_for(installed: metadata.Distribution, extra: str) -> str:
    """As `install_command`, for any installed distribution."""
    written: dict[str, Any] = json.loads(installed.read_text("direct_url.json") or "{}")
    url = str(written.get("url", ""))
    if "vcs_info" in written:
        vcs = written["vcs_info"]
        return _pip(f"{_NAME}[{extra}] @ {vcs['vcs']}+{url}@{vcs['commit_id']}")
    place = urlparse(url)
    if place.scheme == "file":
        path = Path(url2pathname(place.path))
        if path.exists():
            editable = bool(written.get("dir_info", {}).get("editable"))
            return _pip(*(["-e"] if editable else []), f"{path}[{extra}]")
    elif place.scheme:
        return _pip(f"{_NAME}[{extra}] @ {url}")
    return _pip(*_requirements(installed, extra))


def zoo_command() -> str:
    """The command that installs `demask-zoo`, a part of demask's repository, from where demask came."""
    from importlib import metadata

    try:
        return zoo_command_for(metadata.distribution(_NAME))
    except metadata.PackageNotFoundError:
        return _pip(str(Path(__file__).resolve().parents[2] / "zoo"))


def zoo_command_for(installed: metadata.Distribution) -> str:
    """As `zoo_command`, for any installed distribution.

    Where demask came as a wheel or from an index, its repository is not at hand: then the command is for a
    checkout. No index is asked for a package of that name.
    """
    written: dict[str, Any] = json.loads(installed.read_text("direct_url.json") or "{}")
    url = str(written.get("url", ""))
    if "vcs_info" in written:
        vcs = written["vcs_info"]
        return _pip(f"{_NAME}-zoo @ {vcs['vcs']}+{url}@{vcs['commit_id']}#subdirectory=zoo")
    place = urlparse(url)
    folder = Path(url2pathname(place.path)) / "zoo"
    if place.scheme == "file" and (folder / "pyproject.toml").is_file():
        return _pip(str(folder))
    return f"{_pip('./zoo')} (in a checkout of demask's repository)"


def _requirements(installed: metadata.Distribution, extra: str) -> list[str]:
    """What an extra needs; the build writes extras of extras out."""
    wanted = re.compile(rf"""extra\s*==\s*["']{re.escape(extra)}["']""")
    pairs = (line.partition(";") for line in installed.requires or ())
    return [requirement.strip() for requirement, _, marker in pairs if wanted.search(marker)]


def _pip(*arguments: str) -> str:
    return f"pip install {shlex.join(arguments)}"
