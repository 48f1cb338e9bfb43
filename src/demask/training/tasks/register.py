"""Which trainings there are. The file of a task registers it, once; nothing else names it."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from demask.errors import ConfigError
from demask.training.engine.task import Task
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.engine.update import seed_of
from demask.weights import registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One network's training, ready to run."""

    task: Any  # The task's config dataclass.
    trainer: TrainerConfig


MakeRecipe = Callable[[Path, Path, Path | None], Recipe]
"""From the folders of the shards, of the run and (or None) of pictures without faces."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """Everything that is known about one task.

    Attributes:
        task: Made from its config.
        config: The dataclass of its settings; no other task has it.
        recipes: Complete settings by name; the docstring's first line says what for.
        does: What the network does, as in "A network that ...".
        invents: Whether it draws faces.
    """

    task: type[Task]
    config: type[Any]
    recipes: Mapping[str, MakeRecipe]
    does: str
    invents: bool = False


_REGISTERED: dict[str, Training] = {}


def register(training: Training) -> None:
    """Make a task known under its name; called at the end of its file."""
    _REGISTERED[training.task.name] = training


def trainings() -> dict[str, Training]:
    """Every task of this room by its name; a file `*_task.py` is all that a new one needs."""
    import demask.training.tasks as room

    for module in pkgutil.iter_modules(room.__path__):
        if module.name.endswith("_task"):
            importlib.import_module(f"{room.__name__}.{module.name}")
    return dict(sorted(_REGISTERED.items()))


def recipes() -> dict[str, MakeRecipe]:
    """Every recipe of every task by its name."""
    return {name: make for training in trainings().values() for name, make in training.recipes.items()}


def recipe_named(name: str) -> MakeRecipe:
    """A recipe by its name.

    Raises:
        ConfigError: There is none; the nearest is named.
    """
    known = recipes()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise ConfigError(f"no recipe {name!r}; {hint}")
    return known[name]


def make_task(config: Any, *, seed: int = 0) -> Task:
    """The task that a config belongs to, its networks' first weights drawn from a seed.

    Raises:
        ConfigError: The config is no task's.
    """
    known = trainings()
    of_config = {training.config: training.task for training in known.values()}
    if type(config) not in of_config:
        raise ConfigError(f"{type(config).__name__} is no task's config; tasks are {', '.join(known)}")
    torch.manual_seed(seed_of(seed, -1))
    make: Callable[[Any], Task] = of_config[type(config)]
    return make(config)


def weights_if_here(name: str) -> Path | None:
    """A file of the weights' registry if it is on this machine, for terms that a recipe has where it can."""
    return registry.find(name) if registry.locate(name) else None
