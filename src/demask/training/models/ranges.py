"""The one place where pixels change range: uint8 pictures [0, 255] and model values [-1, 1]."""

from __future__ import annotations

import torch
from torch import Tensor


def to_model_range(pixels: Tensor) -> Tensor:
    """Pixels 0..255 of any type to float32 in [-1, 1]; shape kept."""
    return pixels.float() / 127.5 - 1.0


def to_pixels(values: Tensor) -> Tensor:
    """Model values to uint8 pixels 0..255, clipped and rounded; shape kept."""
    return ((values.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)


def channels_first(pixels_BHWC: Tensor) -> Tensor:
    """[B, H, W, C] as pictures are stored to [B, C, H, W] as networks take them (a view)."""
    return pixels_BHWC.permute(0, 3, 1, 2)
