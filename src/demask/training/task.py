"""What the trainer needs to know of a network's training, and no more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from demask.errors import TrainingError
from demask.types import ImageU8

Batch = Mapping[str, Any]


class Task(ABC):
    """One network's training: its batches, its step, how it is judged, shown and exported.

    The trainer owns the clock, the averages, the checkpoints and the log; a task owns the rest.
    """

    name: ClassVar[str]
    network: nn.Module  # Averaged (EMA), checkpointed and exported.

    @abstractmethod
    def modules(self) -> dict[str, nn.Module]:
        """Everything with weights to checkpoint, by name; includes `network`."""

    @abstractmethod
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Every optimizer, by name. Each group's `lr` at the start is its peak; the trainer scales it."""

    @abstractmethod
    def batches(self, *, start_step: int, num_steps: int) -> Iterator[Batch]:
        """Batches number `start_step` to `num_steps` - 1; batch i is a function of the seed and i alone."""

    @abstractmethod
    def step(self, batch: Batch, *, progress: float) -> dict[str, Tensor]:
        """Update the weights once; return detached scalars to log. `progress` runs from 0 to 1."""

    @abstractmethod
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Figures of a network on fixed validation pictures; the key `score` chooses (higher is better)."""

    @abstractmethod
    def samples(self, network: nn.Module) -> ImageU8:
        """A grid of fixed validation pictures as this network sees them, uint8 RGB [H, W, 3]."""

    @abstractmethod
    def export(self, network: nn.Module, path: Path) -> None:
        """Write the network as ONNX, uint8 in, and check that it says what torch says."""


def stop_if_not_finite(**losses: Tensor) -> None:
    """Refuse to step on a loss that is NaN or infinite.

    Raises:
        TrainingError: Names the term, so that one knows where to look.
    """
    for name, loss in losses.items():
        if not torch.isfinite(loss).all():
            raise TrainingError(
                f"the loss term {name!r} is {loss.detach().flatten()[0].item()}; the weights were not changed. "
                "Lower the learning rate or look at the pictures of this step"
            )
