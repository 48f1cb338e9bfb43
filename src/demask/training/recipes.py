"""Training by recipe: resolve its settings, run it, rehearse it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from demask.settings import override
from demask.training.engine.step_meter import Progress
from demask.training.engine.trainer import Trainer
from demask.training.tasks.register import Recipe, make_task, recipe_named


def resolve(
    name: str, *, data: Path, run: Path, backgrounds: Path | None = None, settings: Sequence[str] = ()
) -> Recipe:
    """A recipe with the user's settings: `trainer.steps=100` or `batch_size=8` (the task's own).

    Raises:
        ConfigError: An unknown recipe or setting, or a value of the wrong type.
    """
    recipe = recipe_named(name)(data, run, backgrounds)
    for_trainer = [s.removeprefix("trainer.") for s in settings if s.startswith("trainer.")]
    for_task = [s for s in settings if not s.startswith("trainer.")]
    return Recipe(
        task=override(recipe.task, for_task), trainer=override(recipe.trainer, for_trainer, where="trainer.")
    )


def open_trainer(recipe: Recipe, *, checkpoint_name: str = "last.pt") -> Trainer:
    """The trainer of a recipe, its networks where the run left them; no picture is opened.

    Raises:
        TrainingError: A checkpoint that cannot be read, or of another architecture.
        WeightsError: A loss is asked for without its weights.
    """
    return Trainer(
        make_task(recipe.task, seed=recipe.trainer.seed),
        recipe.trainer,
        settings=dataclasses.asdict(recipe.task),
        checkpoint_name=checkpoint_name,
    )


def run_training(
    recipe: Recipe,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    should_stop: Callable[[], bool] | None = None,
) -> Trainer:
    """Train (or go on training) what a recipe describes; returns the trainer when it is done or stopped.

    Raises:
        DatasetError: No usable faces.
        TrainingError: The run cannot go on.
        WeightsError: A loss needs weights that are not here.
    """
    trainer = open_trainer(recipe)
    trainer.fit(on_progress, should_stop=should_stop)
    return trainer


def rehearsal(recipe: Recipe) -> dict[str, Any]:
    """Set everything up, take one step and forget it.

    Returns:
        The resolved settings, the parameters of each network, the terms and seconds of the step.

    Raises:
        DatasetError: No usable faces.
        TrainingError: A loss is not finite.
        WeightsError: A loss needs weights that are not here.
    """
    trainer = open_trainer(recipe)
    terms = trainer.rehearse()
    networks = trainer.task.networks
    parameters = {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()}
    return {**dataclasses.asdict(recipe), "parameters": parameters, "first_step": terms}
