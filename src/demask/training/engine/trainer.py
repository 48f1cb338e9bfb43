"""The loop: step, average, validate, show, save. Knows tasks, not networks."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor

from demask.errors import ConfigError, TrainingError
from demask.training.engine import checkpoint
from demask.training.engine.allocator import keep_freed_memory
from demask.training.engine.average import Average
from demask.training.engine.sink import Sink
from demask.training.engine.start import begin_with
from demask.training.engine.task import Batch, Share, Task, stop_if_not_finite
from demask.training.losses import weighted_total

log = logging.getLogger(__name__)

_LEAST_AGREEMENT = 0.98  # Cosine of gradients: rounding to bfloat16 alone leaves 0.998.


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainerConfig:
    """How long, how often, how fast, on what."""

    run: Path  # Folder of this run; the same folder resumes.
    start_from: Path | None = None  # An exported network whose weights a new run begins with.
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
    device: str = "auto"  # "auto", "cpu", "cuda" or "cuda:N".
    precision: Literal["bfloat16", "float32"] = "bfloat16"  # Of the arithmetic; the weights stay float32.
    accumulate: int = 1  # Parts a batch is cut into, one after the other, where memory is short.
    compile: bool = False  # torch.compile: a minute at the start, its gradients checked, then faster steps.
    threads: int = 0  # torch's threads; 0 leaves its own choice.
    mlflow: str = ""  # Address of an MLflow server or folder that gets the figures as well.

    def __post_init__(self) -> None:
        if self.steps < 1 or self.accumulate < 1:
            raise ConfigError(
                f"steps is {self.steps} and accumulate {self.accumulate}; both must be at least 1"
            )
        if self.precision not in ("bfloat16", "float32"):
            raise ConfigError(f"precision is {self.precision!r}; choose bfloat16 or float32")


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What a progress bar wants to know."""

    step: int
    steps: int
    pictures_per_s: float  # Over all processes.
    waiting_share: float  # Share of the time spent waiting for data.
    seconds_left: float
    scalars: dict[str, float]


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
        self._trusted: set[str] = set()  # Networks whose compiled gradients were found right.
        if resumes:
            self._resume(config.run / checkpoint_name)

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
        self._attach()
        sink = self._open_sink()
        began = saved = time.monotonic()
        meter = _Meter(began)
        whole = True  # Whether every network is at the same step.
        batches = task.batches(start_step=self.num_steps, num_steps=config.steps, share=self.share)
        try:
            if config.start_from and self.num_steps == 0:
                with meter.resting():
                    self._validate(sink)  # What there was to begin with.
            while self.num_steps < config.steps:
                # One step: the same weights and the same number give the same result, whatever came before.
                with meter.waiting():
                    batch = next(batches)
                progress = self.num_steps / config.steps
                self._set_rates(progress)
                whole = False
                scalars = self._step(self.fabric.to_device(dict(batch)), progress)
                self.num_steps += 1
                self.average.update(task.network, self.num_steps)
                whole = True
                meter.pictures += task.batch_size

                # Tell.
                if self.num_steps % config.log_every == 0 or self.num_steps == config.steps:
                    report = meter.report(self.num_steps, config.steps, self._over_processes(scalars))
                    sink.scalars(self.num_steps, "train", report.scalars)
                    speed = {"pictures_per_s": report.pictures_per_s, "waiting_share": report.waiting_share}
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
        self._set_rates(self.num_steps / self.config.steps)
        began = time.monotonic()
        scalars = self._step(self.fabric.to_device(dict(batch)), self.num_steps / self.config.steps)
        return _floats(scalars) | {"seconds": time.monotonic() - began}

    def _attach(self) -> None:
        """Put the task on its device, precision and processes."""
        config, task = self.config, self.task
        if config.threads:
            torch.set_num_threads(config.threads)
        self.fabric = _fabric(config)
        self.fabric.launch()
        self.share = Share(self.fabric.global_rank, self.fabric.world_size)
        if self.fabric.device.type == "cpu":
            keep_freed_memory()
        if task.batch_size % (self.share.of * config.accumulate):
            raise ConfigError(
                f"a batch of {task.batch_size} pictures cannot be shared evenly by {self.share.of} processes "
                f"in {config.accumulate} parts each; choose a batch_size that divides"
            )
        task.attach(self.fabric, compiled=config.compile)
        self.average.network.to(task.device)
        for optimizer in task.optimizers.values():
            optimizer.load_state_dict(optimizer.state_dict())  # Brings resumed moments to the weights' device.

    def _step(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Update every network of the task's plan once; returns the terms, averaged over the parts."""
        task, config = self.task, self.config
        parts = _parts(batch, config.accumulate)
        drawn: Any = None
        told: dict[str, Tensor] = {}
        for live in task.live.values():
            live.train()
        if config.compile:
            self._check_compiled(parts[0], progress)
        for name in task.plan(progress):
            live, optimizer = task.live[name], task.live_optimizers[name]
            optimizer.zero_grad()
            for number, part in enumerate(parts):
                last = number == len(parts) - 1
                # Processes exchange gradients once, with the last part.
                alone = last or self.share.of == 1
                with contextlib.nullcontext() if alone else self.fabric.no_backward_sync(live):
                    if drawn is None or len(parts) > 1:
                        torch.manual_seed(seed_of(config.seed, self.num_steps, self.share.rank, number))
                        drawn = task.draw(part, progress=progress)
                    losses = task.losses(name, part, drawn, progress=progress)
                    total = weighted_total(losses.terms, losses.weights)
                    stop_if_not_finite(losses.terms)
                    self.fabric.backward(total / len(parts))
                for term, value in losses.terms.items():
                    told[term] = told.get(term, 0.0) + value.detach() / len(parts)
            weights = list(task.networks[name].parameters())
            norm = torch.nn.utils.get_total_norm(each.grad for each in weights if each.grad is not None)
            stop_if_not_finite({"gradient": norm})
            if math.isfinite(task.clip_norm):
                torch.nn.utils.clip_grads_with_norm_(weights, task.clip_norm, norm)
            if name == "network":
                told["gradient"] = norm
            optimizer.step()
        return told

    def _check_compiled(self, part: Batch, progress: float) -> None:
        """Compare the compiled networks' gradients with the plain ones', once for each network.

        A compiler that gets them wrong is not noticed otherwise: the losses stay plausible. Torch 2.13 does
        in bfloat16 on a CPU.

        Raises:
            TrainingError: They point elsewhere.
        """
        plan = self.task.plan(progress)
        if self._trusted.issuperset(plan):
            return
        with torch.compiler.set_stance("force_eager"):
            plain = self._gradients(part, plan, progress)
        compiled = self._gradients(part, plan, progress)
        for name in plan:
            cosine = float(torch.nn.functional.cosine_similarity(plain[name], compiled[name], dim=0))
            if not cosine > _LEAST_AGREEMENT:
                raise TrainingError(
                    f"torch.compile gets the gradients of {name!r} wrong here: torch {torch.__version__}, "
                    f"{self.fabric.device.type}, {self.config.precision}; their cosine with the plain ones is "
                    f"{cosine:.2f}. Train with trainer.compile=false, or try trainer.precision=float32"
                )
        self._trusted.update(plan)

    def _gradients(self, part: Batch, plan: Sequence[str], progress: float) -> dict[str, Tensor]:
        """Gradients of this step by network, flat; nothing is updated."""
        task = self.task
        buffers = [(each, each.clone()) for network in task.networks.values() for each in network.buffers()]
        torch.manual_seed(seed_of(self.config.seed, self.num_steps, self.share.rank, 0))
        drawn = task.draw(part, progress=progress)
        gradients = {}
        for name in plan:
            live, optimizer = task.live[name], task.live_optimizers[name]
            optimizer.zero_grad()
            with self.fabric.no_backward_sync(live) if self.share.of > 1 else contextlib.nullcontext():
                losses = task.losses(name, part, drawn, progress=progress)
                self.fabric.backward(weighted_total(losses.terms, losses.weights))
            weights = [each.grad for each in task.networks[name].parameters() if each.grad is not None]
            gradients[name] = torch.cat([each.detach().flatten().float() for each in weights])
            optimizer.zero_grad()
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        return gradients

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

    def _set_rates(self, progress: float) -> None:
        config = self.config
        warm = min(1.0, (self.num_steps + 1) / max(1, config.warmup_steps))
        fallen = max(0.0, progress - config.decay_from) / max(1e-9, 1 - config.decay_from)
        share = warm * (1 - fallen * (1 - config.final_rate))
        for name, optimizer in self.task.optimizers.items():
            for group, peak in zip(optimizer.param_groups, self.peak_rates[name], strict=True):
                group["lr"] = peak * share

    def _open_sink(self) -> Sink:
        config = self.config
        if self.share.rank:
            return Sink(None, from_step=self.num_steps)
        config.run.mkdir(parents=True, exist_ok=True)
        described = {"task": self.task.name, "settings": self.settings, "trainer": dataclasses.asdict(config)}
        (config.run / "config.json").write_text(json.dumps(described, indent=2, default=str) + "\n")
        return Sink(config.run, from_step=self.num_steps, mlflow=config.mlflow, described=described)

    def _save(self, path: Path) -> None:
        if self.share.rank:
            return
        task = self.task
        checkpoint.save(
            path,
            {
                "task": task.name,
                "settings": json.dumps(self.settings, default=str),
                "num_steps": self.num_steps,
                "best_score": self.best_score,
                "modules": {name: network.state_dict() for name, network in task.networks.items()},
                "optimizers": {name: optimizer.state_dict() for name, optimizer in task.optimizers.items()},
                "average": self.average.network.state_dict(),
            },
        )

    def _resume(self, path: Path) -> None:
        state = checkpoint.load(path)
        if state["task"] != self.task.name:
            raise TrainingError(
                f"{path} belongs to the task {state['task']!r}, not {self.task.name!r}; name another run folder"
            )
        try:
            for name, network in self.task.networks.items():
                network.load_state_dict(state["modules"][name])
            for name, optimizer in self.task.optimizers.items():
                stored = state["optimizers"][name]
                for mine, theirs in zip(optimizer.param_groups, stored["param_groups"], strict=True):
                    theirs["fused"] = mine.get("fused")  # How a step is computed is not the run's, but ours.
                optimizer.load_state_dict(stored)
            self.average.network.load_state_dict(state["average"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise TrainingError(
                f"{path} is from another architecture: {str(error).splitlines()[0]}; "
                "use the settings in its config.json or name another run folder"
            ) from error
        self.num_steps, self.best_score = state["num_steps"], state["best_score"]
        log.info("resumed %s at step %d", self.config.run, self.num_steps)


def seed_of(seed: int, step: int, rank: int = 0, part: int = 0) -> int:
    """A well-mixed 63-bit seed for one part of one process's share of one step of one run."""
    where = f"{seed}/{step}" + (f"/{rank}/{part}" if rank or part else "")
    digest = hashlib.blake2b(where.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


class _Meter:
    """Pictures per second, and what part of the time went into waiting for them."""

    def __init__(self, now: float) -> None:
        self.began, self.waited, self.rested, self.pictures = now, 0.0, 0.0, 0
        self.from_step: int | None = None

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
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
        now = time.monotonic()
        spent = max(1e-9, now - self.began)
        done = step - (self.from_step if self.from_step is not None else 0)
        each = spent / max(1, done)
        report = Progress(
            step=step,
            steps=steps,
            pictures_per_s=self.pictures / spent,
            waiting_share=self.waited / spent,
            seconds_left=(steps - step) * each,
            scalars=scalars,
        )
        self.began, self.waited, self.pictures, self.from_step = now, 0.0, 0, step
        return report


def _fabric(config: TrainerConfig) -> Fabric:
    """The device, precision and processes that a run asks for; torchrun says how many processes."""
    kind, _, number = config.device.partition(":")
    if kind not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device is {config.device!r}; choose auto, cpu, cuda or cuda:N")
    here = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cuda" and not (int(number) < here if number else here):
        raise ConfigError(f"device is {config.device!r} but torch sees {here} CUDA devices; choose cpu or auto")
    local, world = (int(os.environ.get(name, 1)) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    accelerator = "cuda" if kind != "cpu" and here else "cpu"
    devices: Any = [int(number)] if number else local
    return Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=max(1, world // local),
        strategy=_ddp() if world > 1 else "auto",
        precision="bf16-mixed" if config.precision == "bfloat16" else "32-true",
    )


def _ddp() -> Any:
    from lightning_fabric.strategies.ddp import DDPStrategy

    # Norm statistics stay each process's own; broadcasting them would undo the critic's two looks.
    return DDPStrategy(broadcast_buffers=False)


def _parts(batch: Batch, num: int) -> list[Batch]:
    """Cut a batch into equal parts along its first axis."""
    if num == 1:
        return [batch]
    cut = {name: torch.chunk(value, num) for name, value in batch.items()}
    return [{name: values[i] for name, values in cut.items()} for i in range(num)]


def _floats(scalars: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in scalars.items()}
