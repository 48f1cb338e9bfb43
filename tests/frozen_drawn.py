"""A small frozen test set of drawn photographs, and restorers that misbehave on some of its pictures."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path

import numpy as np

from demask.dataset.freeze import FreezeConfig, freeze
from demask.restorers.classical import telea
from demask.types import Hole, ImageU8, Restorer


def freeze_drawn(shards: Path, out: Path, *, per_slice: int = 6, portraits: int = 2) -> Path:
    """Freeze photographs of nobody; returns the set's folder."""
    freeze(
        FreezeConfig(
            data=shards,
            out=out,
            split="train",
            per_slice=per_slice,
            portraits=portraits,
            portrait_sources=("photos",),
        )
    )
    return out


class Moody:
    """Telea, but on every third crop or so it does what its name says."""

    def __init__(self, mood: str) -> None:
        self._mood, self._telea = mood, telea()

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        known = np.where(hole[..., None], np.uint8(0), masked)
        digest = hashlib.sha256(known.tobytes()).digest()[0]
        if hole.sum() > 1000 and digest % 3 == 0:  # The crop to warm up with has a small hole.
            match self._mood:
                case "raises":
                    raise ValueError("no idea\nwhat to draw")
                case "shape":
                    return masked[:128, :128]
                case "type":
                    return masked.astype(np.float32)  # type: ignore[return-value]
                case "nothing":
                    return None  # type: ignore[return-value]
                case "dies":
                    os.kill(os.getpid(), signal.SIGSEGV)
                case "sleeps":
                    time.sleep(3600)
                case "spins":
                    while True:
                        pass
        return self._telea(masked, hole)


def open_moody(source: str) -> Restorer:
    """Opener of a benchmark: `telea` is well, other names are moods."""
    if source == "refuses":
        raise ValueError("out of order")
    return telea() if source == "telea" else Moody(source)
