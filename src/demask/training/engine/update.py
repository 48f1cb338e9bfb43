"""One step: every network of a task's plan is updated once; and whether a compiled step computes the same."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from demask.errors import TrainingError
from demask.training.engine.task import Batch, Share, Task, stop_if_not_finite
from demask.training.losses import weighted_total

_LEAST_AGREEMENT = 0.98  # Cosine of gradients: rounding to bfloat16 alone leaves 0.998.


class Moment(NamedTuple):
    """Which step this is, of which run, in which process."""

    seed: int
    step: int
    steps: int
    share: Share

    @property
    def progress(self) -> float:
        """How much of the run is done, in [0, 1)."""
        return self.step / self.steps

    def seed_torch(self, part: int = 0) -> None:
        """Make what a part of this step draws a function of the moment alone."""
        torch.manual_seed(seed_of(self.seed, self.step, self.share.rank, part))


def update(task: Task, parts: list[Batch], now: Moment) -> dict[str, Tensor]:
    """Update every network of the task's plan once.

    Args:
        task: Attached to its device.
        parts: The batch, cut by `parts_of`.
        now: Which step this is.

    Returns:
        The terms of the losses, averaged over the parts, and the norm of the main network's gradient.

    Raises:
        TrainingError: A term or a gradient is not finite; the weights stay as they are.
    """
    plan = task.plan(now.progress, step=now.step)
    drawn: Any = None
    told: dict[str, Tensor] = {}

    def evaluate(name: str) -> Tensor:
        """The loss of one network; leaves its gradient, and tells the terms."""
        nonlocal drawn
        live, optimizer = task.live[name], task.live_optimizers[name]
        optimizer.zero_grad()
        terms: dict[str, Tensor] = {}
        loss = torch.zeros((), device=task.device)
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            # Processes exchange gradients once, with the last part.
            alone = last or now.share.of == 1
            with contextlib.nullcontext() if alone else task.fabric.no_backward_sync(live):
                if drawn is None or len(parts) > 1:
                    now.seed_torch(number)
                    with torch.set_grad_enabled("network" in plan):
                        drawn = task.draw(part, progress=now.progress)
                losses = task.losses(name, part, drawn, progress=now.progress)
                total = weighted_total(losses.terms, losses.weights)
                stop_if_not_finite(losses.terms)
                task.fabric.backward(total / len(parts))
            loss += total.detach() / len(parts)
            for term, value in losses.terms.items():
                terms[term] = terms.get(term, 0.0) + value.detach() / len(parts)
        weights = list(task.networks[name].parameters())
        norm = torch.nn.utils.get_total_norm(each.grad for each in weights if each.grad is not None)
        stop_if_not_finite({"gradient": norm})
        if math.isfinite(task.clip_norm):
            torch.nn.utils.clip_grads_with_norm_(weights, task.clip_norm, norm)
        if name == "network":
            terms["gradient"] = norm
        # An optimizer that asks more than once is told about by its first answer: the loss before the step.
        for term, value in terms.items():
            told.setdefault(term, value)
        return loss

    for name in plan:
        task.live_optimizers[name].step(functools.partial(evaluate, name))
    return told


def parts_of(batch: Batch, num: int) -> list[Batch]:
    """Cut a batch into equal parts along its first axis."""
    if num == 1:
        return [batch]
    cut = {name: torch.chunk(value, num) for name, value in batch.items()}
    return [{name: values[i] for name, values in cut.items()} for i in range(num)]


def seed_of(seed: int, step: int, rank: int = 0, part: int = 0) -> int:
    """A well-mixed 63-bit seed for one part of one process's share of one step of one run."""
    where = f"{seed}/{step}" + (f"/{rank}/{part}" if rank or part else "")
    digest = hashlib.blake2b(where.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


class CompileCheck:
    """Compares the compiled networks' gradients with the plain ones', once for each network.

    A compiler that gets them wrong is not noticed otherwise: the losses stay plausible. Torch 2.13 does
    in bfloat16 on a CPU.
    """

    def __init__(self) -> None:
        self.trusted: set[str] = set()

    def __call__(self, task: Task, part: Batch, now: Moment, *, precision: str) -> None:
        """Check the networks of this step's plan that were not checked before; nothing is updated.

        Args:
            task: Attached to its device, its live networks compiled.
            part: The first part of the step's batch.
            now: Which step this is.
            precision: Of the arithmetic, for the message.

        Raises:
            TrainingError: They point elsewhere.
        """
        plan = task.plan(now.progress, step=now.step)
        if self.trusted.issuperset(plan):
            return
        with torch.compiler.set_stance("force_eager"):
            plain = _gradients(task, part, plan, now)
        compiled = _gradients(task, part, plan, now)
        for name in plan:
            cosine = float(torch.nn.functional.cosine_similarity(plain[name], compiled[name], dim=0))
            if not cosine > _LEAST_AGREEMENT:
                raise TrainingError(
                    f"torch.compile gets the gradients of {name!r} wrong here: torch {torch.__version__}, "
                    f"{task.fabric.device.type}, {precision}; their cosine with the plain ones is "
                    f"{cosine:.2f}. Train with trainer.compile=false, or try trainer.precision=float32"
                )
        self.trusted.update(plan)


def _gradients(task: Task, part: Batch, plan: Sequence[str], now: Moment) -> dict[str, Tensor]:
    """Gradients of this step by network, flat; nothing is updated."""
    buffers = [(each, each.clone()) for network in task.networks.values() for each in network.buffers()]
    now.seed_torch()
    with torch.set_grad_enabled("network" in plan):
        drawn = task.draw(part, progress=now.progress)
    gradients = {}
    for name in plan:
        live, optimizer = task.live[name], task.live_optimizers[name]
        optimizer.zero_grad()
        with task.fabric.no_backward_sync(live) if now.share.of > 1 else contextlib.nullcontext():
            losses = task.losses(name, part, drawn, progress=now.progress)
            task.fabric.backward(weighted_total(losses.terms, losses.weights))
        weights = [each.grad for each in task.networks[name].parameters() if each.grad is not None]
        gradients[name] = torch.cat([each.detach().flatten().float() for each in weights])
        optimizer.zero_grad()
    with torch.no_grad():
        for buffer, before in buffers:
            buffer.copy_(before)
    return gradients
