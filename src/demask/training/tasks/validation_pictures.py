"""Grids of pictures to look at, and how far a picture is from its truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from demask.training.models.ranges import to_pixels
from demask.types import ImageU8


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
