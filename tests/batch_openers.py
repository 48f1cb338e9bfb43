"""What batches of tests remove with: no networks, and photos that say what shall happen to their worker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
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
