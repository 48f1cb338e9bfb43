"""What batches of tests work on: no networks, photos that say what happens to their worker, what comes out."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from demask.batch.batch_worker import Setup
from demask.errors import InputError
from demask.results import Result

DEADLY = b"deadly"


def open_fake(setup: Setup) -> Callable[..., Result[bytes]]:
    """Gives back the photo with a word behind it; the word is the setup's restorer."""
    pause_s = float(os.environ.get("DEMASK_TEST_SLEEP_S", "0"))

    def remove(photo: bytes, **_: Any) -> Result[bytes]:
        if photo.startswith(DEADLY):
            os.kill(os.getpid(), signal.SIGKILL)
        if photo.startswith(b"bad"):
            raise InputError("it is no picture")
        if not photo:
            raise InputError("it is empty")
        if photo.startswith(b"bug"):
            raise ZeroDivisionError("oh")
        time.sleep(pause_s)
        restored = photo.startswith(b"covered")
        return Result(
            photo=photo + setup.restorer.encode() if restored else photo,
            size=(1, 1),
            faces=(),
            status="restored" if restored else "no_face",
            hole=np.ones((1, 1), bool) if restored else None,
            timings_ms={},
        )

    return remove


def photos(folder: Path, count: int, *more: bytes) -> Path:
    """A folder of good photos, every fourth covered, and `more` with these bytes."""
    folder.mkdir()
    for index in range(count):
        (folder / f"{index:03}.jpg").write_bytes((b"covered" if index % 4 == 0 else b"plain") + bytes([index]))
    for index, data in enumerate(more):
        (folder / f"x{index}.jpg").write_bytes(data)
    return folder


def check(source: Path, target: Path, *, word: bytes = b"network") -> None:
    """Every good photo has exactly the output that it should have, and nothing else is there."""
    good = [path for path in source.iterdir() if path.read_bytes()[:5] in (b"cover", b"plain")]
    assert {path.name for path in target.iterdir()} == {path.name for path in good} | {".demask"}
    for path in good:
        data = path.read_bytes()
        assert (target / path.name).read_bytes() == data + (word if data.startswith(b"covered") else b"")
