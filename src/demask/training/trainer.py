"""The loop: step, average, validate, show, save. Knows tasks, not networks."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from demask.errors import ConfigError, TrainingError
from demask.training import checkpoint
from demask.training.average import Average
from demask.training.sink import Sink
from demask.training.task import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainerConfig:
    """How long, how often, how fast."""

    run: Path  # Folder of this run; the same folder resumes.
    steps: int = 4000
    max_minutes: float = math.inf  # Stop (and save) after this long, finished or not.
    warmup_steps: int = 100
    decay_from: float = 0.5  # Share of the run after which the rate falls linearly to `final_rate`.
    final_rate: float = 0.05  # Share of the peak rate left at the end.
    ema_decay: float = 0.998
    validate_every: int = 500  # Steps.
    save_every_s: float = 120.0
    log_every: int = 20  # Steps.
    seed: int = 0
    threads: int = 0  # torch's threads; 0 leaves its own choice.

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"steps is {self.steps} but a run needs at least 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What a progress bar wants to know."""

    step: int
    steps: int
    pictures_per_s: float
    waiting_share: float  # Share of the time spent waiting for data.
    scalars: dict[str, float]


class Trainer:
    """Trains one task in one folder; made again with the same folder, it goes on where it was."""

    def __init__(
        self,
        task: Task,
        config: TrainerConfig,
        *,
        settings: dict[str, object] | None = None,
        checkpoint_name: str = "last.pt",
    ) -> None:
        self.task, self.config = task, config
        self.settings = settings or {}
        self.average = Average(task.network, decay=config.ema_decay)
        self.optimizers = task.optimizers()
        self.peak_rates = {name: [g["lr"] for g in opt.param_groups] for name, opt in self.optimizers.items()}
        self.num_steps = 0
        self.best_score = -math.inf
        config.run.mkdir(parents=True, exist_ok=True)
        if (config.run / checkpoint_name).exists():
            self._resume(config.run / checkpoint_name)
        described = {"task": task.name, "settings": self.settings, "trainer": dataclasses.asdict(config)}
        (config.run / "config.json").write_text(json.dumps(described, indent=2, default=str) + "\n")

    @property
    def last_path(self) -> Path:
        """The newest checkpoint, from which the run resumes."""
        return self.config.run / "last.pt"

    @property
    def best_path(self) -> Path:
        """The checkpoint with the best validation score."""
        return self.config.run / "best.pt"

    def fit(
        self,
        on_progress: Callable[[Progress], None] | None = None,
        *,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        """Train until `steps` or `max_minutes`, or until `should_stop` says so after a step; then save.

        An exception in the middle of a step leaves the last checkpoint as it is, since half a step
        cannot be resumed; one between two steps is saved first.

        Raises:
            TrainingError: A loss is not finite, or a checkpoint cannot be saved.
        """
        config, task = self.config, self.task
        if config.threads:
            torch.set_num_threads(config.threads)
        sink = Sink(config.run, from_step=self.num_steps)
        began = saved = time.monotonic()
        window_began, window_waited, window_pictures = began, 0.0, 0
        whole = True  # Whether every network is at the same step.
        batches = task.batches(start_step=self.num_steps, num_steps=config.steps)
        try:
            while self.num_steps < config.steps:
                # One step: the same weights and the same number give the same result, whatever came before.
                waited = time.monotonic()
                batch = next(batches)
                window_waited += time.monotonic() - waited
                progress = self.num_steps / config.steps
                self._set_rates(progress)
                torch.manual_seed(seed_of(config.seed, self.num_steps))
                whole = False
                scalars = task.step(batch, progress=progress)
                self.num_steps += 1
                self.average.update(task.network, self.num_steps)
                whole = True
                window_pictures += len(next(iter(batch.values())))

                # Tell.
                now = time.monotonic()
                if self.num_steps % config.log_every == 0 or self.num_steps == config.steps:
                    spent = now - window_began
                    report = Progress(
                        step=self.num_steps,
                        steps=config.steps,
                        pictures_per_s=window_pictures / spent,
                        waiting_share=window_waited / spent,
                        scalars=_floats(scalars),
                    )
                    sink.scalars(self.num_steps, "train", report.scalars)
                    speed = {"pictures_per_s": report.pictures_per_s, "waiting_share": report.waiting_share}
                    sink.scalars(self.num_steps, "speed", speed)
                    if on_progress:
                        on_progress(report)
                    window_began, window_waited, window_pictures = now, 0.0, 0

                # Judge, show, save.
                if self.num_steps % config.validate_every == 0 or self.num_steps == config.steps:
                    self._validate(sink)
                    window_began = time.monotonic()
                if time.monotonic() - saved > config.save_every_s:
                    checkpoint.save(self.last_path, self._state())
                    saved = time.monotonic()
                if now - began > config.max_minutes * 60 or (should_stop and should_stop()):
                    log.info("stopped after %.1f minutes at step %d", (now - began) / 60, self.num_steps)
                    break
        except BaseException:
            if whole:
                checkpoint.save(self.last_path, self._state())
            raise
        finally:
            sink.close()
        checkpoint.save(self.last_path, self._state())

    def _validate(self, sink: Sink) -> None:
        figures = self.task.validate(self.average.network)
        sink.scalars(self.num_steps, "val", figures)
        sink.picture(self.num_steps, self.task.samples(self.average.network))
        if figures["score"] > self.best_score:
            self.best_score = figures["score"]
            checkpoint.save(self.best_path, self._state())

    def _set_rates(self, progress: float) -> None:
        config = self.config
        warm = min(1.0, (self.num_steps + 1) / max(1, config.warmup_steps))
        fallen = max(0.0, progress - config.decay_from) / max(1e-9, 1 - config.decay_from)
        share = warm * (1 - fallen * (1 - config.final_rate))
        for name, optimizer in self.optimizers.items():
            for group, peak in zip(optimizer.param_groups, self.peak_rates[name], strict=True):
                group["lr"] = peak * share

    def _state(self) -> checkpoint.State:
        return {
            "task": self.task.name,
            "settings": json.dumps(self.settings, default=str),
            "num_steps": self.num_steps,
            "best_score": self.best_score,
            "modules": {name: module.state_dict() for name, module in self.task.modules().items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "average": self.average.network.state_dict(),
        }

    def _resume(self, path: Path) -> None:
        state = checkpoint.load(path)
        if state["task"] != self.task.name:
            raise TrainingError(
                f"{path} belongs to the task {state['task']!r}, not {self.task.name!r}; name another run folder"
            )
        try:
            for name, module in self.task.modules().items():
                module.load_state_dict(state["modules"][name])
            for name, optimizer in self.optimizers.items():
                optimizer.load_state_dict(state["optimizers"][name])
            self.average.network.load_state_dict(state["average"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise TrainingError(
                f"{path} is from another architecture: {str(error).splitlines()[0]}; "
                "use the settings in its config.json or name another run folder"
            ) from error
        self.num_steps, self.best_score = state["num_steps"], state["best_score"]
        log.info("resumed %s at step %d", self.config.run, self.num_steps)


def seed_of(seed: int, step: int) -> int:
    """A well-mixed 63-bit seed for one step of one run."""
    digest = hashlib.blake2b(f"{seed}/{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _floats(scalars: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in scalars.items()}
