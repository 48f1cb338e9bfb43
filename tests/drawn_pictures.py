"""Folders of drawn pictures for `demask study new`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from demask.study.blocks import EXPRESSIONS


def draw_folders(root: Path, conditions: Sequence[str], *, num: int) -> dict[str, Path]:
    """A folder of small noisy squares for each condition."""
    folders = {}
    for place, condition in enumerate(conditions):
        folders[condition] = root / condition
        folders[condition].mkdir(parents=True)
        for face in range(num):
            rng = np.random.default_rng((place, face))
            picture = rng.integers(0, 255, (12, 10, 3), dtype=np.uint8)
            cv2.imwrite(str(folders[condition] / f"f{face:03d}.png"), picture)
    return folders


def draw_readable_folders(root: Path, conditions: Sequence[str], *, num: int) -> dict[str, Path]:
    """As `draw_folders`, each picture of one colour that says what it is, see `read_colour`."""
    folders = {}
    for place, condition in enumerate(conditions):
        folders[condition] = root / condition
        folders[condition].mkdir(parents=True)
        for face in range(num):
            picture = np.full((128, 96, 3), (90, 10 * face, 60 * place), np.uint8)
            cv2.imwrite(str(folders[condition] / f"f{face:03d}.png"), picture)
    return folders


def read_colour(conditions: Sequence[str], red: int, green: int) -> tuple[str, str]:
    """Condition and face of a picture of `draw_readable_folders`, from the colour of any of its pixels."""
    return conditions[round(red / 60)], f"f{round(green / 10):03d}"


def write_labels(path: Path, *, num: int, expressions: Sequence[str] = EXPRESSIONS) -> Path:
    """Expressions in turn."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["face", "expression"])
        writer.writerows([f"f{face:03d}", expressions[face % len(expressions)]] for face in range(num))
    return path
