"""Where the time of a job goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Clock:
    """Adds up the milliseconds of each stage.

    Attributes:
        timings_ms: Milliseconds by stage.
        on_stage: Called with a stage's name before it begins; what it raises ends the job there.
    """

    timings_ms: dict[str, float] = field(default_factory=dict)
    on_stage: Callable[[str], None] | None = None

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what runs inside the `with` block."""
        if self.on_stage is not None:
            self.on_stage(stage)
        start = time.perf_counter()
        yield
        spent_ms = (time.perf_counter() - start) * 1000
        self.timings_ms[stage] = self.timings_ms.get(stage, 0.0) + spent_ms
