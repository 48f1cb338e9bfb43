"""The command line as a user runs it: another process, a folder to work in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def environment(tiny_weights: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEMASK_")}
    return {**kept, "DEMASK_WEIGHTS": str(tiny_weights), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def demask(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run `demask ARGS...` in `tmp_path`."""

    def run(*args: object, stdin: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "demask", *map(str, args)],
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            env={**environment, **more},
            timeout=120,
            check=False,
        )

    return run
