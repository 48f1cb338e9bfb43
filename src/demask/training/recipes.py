"""Training by recipe: resolve its settings or read a run's back, rehearse it, run it, export it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from demask import settings
from demask.errors import ConfigError, TrainingError
from demask.settings import override
from demask.training.engine.run_log import Progress
from demask.training.engine.start import blend_with
from demask.training.engine.trainer import Trainer
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.export.model_card import model_card
from demask.training.export.weights_file import save_weights
from demask.training.tasks.register import Recipe, make_task, recipe_named, trainings


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


def saved_recipe(run: Path) -> tuple[str, Recipe]:
    """Name of the network that a run trains, and its resolved recipe.

    Args:
        run: Folder of the run; it may have been moved since.

    Raises:
        TrainingError: The folder is no run, or its config was written by another version.
    """
    path = run / "config.json"
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        name = saved["task"]
        task = settings.read(trainings()[name].config, saved["settings"])
        trainer = settings.read(TrainerConfig, {**saved["trainer"], "run": str(run)})
    except OSError as error:
        raise TrainingError(
            f"{run} is no training run: {path.name} cannot be read ({error.strerror}); "
            "name the folder given to `demask train`"
        ) from error
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise TrainingError(
            f"{path} cannot be used ({type(error).__name__}: {error}); "
            "export with the version of demask that trained"
        ) from error
    return name, Recipe(task=task, trainer=trainer)


def export_run(
    recipe: Recipe,
    path: Path,
    *,
    checkpoint_name: str = "last.pt",
    card: Path | None = None,
    blend: tuple[Path, float] | None = None,
) -> None:
    """Export the averaged weights of a run; its training set may be gone.

    Args:
        recipe: As saved with the run.
        path: An .onnx file, checked against torch, or a .safetensors file.
        checkpoint_name: Which of the run's checkpoints.
        card: Where a model card goes; None writes none.
        blend: An exported network of the same kind and the fraction its weights count; see
            `start.blend_with`.

    Raises:
        ConfigError: The fraction is none.
        OutputError: A file cannot be written.
        TrainingError: No checkpoint, one of another architecture, or an export that differs from torch.
    """
    trainer = open_trainer(recipe, checkpoint_name=checkpoint_name)
    task, network = trainer.task, trainer.average.network
    if blend:
        blend_with(network, *blend, export=task.export)
    if path.suffix == ".safetensors":
        save_weights(network, path, about={"task": task.name, "steps": str(trainer.num_steps)})
    else:
        task.export(network, path)
    if card:
        training = trainings()[task.name]
        text = model_card(
            task.name, recipe, does=training.does, invents=training.invents, run=recipe.trainer.run,
            num_steps=trainer.num_steps, parameters=sum(p.numel() for p in network.parameters()), blend=blend,
        )  # fmt: skip
        card.write_text(text, encoding="utf-8")
