"""Where a run's figures and pictures go: metrics.jsonl first, TensorBoard and PNG grids beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from demask.types import ImageU8


class Sink:
    """Appends to `metrics.jsonl`, `tensorboard/` and `samples/` of a run folder."""

    def __init__(self, run: Path, *, from_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.samples = run / "samples"
        self.samples.mkdir(exist_ok=True)
        self.lines = (run / "metrics.jsonl").open("a", encoding="utf-8")
        # Steps after the checkpoint will be taken again: drop what the killed run had drawn of them.
        self.board = SummaryWriter(str(run / "tensorboard"), purge_step=from_step)

    def scalars(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """One line of figures; `group` is train, val or speed."""
        line = {"step": step, "time": round(time.time(), 1), "group": group}
        line |= {name: round(value, 6) for name, value in values.items()}
        self.lines.write(json.dumps(line) + "\n")
        self.lines.flush()
        for name, value in values.items():
            self.board.add_scalar(f"{group}/{name}", value, step)

    def picture(self, step: int, grid: ImageU8) -> None:
        """A grid of samples, uint8 RGB [H, W, 3]."""
        Image.fromarray(grid).save(self.samples / f"{step:07d}.png")
        self.board.add_image("samples", grid, step, dataformats="HWC")

    def close(self) -> None:
        """Flush and close."""
        self.lines.close()
        self.board.close()
