"""What is kept of a run: the average of its weights, and a file of its state, written whole or not at all."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from demask.atomic import replacing
from demask.errors import TrainingError
from demask.training.engine.task import Task

State = dict[str, Any]


def save(path: Path, state: State) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        TrainingError: The disk is full or the folder cannot be written; the former file is unharmed.
    """
    try:
        with replacing(path) as temporary:
            torch.save(state, temporary)
    except (OSError, RuntimeError) as error:
        # torch reports a full disk as a RuntimeError of its own writer.
        raise TrainingError(f"could not save {path}: {error}; the last good checkpoint is unharmed") from error


def load(path: Path) -> State:
    """Read a checkpoint; tensors and plain values only, never code.

    Raises:
        TrainingError: The file is missing or damaged.
    """
    try:
        state: State = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(f"{path} is not a checkpoint that can be read: {reason}") from error
    return state


class Average:
    """Exponential moving average with a warm-up, as TensorFlow's `tf.train.ExponentialMovingAverage` has it.

    At step t the decay is min(decay, (1 + t) / (10 + t)) (its documentation, argument `num_updates`), so early
    weights are soon forgotten. With a decay of 0 there is nothing to keep: `network` is the trained one itself.
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False) if decay else network

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move the average a little towards the network."""
        if not self.decay:
            return
        decay = min(self.decay, (1 + step) / (10 + step))
        mine, theirs = ([p.detach() for p in net.parameters()] for net in (self.network, network))
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        for buffer, other in zip(self.network.buffers(), network.buffers(), strict=True):
            buffer.copy_(other)


class Reached(NamedTuple):
    """How far a run is."""

    num_steps: int
    best_score: float


def save_run(
    path: Path, task: Task, average: Average, reached: Reached, *, settings: dict[str, object]
) -> None:
    """Write networks, optimizers, average, counters and settings, whole or not at all.

    Raises:
        TrainingError: The file cannot be written.
    """
    save(
        path,
        {
            "task": task.name,
            "settings": json.dumps(settings, default=str),
            "num_steps": reached.num_steps,
            "best_score": reached.best_score,
            "modules": {name: network.state_dict() for name, network in task.networks.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in task.optimizers.items()},
            "average": average.network.state_dict(),
        },
    )


def resume_run(path: Path, task: Task, average: Average) -> Reached:
    """Put a checkpoint's state into the task and its average.

    Raises:
        TrainingError: The file cannot be read, or is another task's or another architecture's.
    """
    state = load(path)
    if state["task"] != task.name:
        raise TrainingError(
            f"{path} belongs to the task {state['task']!r}, not {task.name!r}; name another run folder"
        )
    try:
        for name, network in task.networks.items():
            network.load_state_dict(state["modules"][name])
        for name, optimizer in task.optimizers.items():
            stored = state["optimizers"][name]
            for mine, theirs in zip(optimizer.param_groups, stored["param_groups"], strict=True):
                theirs["fused"] = mine.get("fused")  # How a step is computed is not the run's, but ours.
            optimizer.load_state_dict(stored)
        average.network.load_state_dict(state["average"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise TrainingError(
            f"{path} is from another architecture: {str(error).splitlines()[0]}; "
            "use the settings in its config.json or name another run folder"
        ) from error
    return Reached(state["num_steps"], state["best_score"])
