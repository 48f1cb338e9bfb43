"""Photographs of nobody and a labeller that knows where their faces are; importable by worker processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import cv2
import numpy as np

from demask.dataset.worker import Label, Labeller
from demask.geometry import FRAME_POINTS
from demask.types import Face, ImageU8


def draw_photo(seed: int, *, width: int = 200, height: int = 240) -> ImageU8:
    """Smooth colour noise: no two seeds look alike, and none is too dark to be "a face"."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 255, (12, 10, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def save_photo(path: Path, photo: ImageU8, *, quality: int = 95) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(
        path.suffix, cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    assert done
    path.write_bytes(data.tobytes())
    return path


def label_middle(photo: ImageU8) -> Label | None:
    """The face fills the middle of every photo; a dark photo has none."""
    if photo.mean() < 30:
        return None
    height, width = photo.shape[:2]
    scale = width / 256
    points = (FRAME_POINTS * scale).astype(np.float32)
    grid = np.linspace(60, 200, 468, dtype=np.float32)
    landmarks = np.column_stack([grid, grid[::-1], np.sin(grid)]).astype(np.float32)
    face = Face(box=(0.2 * width, 0.1 * height, 0.8 * width, 0.9 * height), points=points, score=0.9)
    return Label(face=face, landmarks=landmarks, presence=0.99)


def labellers() -> Labeller:
    return label_middle


class KillOnPhoto:
    """Labellers that end their own process at the n-th photo, as a lack of memory would."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self) -> Labeller:
        seen = 0

        def label(photo: ImageU8) -> Label | None:
            nonlocal seen
            seen += 1
            if seen == self.count:
                os.kill(os.getpid(), signal.SIGKILL)
            return label_middle(photo)

        return label


class Slow:
    """Labellers that take their time, so that a build can be killed in the middle."""

    def __call__(self) -> Labeller:
        def label(photo: ImageU8) -> Label | None:
            time.sleep(0.3)
            return label_middle(photo)

        return label
