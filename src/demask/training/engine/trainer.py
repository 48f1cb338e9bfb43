"""The loop: step, average, validate, show, save. Knows tasks, not networks."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from demask.errors import ConfigError
from demask.training.engine.checkpoint import Average, Reached, resume_run, save_run
from demask.training.engine.compute import choose_precision, keep_freed_memory, open_fabric
from demask.training.engine.run_log import Progress, Sink, StepMeter
from demask.training.engine.start import begin_with
from demask.training.engine.task import Batch, Share, Task
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.engine.update import CompileCheck, Moment, parts_of, update

log = logging.getLogger(__name__)


class Trainer:
    """Trains one task in one folder; made again with the same folder, it goes on where it was.

    Under `torchrun` every process makes one; the first alone writes.

    Raises:
        ConfigError: A device that is not there, or a batch that cannot be shared out evenly.
        TrainingError: The folder holds another run, or `start_from` another network.
    """

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
        resumes = (config.run / checkpoint_name).exists()
        if config.start_from and not resumes:
            begin_with(task.network, config.start_from, export=task.export)
        self.average = Average(task.network, decay=config.ema_decay)
        self.peak_rates = {name: [g["lr"] for g in opt.param_groups] for name, opt in task.optimizers.items()}
        self.num_steps = 0
        self.best_score = -math.inf
        self._check_compiled = CompileCheck()
        if resumes:
            path = config.run / checkpoint_name
            self.num_steps, self.best_score = resume_run(path, task, self.average)
            log.info("resumed %s at step %d", config.run, self.num_steps)

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
            DatasetError: No face to train on, or none to judge by.
            TrainingError: A loss is not finite, or a checkpoint cannot be saved.
            WeightsError: A loss needs weights that are not here.
        """
        config, task = self.config, self.task
        self._attach()
        batches = task.batches(start_step=self.num_steps, num_steps=config.steps, share=self.share)
        sink = self._open_sink()
        began = saved = time.monotonic()
        meter = StepMeter(began, step=self.num_steps)
        whole = True  # Whether every network is at the same step.
        try:
            if config.start_from and self.num_steps == 0:
                with meter.resting():
                    self._validate(sink)  # What there was to begin with.
            while self.num_steps < config.steps:
                # One step: the same weights and the same number give the same result, whatever came before.
                with meter.waiting():
                    batch = next(batches)
                whole = False
                scalars = self._step(batch)
                self.num_steps += 1
                self.average.update(task.network, self.num_steps)
                whole = True
                meter.pictures += task.batch_size

                # Tell.
                if self.num_steps % config.log_every == 0 or self.num_steps == config.steps:
                    report = meter.report(self.num_steps, config.steps, self._over_processes(scalars))
                    sink.scalars(self.num_steps, "train", report.scalars)
                    speed = {
                        "pictures_per_s": report.pictures_per_s,
                        "waiting_fraction": report.waiting_fraction,
                    }
                    sink.scalars(self.num_steps, "speed", speed)
                    if on_progress and self.share.rank == 0:
                        on_progress(report)

                # Judge, show, save.
                if self.num_steps % config.validate_every == 0 or self.num_steps == config.steps:
                    with meter.resting():
                        self._validate(sink)
                if time.monotonic() - saved > config.save_every_s:
                    self._save(self.last_path)
                    saved = time.monotonic()
                minutes = (time.monotonic() - began) / 60
                if self._agree(minutes > config.max_minutes or bool(should_stop and should_stop())):
                    log.info("stopped after %.1f minutes at step %d", minutes, self.num_steps)
                    break
        except BaseException:
            if whole:
                self._save(self.last_path)
            raise
        finally:
            sink.close()
        self._save(self.last_path)

    def rehearse(self) -> dict[str, float]:
        """Take one step on one batch and forget it: what `--dry-run` shows.

        Returns:
            The terms of the losses, and `seconds` of the step, data drawn beforehand.

        Raises:
            TrainingError: A loss is not finite.
        """
        self._attach()
        batches = self.task.batches(start_step=self.num_steps, num_steps=self.num_steps + 1, share=self.share)
        batch = next(batches)
        began = time.monotonic()
        scalars = self._step(batch)
        return _floats(scalars) | {"seconds": time.monotonic() - began}

    def _attach(self) -> None:
        """Put the task on its device, precision and processes."""
        config, task = self.config, self.task
        if config.threads:
            torch.set_num_threads(config.threads)
        self.fabric = open_fabric(config)
        self.fabric.launch()
        self.share = Share(self.fabric.global_rank, self.fabric.world_size)
        self.computed_in = choose_precision(config.precision, self.fabric.device).precision
        if self.fabric.device.type == "cpu":
            keep_freed_memory()
        if task.batch_size % (self.share.of * config.accumulate):
            raise ConfigError(
                f"a batch of {task.batch_size} pictures cannot be shared evenly by {self.share.of} processes "
                f"in {config.accumulate} parts each; choose a batch_size that divides"
            )
        task.prepare()
        task.attach(self.fabric, compiled=config.compile)
        self.average.network.to(task.device)
        for optimizer in task.optimizers.values():
            optimizer.load_state_dict(optimizer.state_dict())  # Brings resumed moments to the weights' device.

    def _step(self, batch: Batch) -> dict[str, Tensor]:
        """Update every network of the task's plan once; returns the terms, averaged over the parts."""
        config, task, step = self.config, self.task, self.num_steps
        for name, optimizer in task.optimizers.items():
            for group, peak in zip(optimizer.param_groups, self.peak_rates[name], strict=True):
                group["lr"] = peak * config.rate_at(step)
        parts = parts_of(self.fabric.to_device(dict(batch)), config.accumulate)
        now = Moment(config.seed, step, config.steps, self.share)
        for live in task.live.values():
            live.train()
        if config.compile:
            self._check_compiled(task, parts[0], now, precision=self.computed_in)
        return update(task, parts, now)

    def _validate(self, sink: Sink) -> None:
        if self.share.rank == 0:
            figures = self.task.validate(self.average.network)
            sink.scalars(self.num_steps, "val", figures)
            sink.picture(self.num_steps, self.task.samples(self.average.network))
            if figures["score"] > self.best_score:
                self.best_score = figures["score"]
                self._save(self.best_path)
        self.fabric.barrier()

    def _over_processes(self, scalars: dict[str, Tensor]) -> dict[str, float]:
        if self.share.of > 1:
            stacked = torch.stack([value.float() for value in scalars.values()])
            means = self.fabric.all_reduce(stacked, reduce_op="mean")
            scalars = dict(zip(scalars, means, strict=True))
        return _floats(scalars)

    def _agree(self, stop: bool) -> bool:
        """Whether any process wants to stop: then all do, after the same step."""
        if self.share.of == 1:
            return stop
        wishes = self.fabric.all_reduce(torch.tensor(float(stop), device=self.fabric.device), reduce_op="sum")
        assert isinstance(wishes, Tensor)
        return bool(wishes > 0)

    def _open_sink(self) -> Sink:
        config = self.config
        if self.share.rank:
            return Sink(None, from_step=self.num_steps)
        config.run.mkdir(parents=True, exist_ok=True)
        described = {
            "task": self.task.name,
            "settings": self.settings,
            "trainer": dataclasses.asdict(config),
            "computed": {"device": str(self.fabric.device), "precision": self.computed_in},
        }
        (config.run / "config.json").write_text(json.dumps(described, indent=2, default=str) + "\n")
        return Sink(config.run, from_step=self.num_steps, mlflow=config.mlflow, described=described)

    def _save(self, path: Path) -> None:
        if self.share.rank == 0:
            reached = Reached(self.num_steps, self.best_score)
            save_run(path, self.task, self.average, reached, settings=self.settings)


def _floats(scalars: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in scalars.items()}
