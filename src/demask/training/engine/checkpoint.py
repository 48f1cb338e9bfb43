"""A run's state in one file, written under a temporary name, so a killed run keeps its last good one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from demask.atomic import replacing
from demask.errors import TrainingError

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
