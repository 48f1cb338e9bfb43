"""What the trainer needs to know of a network's training, and no more."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from demask.errors import TrainingError
from demask.types import ImageU8

Batch = Mapping[str, Any]


class Share(NamedTuple):
    """Which part of every batch this process draws."""

    rank: int = 0
    of: int = 1

    def numbers(self, *, batch_size: int, start_step: int, num_steps: int) -> list[int]:
        """Numbers of the pictures of this process; all processes together draw what one alone would."""
        each = batch_size // self.of
        first = self.rank * each
        return [step * batch_size + first + i for step in range(start_step, num_steps) for i in range(each)]


class Losses(NamedTuple):
    """The terms of one network's loss, unweighted, and what each counts."""

    terms: Mapping[str, Tensor]
    weights: Mapping[str, float]


class Task(ABC):
    """One training: its networks, batches and losses, how it is judged, shown and exported.

    Making one builds networks and optimizers and opens nothing: an export needs no pictures.

    The trainer owns the clock, the devices, the optimizer steps, the averages, the checkpoints and the
    log; a task owns the rest. Every network has one optimizer of the same name.
    """

    name: ClassVar[str]
    batch_size: int  # Pictures per step, over all processes.
    clip_norm: float = 5.0
    networks: dict[str, nn.Module]  # `network` is averaged (EMA), judged and exported; others help it.
    optimizers: dict[str, torch.optim.Optimizer]  # Each group's `lr` at the start is its peak.

    fabric: Fabric
    # The same as they are trained: wrapped for device, precision and processes.
    live: dict[str, Any]
    live_optimizers: dict[str, Any]

    @property
    def network(self) -> nn.Module:
        """The network that all this is about."""
        return self.networks["network"]

    @property
    def device(self) -> torch.device:
        """Where the networks live: wherever the trainer has put them."""
        return next(self.network.parameters()).device

    def attach(self, fabric: Fabric, *, compiled: bool = False) -> None:
        """Hand the networks over to the trainer's device, precision and processes."""
        self.fabric, self.live, self.live_optimizers = fabric, {}, {}
        for name, network in self.networks.items():
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            shown: Any = torch.compile(network) if compiled else network
            self.live[name], self.live_optimizers[name] = fabric.setup(shown, self.optimizers[name])
        for helper in self.helpers():
            helper.to(fabric.device)
            helper.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def helpers(self) -> list[nn.Module]:
        """Frozen networks that losses need, loaded when training begins; they follow to the device."""
        return []

    @abstractmethod
    def prepare(self) -> None:
        """Open what training needs and exporting does not, such as pictures; called before the first step.

        Raises:
            DatasetError: There is nothing to train on, or nothing to judge by.
        """

    def plan(self, progress: float, *, step: int) -> tuple[str, ...]:
        """Which networks are updated in a step, in order. `progress` runs from 0 to 1, `step` from 0."""
        return ("network",)

    @abstractmethod
    def batches(self, *, start_step: int, num_steps: int, share: Share) -> Iterator[Batch]:
        """This process's part of batches `start_step` to `num_steps` - 1.

        Picture i of a run is a function of the seed and i alone.
        """

    @abstractmethod
    def draw(self, batch: Batch, *, progress: float) -> Any:
        """Run the live network on a batch that is on the device; give `losses` what it needs.

        In a step that does not update `network` it runs without gradients.
        """

    @abstractmethod
    def losses(self, of: str, batch: Batch, drawn: Any, *, progress: float) -> Losses:
        """Loss of one of the networks; what belongs to the others' updates is detached.

        Asked once per step and part, but as often as it wants by an optimizer that searches (L-BFGS): then
        everything that depends on the network's weights belongs here, not in `draw`.
        """

    @abstractmethod
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Figures of a network on fixed validation pictures; the key `score` chooses (higher is better)."""

    @abstractmethod
    def samples(self, network: nn.Module) -> ImageU8:
        """A grid of fixed validation pictures as this network sees them, uint8 RGB [H, W, 3]."""

    @abstractmethod
    def export(self, network: nn.Module, path: Path) -> None:
        """Write the network as ONNX, uint8 in, and check that it says what torch says."""


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """Let gradients pass through a network but not into its weights."""
    wanted = [parameter.requires_grad for parameter in network.parameters()]
    network.requires_grad_(False)
    try:
        yield network
    finally:
        for parameter, was in zip(network.parameters(), wanted, strict=True):
            parameter.requires_grad_(was)


def stop_if_not_finite(values: Mapping[str, Tensor]) -> None:
    """Refuse to step on a loss or gradient that is NaN or infinite.

    Raises:
        TrainingError: Names the term, so that one knows where to look.
    """
    # One question to the device where all is well.
    if torch.isfinite(torch.stack([value.detach().float().sum() for value in values.values()])).all():
        return
    for name, value in values.items():
        if not torch.isfinite(value).all():
            raise TrainingError(
                f"the term {name!r} is {value.detach().flatten()[0].item()}; the weights were not changed. "
                "Lower the learning rate or look at the pictures of this step"
            )
