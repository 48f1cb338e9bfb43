"""What every training on the covered faces of a data set shares: pictures, their way to tensors, scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from demask.errors import ConfigError
from demask.geometry import FRAME_PX
from demask.training.data.covered_crops import CoveredFaces
from demask.training.data.loading import numbered_batches
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine.task import Batch, Share, Task
from demask.training.models.ranges import channels_first, to_model_range, to_pixels
from demask.types import ImageU8


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


def grid(columns: Sequence[Tensor]) -> ImageU8:
    """Lay out columns of pictures side by side, a picture a row.

    Args:
        columns: Each [B, 3, H, W] in [-1, 1].

    Returns:
        uint8 RGB [B * H, len(columns) * W, 3].
    """
    pictures = [to_pixels(column).permute(0, 2, 3, 1).cpu().numpy() for column in columns]
    rows = [np.concatenate(row, axis=1) for row in zip(*pictures, strict=True)]
    return np.concatenate(rows, axis=0)


def wide_grid(columns: Sequence[Tensor], *, across: int = 2) -> ImageU8:
    """As `grid`, but with the rows folded `across` times, to fit a screen."""
    parts = [grid([column[i::across] for column in columns]) for i in range(across)]
    height = min(part.shape[0] for part in parts)
    return np.concatenate([part[:height] for part in parts], axis=1)


def num_shown(validation_faces: int) -> int:
    """How many of them a sample picture shows: 16, fewer where a training is judged by fewer, at least 2."""
    return max(2, min(16, validation_faces))


def as_grey(values: Tensor) -> Tensor:
    """A map in [0, 1], [B, 1, H, W], as a grey picture in [-1, 1], [B, 3, H, W]."""
    return values.expand(-1, 3, -1, -1).float() * 2 - 1


def blanked(picture: Tensor, hole: Tensor) -> Tensor:
    """A picture with its hole in mid-grey, as the restorer sees it."""
    return torch.where(hole > 0.5, torch.zeros_like(picture), picture)


def psnr_each(picture: Tensor, face: Tensor, counted: Tensor) -> Tensor:
    """PSNR of each picture on its counted pixels, in dB, [B]; at most 78 dB.

    Args:
        picture: [B, 3, H, W] in [-1, 1].
        face: The truth, same shape.
        counted: 1 = counts, [B, 1, H, W].
    """
    error = ((picture - face) * 127.5).square() * counted
    per_picture = error.sum((1, 2, 3)) / (3 * counted.sum((1, 2, 3))).clamp_min(1)
    return 10 * torch.log10(255**2 / per_picture.clamp_min(1e-3))
