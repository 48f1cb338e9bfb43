"""What every training on the covered faces of a data set shares: its pictures, and their way to tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from demask.training.data.covered_faces import CoveredFaces
from demask.training.data.faces_config import FacesConfig
from demask.training.data.loading import numbered_batches
from demask.training.engine.task import Batch, Share, Task
from demask.training.models.ranges import channels_first, to_model_range


class FacesTask(Task):
    """A task whose batches are covered faces: those of the training split, judged on the validation split.

    Args:
        faces: Which, and how they are varied.
        batch_size: Faces a step.
    """

    def __init__(self, faces: FacesConfig, *, batch_size: int) -> None:
        self.faces, self.batch_size = faces, batch_size

    @cached_property
    def train_faces(self) -> CoveredFaces:
        """The faces to learn from, opened when first asked for; DatasetError where there are none."""
        return CoveredFaces(self.faces, split="train")

    @cached_property
    def val_faces(self) -> CoveredFaces:
        """Other people's faces, to judge by; DatasetError where there are none."""
        return CoveredFaces(self.faces, split="val")

    def prepare(self) -> None:
        """Open both splits: a data set that lacks one is told before the first step."""
        _ = self.train_faces, self.val_faces

    def batches(self, *, start_step: int, num_steps: int, share: Share) -> Iterator[Batch]:
        """Faces of the training split, drawn by number."""
        numbers = share.numbers(batch_size=self.batch_size, start_step=start_step, num_steps=num_steps)
        return numbered_batches(
            self.train_faces,
            numbers=numbers,
            batch_size=self.batch_size // share.of,
            workers=self.faces.workers,
        )


class Tensors(NamedTuple):
    """A batch in model range, channels first."""

    masked: Tensor  # [B, 3, H, W] in [-1, 1]
    face: Tensor  # [B, 3, H, W] in [-1, 1]
    hole: Tensor  # [B, 1, H, W], 0 or 1
    valid: Tensor  # [B, 1, H, W], 0 or 1

    @classmethod
    def of(cls, batch: Mapping[str, Tensor], device: torch.device) -> Tensors:
        """Bring a batch of `CoveredFaces` to a device and to the networks' layout."""
        masked, face = (channels_first(to_model_range(batch[key].to(device))) for key in ("masked", "face"))
        hole, valid = (batch[key].to(device).float()[:, None] for key in ("hole", "valid"))
        return cls(masked, face, hole, valid)
