"""What every training on the covered faces of a data set shares: its pictures, and their way to tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from demask.training.data.covered_faces import CoveredFaces, FacesConfig, batches
from demask.training.engine.task import Batch, Share, Task
from demask.training.models.ranges import channels_first, to_model_range


class FacesTask(Task):
    """A task whose batches are covered faces: those of the training split, judged on the validation split.

    Raises:
        DatasetError: The data set has no face in one of the two splits.
    """

    def open_faces(self, config: FacesConfig, *, batch_size: int) -> None:
        """Open both splits; a task calls it once, when it is made."""
        self.batch_size = batch_size
        self.train_faces = CoveredFaces(config, split="train")
        self.val_faces = CoveredFaces(config, split="val")

    def batches(self, *, start_step: int, num_steps: int, share: Share) -> Iterator[Batch]:
        """Faces of the training split, drawn by number."""
        numbers = share.numbers(batch_size=self.batch_size, start_step=start_step, num_steps=num_steps)
        return batches(self.train_faces, numbers=numbers, batch_size=self.batch_size // share.of)


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
