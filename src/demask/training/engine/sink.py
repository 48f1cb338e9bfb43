"""Where a run's figures and pictures go: metrics.jsonl first, TensorBoard, PNG grids and MLflow beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from demask.errors import UsageError
from demask.extras import install_command
from demask.types import ImageU8


class Sink:
    """Appends to `metrics.jsonl`, `tensorboard/` and `samples/` of a run folder.

    Args:
        run: The folder; None takes everything and keeps nothing, for processes that do not write.
        from_step: Where the run goes on.
        mlflow: Address of an MLflow tracking server or folder; empty for none.
        described: Settings for MLflow to keep.

    Raises:
        UsageError: MLflow is asked for and not installed.
    """

    def __init__(
        self, run: Path | None, *, from_step: int, mlflow: str = "", described: Mapping[str, Any] | None = None
    ) -> None:
        self.run = run
        if run is None:
            return
        from torch.utils.tensorboard import SummaryWriter

        self.mlflow = _open_mlflow(mlflow, run, described or {}) if mlflow else None
        self.samples = run / "samples"
        self.samples.mkdir(exist_ok=True)
        self.lines = (run / "metrics.jsonl").open("a", encoding="utf-8")
        # Steps after the checkpoint will be taken again: drop what the killed run had drawn of them.
        self.board = SummaryWriter(str(run / "tensorboard"), purge_step=from_step)

    def scalars(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """One line of figures; `group` is train, val or speed."""
        if self.run is None:
            return
        line = {"step": step, "time": round(time.time(), 1), "group": group}
        line |= {name: round(value, 6) for name, value in values.items()}
        self.lines.write(json.dumps(line) + "\n")
        self.lines.flush()
        for name, value in values.items():
            self.board.add_scalar(f"{group}/{name}", value, step)
        if self.mlflow:
            self.mlflow.log_metrics({f"{group}/{name}": value for name, value in values.items()}, step=step)

    def picture(self, step: int, grid: ImageU8) -> None:
        """A grid of samples, uint8 RGB [H, W, 3]."""
        if self.run is None:
            return
        Image.fromarray(grid).save(self.samples / f"{step:07d}.png")
        self.board.add_image("samples", grid, step, dataformats="HWC")

    def close(self) -> None:
        """Flush and close."""
        if self.run is None:
            return
        self.lines.close()
        self.board.close()
        if self.mlflow:
            self.mlflow.end_run()


def _open_mlflow(address: str, run: Path, described: Mapping[str, Any]) -> Any:
    try:
        import mlflow
    except ModuleNotFoundError as error:
        raise UsageError(
            f"mlflow is {address!r} but MLflow is not installed; run: {install_command('mlflow')}"
        ) from error
    mlflow.set_tracking_uri(address)
    mlflow.set_experiment("demask")
    mlflow.start_run(run_name=run.name)
    mlflow.log_dict(json.loads(json.dumps(described, default=str)), "config.json")
    return mlflow
