"""The zoo installed as anyone would, and a run to add to it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3] / "zoo"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zoo, built and installed by pip into a folder of its own."""
    folder = tmp_path_factory.mktemp("zoo")
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns("__pycache__", "*.onnx"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(folder / "site"), str(source)], check=True, capture_output=True)
    return folder / "site"


@pytest.fixture
def zoo(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its folder of networks, empty, where Python finds the package."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "demask_zoo"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(installed))
    import demask_zoo.card
    import demask_zoo.systems

    assert installed in Path(demask_zoo.card.__file__).parents
    for module in (demask_zoo.card, demask_zoo.systems):
        monkeypatch.setattr(module, "NETWORKS", tmp_path)
    return tmp_path
