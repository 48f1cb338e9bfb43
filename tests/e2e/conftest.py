"""The command line as a user runs it, and the page as a browser shows it: other processes, real networks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browsing import CHROMIUM, CHROMIUM_ARGS, PATIENCE_MS, Serve, Served
from forked_demask import ForkedDemask

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
TRAINING = ("demask.training.recipes",)  # What `train` and `export` import.


@pytest.fixture
def environment(tiny_weights: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEMASK_")}
    return {**kept, "DEMASK_WEIGHTS": str(tiny_weights), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def forked() -> Iterator[Callable[..., ForkedDemask]]:
    """What commands are forked from, one with torch and one without, each made when it is first needed."""
    made: dict[tuple[str, ...], ForkedDemask] = {}

    def importing(*modules: str) -> ForkedDemask:
        if modules not in made:
            made[modules] = ForkedDemask(*modules)
        return made[modules]

    yield importing
    for each in made.values():
        each.close()


@pytest.fixture
def demask(tmp_path: Path, environment: dict[str, str], forked: Callable[..., ForkedDemask]) -> Run:
    """Run `demask ARGS...` in `tmp_path`."""

    def run(
        *args: object, stdin: bytes = b"", patience_s: float = 120, **more: str
    ) -> subprocess.CompletedProcess[bytes]:
        command, variables = [*map(str, args)], {**environment, **more}
        if any(name.startswith("PYTHON") for name in more):  # Python reads them when it starts.
            return subprocess.run(
                [sys.executable, "-m", "demask", *command],
                cwd=tmp_path, input=stdin, capture_output=True, env=variables, timeout=patience_s, check=False,
            )  # fmt: skip
        start = forked(*TRAINING) if command[:1] in (["train"], ["export"]) else forked()
        return start.run(command, cwd=tmp_path, env=variables, stdin=stdin, patience_s=patience_s)

    return run


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless, with a drawn camera."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}")
    playwright.expect.set_options(timeout=PATIENCE_MS)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Start `demask serve ARGS...`; every server is stopped after the module."""
    for needed in ("fastapi", "uvicorn", "python_multipart", "prometheus_client"):
        pytest.importorskip(needed)
    started: list[Served] = []

    def start(*args: str, **variables: str) -> Served:
        started.append(Served(args, variables))
        return started[-1]

    yield start
    for server in started:
        server.stop()
