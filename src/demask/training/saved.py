"""The recipe of a run, read back from the `config.json` in its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from demask import settings
from demask.errors import ConfigError, TrainingError
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.recipes import Recipe
from demask.training.tasks.finder_task import FinderConfig
from demask.training.tasks.hole_task import HoleTaskConfig
from demask.training.tasks.landmarks_task import LandmarksTaskConfig
from demask.training.tasks.pix2pix_task import Pix2pixConfig
from demask.training.tasks.restorer_task import RestorerTaskConfig

TASKS: dict[str, type[Any]] = {
    "finder": FinderConfig,
    "hole": HoleTaskConfig,
    "restorer": RestorerTaskConfig,
    "landmarks": LandmarksTaskConfig,
    "pix2pix": Pix2pixConfig,
}


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
        task = settings.read(TASKS[name], saved["settings"])
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
