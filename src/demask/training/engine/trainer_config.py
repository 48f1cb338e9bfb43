"""How long a training lasts, how fast it learns, and what it computes on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from demask.errors import ConfigError

PRECISIONS = ("auto", "bfloat16", "float32")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainerConfig:
    """How long, how often, how fast, on what.

    Raises:
        ConfigError: No step, no part of a batch, or an unknown precision.
    """

    run: Path  # Folder of this run; the same folder resumes.
    start_from: Path | None = None  # An exported network whose weights a new run begins with.
    steps: int = 4000
    max_minutes: float = math.inf  # Stop (and save) after this long, finished or not.
    warmup_steps: int = 100
    decay_from: float = 0.5  # Fraction of the run after which the rate falls linearly to `final_rate`.
    final_rate: float = 0.05  # Fraction of the peak rate left at the end.
    ema_decay: float = 0.998
    validate_every: int = 500  # Steps.
    save_every_s: float = 120.0
    log_every: int = 20  # Steps.
    seed: int = 0
    device: str = "auto"  # "auto", "cpu", "cuda" or "cuda:N".
    # Of the arithmetic; the weights stay float32. `auto` takes bfloat16 where the device has units for it.
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    accumulate: int = 1  # Parts a batch is cut into, one after the other, where memory is short.
    compile: bool = False  # torch.compile: a minute at the start, its gradients checked, then faster steps.
    threads: int = 0  # torch's threads; 0 leaves its own choice.
    mlflow: str = ""  # Address of an MLflow server or folder that gets the figures as well.

    def __post_init__(self) -> None:
        if self.steps < 1 or self.accumulate < 1:
            raise ConfigError(
                f"steps is {self.steps} and accumulate {self.accumulate}; both must be at least 1"
            )
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision is {self.precision!r}; choose {', '.join(PRECISIONS)}")

    def rate_at(self, step: int) -> float:
        """Fraction of the peak learning rate in a step: a linear rise, a plateau, a linear fall."""
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        fallen = max(0.0, step / self.steps - self.decay_from) / max(1e-9, 1 - self.decay_from)
        return warm * (1 - fallen * (1 - self.final_rate))
