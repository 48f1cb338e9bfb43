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

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def environment(tiny_weights: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEMASK_")}
    return {**kept, "DEMASK_WEIGHTS": str(tiny_weights), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def demask(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run `demask ARGS...` in `tmp_path`."""

    def run(
        *args: object, stdin: bytes = b"", patience_s: float = 120, **more: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "demask", *map(str, args)],
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            env={**environment, **more},
            timeout=patience_s,
            check=False,
        )

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
