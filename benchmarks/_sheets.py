"""Contact sheets for eyes: rows of pictures with a caption, written as numbered PNG pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from demask.types import Hole, ImageU8

CAPTION_PX = 18


def fitted(picture: ImageU8, side_px: int) -> ImageU8:
    """Scale a picture into a square, black around it."""
    scale = side_px / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    canvas = np.zeros((side_px, side_px, 3), np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=how)
    return canvas


def overlaid(photo: ImageU8, hole: Hole | None) -> ImageU8:
    """The photo with the hole tinted red and outlined."""
    shown = photo.copy()
    if hole is None or not hole.any():
        return shown
    shown[hole] = (0.55 * shown[hole] + 0.45 * np.array([255, 40, 40])).astype(np.uint8)
    edges, _ = cv2.findContours(hole.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(shown, edges, -1, (255, 255, 0), max(1, round(max(photo.shape[:2]) / 500)))
    return shown


def around(photo: ImageU8, box: Sequence[float], *, factor: float = 2.0) -> tuple[slice, slice]:
    """The square window around a box that is `factor` times its longer side, cut at the photo's edge."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = factor * max(box[2] - box[0], box[3] - box[1]) / 2
    rows = slice(max(0, int(y - half)), max(1, min(photo.shape[0], int(y + half))))
    columns = slice(max(0, int(x - half)), max(1, min(photo.shape[1], int(x + half))))
    return rows, columns


class Sheet:
    """Collect cells of several pictures side by side; write pages as they fill up.

    Args:
        folder: Where pages go, as `<name>-<number>.png`.
        name: Of the sheet.
        columns: Cells in a row.
        rows: Rows on a page.
        side_px: Side of each picture.
    """

    def __init__(self, folder: Path, name: str, *, columns: int, rows: int, side_px: int) -> None:
        self._folder, self._name = folder, name
        self._columns, self._rows, self._side_px = columns, rows, side_px
        self._cells: list[ImageU8] = []
        self.pages: list[Path] = []

    def add(self, caption: str, pictures: Sequence[ImageU8]) -> None:
        """Add a cell: pictures side by side, one caption below."""
        row = np.hstack([fitted(picture, self._side_px) for picture in pictures])
        strip = np.zeros((CAPTION_PX, row.shape[1], 3), np.uint8)
        cv2.putText(strip, caption, (2, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 0), 1, cv2.LINE_AA)
        self._cells.append(np.vstack([row, strip]))
        if len(self._cells) == self._columns * self._rows:
            self.close()

    def close(self) -> None:
        """Write the page begun, if there is one."""
        if not self._cells:
            return
        blank = np.zeros_like(self._cells[0])
        while len(self._cells) % self._columns:
            self._cells.append(blank)
        lines = [
            np.hstack(self._cells[start : start + self._columns])
            for start in range(0, len(self._cells), self._columns)
        ]
        path = self._folder / f"{self._name}-{len(self.pages):02d}.png"
        cv2.imwrite(str(path), cv2.cvtColor(np.vstack(lines), cv2.COLOR_RGB2BGR))
        self.pages.append(path)
        self._cells = []
