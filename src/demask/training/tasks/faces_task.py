"""What every training on the covered faces of a data set shares: its pictures, and their way to tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from demask.errors import ConfigError
from demask.geometry import FRAME_PX
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

    Raises:
        ConfigError: The wide window is asked for, and the task's network takes tight crops only.
    """

    takes_wide: ClassVar[bool] = False

    def __init__(self, faces: FacesConfig, *, batch_size: int) -> None:
        if faces.wide_fraction and not self.takes_wide:
            raise ConfigError(
                f"wide_fraction is {faces.wide_fraction}, but {self.name} takes crops of {FRAME_PX} px only; "
                "leave it 0"
            )
        self.faces, self.batch_size = faces, batch_size

    @cached_property
    def train_faces(self) -> CoveredFaces:
        """The faces to learn from, opened when first asked for; DatasetError where there are none."""
        return CoveredFaces(self.faces, split="train", group=self.batch_size)

    @cached_property
    def val_faces(self) -> CoveredFaces:
        """Other people's faces in the tight window, to judge by; DatasetError where there are none."""
        return CoveredFaces(dataclasses.replace(self.faces, wide_fraction=0.0), split="val")

    @cached_property
    def wide_val_faces(self) -> CoveredFaces | None:
        """The same in the wide window, where training shows it; None elsewhere."""
        if not self.faces.wide_fraction:
            return None
        return CoveredFaces(dataclasses.replace(self.faces, wide_fraction=1.0), split="val")

    def prepare(self) -> None:
        """Open both splits: a data set that lacks one is told before the first step."""
        _ = self.train_faces, self.val_faces, self.wide_val_faces

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

    def resized(self, side_px: int) -> Tensors:
        """Averaged down to a side that divides their own.

        A pixel is a hole if any part of it is, valid if every part is. Half the side is a quarter of the
        work; networks begin there and go on at full size.
        """
        factor = self.face.shape[-1] // side_px
        if factor == 1:
            return self
        return Tensors(
            masked=F.avg_pool2d(self.masked, factor),
            face=F.avg_pool2d(self.face, factor),
            hole=F.max_pool2d(self.hole, factor),
            valid=-F.max_pool2d(-self.valid, factor),
        )


def check_side(side_px: int, *, multiple_of: int) -> None:
    """Refuse a side that pictures cannot be averaged down to, or that a network cannot halve often enough.

    Raises:
        ConfigError: The side does not divide 256, or is no multiple of what the network needs.
    """
    if side_px < 1 or FRAME_PX % side_px or side_px % multiple_of:
        raise ConfigError(
            f"side_px is {side_px} but must divide {FRAME_PX} and be a multiple of {multiple_of} for this "
            f"network; choose {FRAME_PX} or {FRAME_PX // 2}"
        )


def enlarged(picture: Tensor) -> Tensor:
    """Bring pictures to the size of the frame, [B, C, 256, 256], which networks of frame crops know."""
    if picture.shape[-1] == FRAME_PX:
        return picture
    return F.interpolate(picture, size=(FRAME_PX, FRAME_PX), mode="bilinear", align_corners=False)
