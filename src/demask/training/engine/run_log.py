"""How a run is followed: its figures and pictures in files, how fast it is and how long it will take."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
        from tensorboard.compat.proto.summary_pb2 import Summary

        # Encoded once: `add_image` would do it again, and each time costs a tiny network's step.
        encoded = io.BytesIO()
        Image.fromarray(grid).save(encoded, "PNG", compress_level=1)
        (self.samples / f"{step:07d}.png").write_bytes(encoded.getvalue())
        height, width, channels = grid.shape
        shown = Summary.Image(
            height=height, width=width, colorspace=channels, encoded_image_string=encoded.getvalue()
        )
        self.board.file_writer.add_summary(Summary(value=[Summary.Value(tag="samples", image=shown)]), step)

    def close(self) -> None:
        """Flush and close."""
        if self.run is None:
            return
        self.lines.close()
        self.board.close()
        if self.mlflow:
            self.mlflow.end_run()


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What a progress bar wants to know."""

    step: int
    steps: int
    pictures_per_s: float  # Over all processes.
    waiting_fraction: float  # Fraction of the time spent waiting for data.
    seconds_left: float
    scalars: dict[str, float]


class StepMeter:
    """Pictures per second, and what part of the time went into waiting for them.

    Args:
        now: When the training began, on the monotonic clock.
        step: Steps taken by then: a resumed run does not begin at 0.
    """

    def __init__(self, now: float, *, step: int) -> None:
        self.began, self.waited, self.pictures, self.from_step = now, 0.0, 0, step

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Time spent waiting for data."""
        began = time.monotonic()
        yield
        self.waited += time.monotonic() - began

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Time that counts neither for nor against: validation."""
        began = time.monotonic()
        yield
        self.began += time.monotonic() - began

    def report(self, step: int, steps: int, scalars: dict[str, float]) -> Progress:
        """What happened since the last report; begins a new one."""
        now = time.monotonic()
        spent = max(1e-9, now - self.began)
        each = spent / max(1, step - self.from_step)
        report = Progress(
            step=step,
            steps=steps,
            pictures_per_s=self.pictures / spent,
            waiting_fraction=self.waited / spent,
            seconds_left=(steps - step) * each,
            scalars=scalars,
        )
        self.began, self.waited, self.pictures, self.from_step = now, 0.0, 0, step
        return report


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
