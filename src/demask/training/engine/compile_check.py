"""Whether torch.compile computes the gradients that it should."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import torch
from torch import Tensor

from demask.errors import TrainingError
from demask.training.engine.task import Batch, Task
from demask.training.engine.update import Moment
from demask.training.losses import weighted_total

_LEAST_AGREEMENT = 0.98  # Cosine of gradients: rounding to bfloat16 alone leaves 0.998.


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
