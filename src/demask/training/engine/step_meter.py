"""How fast a training is, and how long it will take."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass


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
