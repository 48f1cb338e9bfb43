"""Complete settings for each network we ship and for both studies: the task and how long it is trained."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from demask.errors import ConfigError
from demask.settings import override
from demask.training.data.covered_faces import FacesConfig
from demask.training.engine.start import blend_with
from demask.training.engine.step_meter import Progress
from demask.training.engine.task import Task
from demask.training.engine.trainer import Trainer
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.engine.update import seed_of
from demask.training.export.model_card import model_card
from demask.training.export.weights_file import save_weights
from demask.training.models.restorer_net import RestorerConfig
from demask.training.models.unet import UNetConfig
from demask.training.tasks.finder_task import FinderConfig, FinderTask
from demask.training.tasks.hole_task import HoleTask, HoleTaskConfig
from demask.training.tasks.landmarks_task import LandmarksTask, LandmarksTaskConfig
from demask.training.tasks.pix2pix_task import Pix2pixConfig, Pix2pixTask
from demask.training.tasks.restorer_task import RestorerTask, RestorerTaskConfig
from demask.weights import registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One network's training, ready to run."""

    task: Any  # The task's config dataclass.
    trainer: TrainerConfig


def finder(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The face finder: about 50 minutes on two cores."""
    task = FinderConfig(data=data, backgrounds=backgrounds, teacher=_if_here("yunet"))
    return Recipe(task=task, trainer=TrainerConfig(run=run, steps=5000, decay_from=0.3))


def hole(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The hole segmenter: about two and a quarter hours on two cores."""
    faces = FacesConfig(
        data=data, textures=backgrounds, bare_share=0.22, nothing_share=0.05, widen_px=(0, 0),
        shift_px=6.0, scale=0.07, aspect=0.06, turn_share=0.25, dress_share=0.12, unusual_share=0.25,
    )  # fmt: skip
    task = HoleTaskConfig(faces=faces)
    return Recipe(task=task, trainer=TrainerConfig(run=run, steps=14_000, decay_from=0.3, validate_every=1000))


def restorer(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The restorer: almost six hours on two cores."""
    body = UNetConfig(widths=(32, 64, 160, 384), mixer_blocks=5, num_heads=6)
    faces = FacesConfig(
        data=data, textures=backgrounds, turn_share=0.3, yaw_deg=25.0, profile_share=0.2, dress_share=0.08,
        missed_share=0.25,
    )  # fmt: skip
    task = RestorerTaskConfig(
        faces=faces,
        model=RestorerConfig(body=body),
        lpips_backbone=_if_here("squeeze_backbone"),
        lpips_linear=_if_here("lpips_squeeze_linear"),
        perceptual_weight=2.0,
    )
    return Recipe(task=task, trainer=TrainerConfig(run=run, steps=10_800, decay_from=0.6, validate_every=400))


def landmarks(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The landmark network: about 15 minutes on two cores."""
    faces = FacesConfig(
        data=data, textures=backgrounds, bare_share=0.8, flip_share=0.0, widen_px=(0, 0),
        shift_px=6.0, rotation_deg=5.0, scale=0.07, turn_share=0.35, dress_share=0.1,
    )  # fmt: skip
    trainer = TrainerConfig(run=run, steps=2500, decay_from=0.3, ema_decay=0.995)
    return Recipe(task=LandmarksTaskConfig(faces=faces), trainer=trainer)


STUDY_B_PIXEL_WEIGHT, STUDY_B_LANDMARK_WEIGHT = 100.0, 20.0
"""Study B does not state its weights. Ours make each term about as large as the adversarial one early on."""


def _pix2pix(*, pixel: float = 0.0, landmark: float = 0.0) -> Callable[[Path, Path, Path | None], Recipe]:
    """A study's recipe: 300 epochs of study B's 2,331 photographs, as published; a GPU's work."""

    def recipe(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
        faces = FacesConfig(
            data=data, textures=backgrounds, enlarged_px=286, degrade_share=0.0, light=False,
            sharp_factor=1.0, widen_px=(0, 0),
        )  # fmt: skip
        task = Pix2pixConfig(
            faces=faces,
            pixel_weight=pixel,
            landmark_weight=landmark,
            lpips_backbone=_if_here("squeeze_backbone"),
            lpips_linear=_if_here("lpips_squeeze_linear"),
        )
        # Constant, then linear to nothing; no average of weights, no warm-up: none is published.
        trainer = TrainerConfig(
            run=run, steps=300 * 2331 // task.batch_size, warmup_steps=1, decay_from=0.5, final_rate=0.0,
            ema_decay=0.0, validate_every=1000,
        )  # fmt: skip
        return Recipe(task=task, trainer=trainer)

    return recipe


def _if_here(name: str) -> Path | None:
    return registry.find(name) if registry.locate(name) else None


RECIPES: dict[str, Callable[[Path, Path, Path | None], Recipe]] = {
    "finder": finder,
    "hole": hole,
    "restorer": restorer,
    "landmarks": landmarks,
    "pix2pix": _pix2pix(),
    "pix2pix+pixel": _pix2pix(pixel=STUDY_B_PIXEL_WEIGHT),
    "pix2pix+landmark": _pix2pix(landmark=STUDY_B_LANDMARK_WEIGHT),
    "pix2pix+pixel+landmark": _pix2pix(pixel=STUDY_B_PIXEL_WEIGHT, landmark=STUDY_B_LANDMARK_WEIGHT),
}
"""`pix2pix` is study A's system, `pix2pix+pixel+landmark` study B's, the others what lies between."""


def make_task(config: Any, *, seed: int = 0) -> Task:
    """The task that a config belongs to, its networks' first weights drawn from a seed."""
    torch.manual_seed(seed_of(seed, -1))
    if isinstance(config, FinderConfig):
        return FinderTask(config)
    if isinstance(config, HoleTaskConfig):
        return HoleTask(config)
    if isinstance(config, RestorerTaskConfig):
        return RestorerTask(config)
    if isinstance(config, LandmarksTaskConfig):
        return LandmarksTask(config)
    if isinstance(config, Pix2pixConfig):
        return Pix2pixTask(config)
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
        near = difflib.get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(RECIPES)}"
        raise ConfigError(f"no recipe {name!r}; {hint}")
    recipe = RECIPES[name](data, run, backgrounds)
    for_trainer = [s.removeprefix("trainer.") for s in settings if s.startswith("trainer.")]
    for_task = [s for s in settings if not s.startswith("trainer.")]
    return Recipe(
        task=override(recipe.task, for_task), trainer=override(recipe.trainer, for_trainer, where="trainer.")
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
    """
    trainer = Trainer(
        make_task(recipe.task, seed=recipe.trainer.seed),
        recipe.trainer,
        settings=dataclasses.asdict(recipe.task),
    )
    trainer.fit(on_progress, should_stop=should_stop)
    return trainer


def rehearsal(recipe: Recipe) -> dict[str, Any]:
    """Set everything up, take one step and forget it.

    Returns:
        The resolved settings, the parameters of each network, the terms and seconds of the step.

    Raises:
        DatasetError: No usable faces.
        TrainingError: A loss is not finite.
    """
    task = make_task(recipe.task, seed=recipe.trainer.seed)
    figures = Trainer(task, recipe.trainer, settings=dataclasses.asdict(recipe.task)).rehearse()
    parameters = {name: sum(p.numel() for p in net.parameters()) for name, net in task.networks.items()}
    return {**dataclasses.asdict(recipe), "parameters": parameters, "first_step": figures}


def export_run(
    recipe: Recipe,
    path: Path,
    *,
    checkpoint_name: str = "last.pt",
    card: Path | None = None,
    blend: tuple[Path, float] | None = None,
) -> None:
    """Export the averaged weights of a run.

    Args:
        recipe: As saved with the run.
        path: An .onnx file, checked against torch, or a .safetensors file.
        checkpoint_name: Which of the run's checkpoints.
        card: Where a model card goes; None writes none.
        blend: An exported network of the same kind and the share of its weights; see `start.blend_with`.

    Raises:
        ConfigError: The share is none.
        OutputError: A file cannot be written.
        TrainingError: No checkpoint, one of another architecture, or an export that differs from torch.
    """
    task = make_task(recipe.task, seed=recipe.trainer.seed)
    trainer = Trainer(
        task, recipe.trainer, settings=dataclasses.asdict(recipe.task), checkpoint_name=checkpoint_name
    )
    network = trainer.average.network
    if blend:
        blend_with(network, *blend, export=task.export)
    if path.suffix == ".safetensors":
        save_weights(network, path, about={"task": task.name, "steps": str(trainer.num_steps)})
    else:
        task.export(network, path)
    if card:
        text = model_card(
            task.name, recipe, run=recipe.trainer.run, num_steps=trainer.num_steps,
            parameters=sum(p.numel() for p in network.parameters()), blend=blend,
        )  # fmt: skip
        card.write_text(text, encoding="utf-8")
