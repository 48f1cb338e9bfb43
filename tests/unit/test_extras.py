"""The hint how to install an extra fits the way in which demask was installed."""

from __future__ import annotations

import json
import re
import shlex
from importlib import metadata
from pathlib import Path

import pytest

import demask
from demask.extras import command_for, install_command, zoo_command, zoo_command_for


def installed(folder: Path, direct_url: object = None) -> metadata.Distribution:
    info = folder / "demask-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: demask\nVersion: 1.2\nProvides-Extra: serve\nProvides-Extra: heic\n"
        "Requires-Dist: numpy>=2.1\n"
        "Requires-Dist: fastapi>=0.121; extra == 'serve'\n"
        "Requires-Dist: uvicorn<1,>=0.34; (python_version > '3') and extra == \"serve\"\n"
        "Requires-Dist: pillow-heif>=1.1; extra == 'heic'\n"
    )
    if direct_url is not None:
        (info / "direct_url.json").write_text(json.dumps(direct_url))
    return metadata.Distribution.at(info)


def test_from_an_index_the_requirements_have_their_own_names(tmp_path: Path) -> None:
    assert command_for(installed(tmp_path), "serve") == "pip install 'fastapi>=0.121' 'uvicorn<1,>=0.34'"


@pytest.mark.parametrize(("editable", "option"), [(True, "-e "), (False, "")])
def test_from_a_folder_its_path_is_named(tmp_path: Path, editable: bool, option: str) -> None:
    checkout = tmp_path / "the checkout"
    checkout.mkdir()
    facts = {"url": checkout.as_uri(), "dir_info": {"editable": True} if editable else {}}
    assert command_for(installed(tmp_path, facts), "serve") == f"pip install {option}'{checkout}[serve]'"


def test_from_a_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "demask-1.2-py3-none-any.whl"
    wheel.write_bytes(b"")
    distribution = installed(tmp_path, {"url": wheel.as_uri(), "archive_info": {}})
    assert command_for(distribution, "heic") == f"pip install '{wheel}[heic]'"
    wheel.unlink()
    assert command_for(distribution, "heic") == "pip install 'pillow-heif>=1.1'"


def test_from_an_address_and_from_a_repository(tmp_path: Path) -> None:
    wheel = {"url": "https://example.org/demask-1.2-py3-none-any.whl", "archive_info": {}}
    (tmp_path / "a").mkdir()
    assert command_for(installed(tmp_path / "a", wheel), "heic") == (
        "pip install 'demask[heic] @ https://example.org/demask-1.2-py3-none-any.whl'"
    )
    git = {"url": "https://example.org/demask.git", "vcs_info": {"vcs": "git", "commit_id": "abc123"}}
    (tmp_path / "b").mkdir()
    assert command_for(installed(tmp_path / "b", git), "heic") == (
        "pip install 'demask[heic] @ git+https://example.org/demask.git@abc123'"
    )


def test_the_zoo_comes_from_where_demask_came_from(tmp_path: Path) -> None:
    """Never from an index, where a package of that name would be a stranger's."""
    checkout = tmp_path / "checkout"
    facts = {"url": checkout.as_uri(), "dir_info": {"editable": True}}
    (tmp_path / "a").mkdir()
    distribution = installed(tmp_path / "a", facts)
    assert zoo_command_for(distribution) == "pip install ./zoo (in a checkout of demask's repository)"
    (checkout / "zoo").mkdir(parents=True)
    (checkout / "zoo" / "pyproject.toml").touch()
    assert zoo_command_for(distribution) == f"pip install {checkout / 'zoo'}"
    git = {"url": "https://example.org/demask.git", "vcs_info": {"vcs": "git", "commit_id": "abc123"}}
    (tmp_path / "b").mkdir()
    assert zoo_command_for(installed(tmp_path / "b", git)) == (
        "pip install 'demask-zoo @ git+https://example.org/demask.git@abc123#subdirectory=zoo'"
    )
    assert zoo_command().startswith("pip install ")


@pytest.mark.parametrize("extra", ["serve", "train", "study", "heic"])
def test_the_installation_at_hand(extra: str) -> None:
    """What is named is a place that is there, or a package: never our own name, which no index knows."""
    for word in shlex.split(install_command(extra))[2:]:
        if word.endswith(f"[{extra}]"):
            assert Path(word.removesuffix(f"[{extra}]")).exists()
        else:
            assert not word.startswith("demask")


def test_no_message_names_an_extra_by_itself() -> None:
    package = Path(demask.__file__).parent
    hints = [
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if path.name != "extras.py" and re.search(r"pip install [^\n]*demask\[", path.read_text("utf-8"))
    ]
    assert hints == []
