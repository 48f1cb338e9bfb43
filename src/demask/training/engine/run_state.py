"""What a checkpoint holds of a run, and how a run takes it up again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from demask.errors import TrainingError
from demask.training.engine import checkpoint
from demask.training.engine.average import Average
from demask.training.engine.task import Task


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
    checkpoint.save(
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
    state = checkpoint.load(path)
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
