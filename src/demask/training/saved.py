"""The recipe of a run, read back from the `config.json` in its folder."""

from __future__ import annotations

import json
from pathlib import Path

from demask import settings
from demask.errors import ConfigError, TrainingError
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.tasks.register import Recipe, trainings


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
