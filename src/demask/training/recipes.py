"""Complete settings for each network we ship: the task and how long it is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demask.errors import ConfigError
from demask.training.config import override
from demask.training.faces import FacesConfig
from demask.training.finder_task import FinderConfig, FinderTask
from demask.training.hole_task import HoleTask, HoleTaskConfig
from demask.training.models.restorer import RestorerConfig
from demask.training.models.unet import UNetConfig
from demask.training.restorer_task import RestorerTask, RestorerTaskConfig
from demask.training.task import Task
from demask.training.trainer import Progress, Trainer, TrainerConfig
from demask.weights import registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One network's training, ready to run."""

    task: Any  # The task's config dataclass.
    trainer: TrainerConfig


def finder(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The face finder: about 25 minutes on two cores."""
    task = FinderConfig(data=data, backgrounds=backgrounds, teacher=_if_here("yunet"))
    return Recipe(task=task, trainer=TrainerConfig(run=run, steps=2600, decay_from=0.3))


def hole(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The hole segmenter: about 45 minutes on two cores."""
    faces = FacesConfig(
        data=data, textures=backgrounds, bare_share=0.22, nothing_share=0.05, widen_px=(0, 0),
        shift_px=6.0, scale=0.07, aspect=0.06, turn_share=0.25, dress_share=0.12,
    )  # fmt: skip
    task = HoleTaskConfig(faces=faces)
    return Recipe(task=task, trainer=TrainerConfig(run=run, steps=5000, decay_from=0.3, validate_every=500))


def restorer(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The restorer: about 25 minutes per 1,000 steps on two cores; it still gains after 3,000."""
    body = UNetConfig(widths=(32, 64, 160, 384), mixer_blocks=5, num_heads=6)
    task = RestorerTaskConfig(
        faces=FacesConfig(data=data, textures=backgrounds, turn_share=0.15, dress_share=0.08),
        model=RestorerConfig(body=body),
        lpips_backbone=_if_here("squeeze_backbone"),
        lpips_linear=_if_here("lpips_squeeze_linear"),
    )
    return Recipe(task=task, trainer=TrainerConfig(run=run, steps=3200, decay_from=0.6, validate_every=400))


def _if_here(name: str) -> Path | None:
    return registry.find(name) if registry.locate(name) else None


RECIPES: dict[str, Callable[[Path, Path, Path | None], Recipe]] = {
    "finder": finder,
    "hole": hole,
    "restorer": restorer,
}


def make_task(config: Any) -> Task:
    """The task that a config belongs to."""
    if isinstance(config, FinderConfig):
        return FinderTask(config)
    if isinstance(config, HoleTaskConfig):
        return HoleTask(config)
    if isinstance(config, RestorerTaskConfig):
        return RestorerTask(config)
    raise ConfigError(f"{type(config).__name__} is no task's config; tasks are {', '.join(RECIPES)}")


def resolve(
    name: str, *, data: Path, run: Path, backgrounds: Path | None = None, settings: Sequence[str] = ()
) -> Recipe:
    """A recipe with the user's settings: `trainer.steps=100` or `batch_size=8` (the task's own).

    Raises:
        ConfigError: An unknown recipe or setting, or a value of the wrong type.
        WeightsError: A loss needs weights that are not here.
    """
    if name not in RECIPES:
        raise ConfigError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    recipe = RECIPES[name](data, run, backgrounds)
    for_trainer = [s.removeprefix("trainer.") for s in settings if s.startswith("trainer.")]
    for_task = [s for s in settings if not s.startswith("trainer.")]
    return Recipe(task=override(recipe.task, for_task), trainer=override(recipe.trainer, for_trainer))


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
    """
    trainer = Trainer(make_task(recipe.task), recipe.trainer, settings=dataclasses.asdict(recipe.task))
    trainer.fit(on_progress, should_stop=should_stop)
    return trainer


def export_run(recipe: Recipe, path: Path, *, checkpoint_name: str = "last.pt") -> None:
    """Export the averaged weights of a run as ONNX.

    Raises:
        TrainingError: No checkpoint, one of another architecture, or an export that differs from torch.
    """
    task = make_task(recipe.task)
    trainer = Trainer(
        task, recipe.trainer, settings=dataclasses.asdict(recipe.task), checkpoint_name=checkpoint_name
    )
    task.export(trainer.average.network, path)
