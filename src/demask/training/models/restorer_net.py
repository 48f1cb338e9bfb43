"""The restorer: a blanked crop and its hole in, a whole face out. B batch, H x W pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from demask.training.models.layers import conv3
from demask.training.models.unet import UNet, UNetConfig


class Restoration(NamedTuple):
    """What the restorer draws: the face, and the coarse face its bottom already sees."""

    prediction: Tensor  # [B, 3, H, W] in about [-1, 1]
    coarse: Tensor  # [B, 3, H/4, W/4], for deep supervision only


@dataclass(frozen=True, kw_only=True, slots=True)
class RestorerConfig:
    """How large the restorer is."""

    body: UNetConfig = field(default_factory=UNetConfig)

    def build(self) -> RestorerNet:
        """A fresh network."""
        return RestorerNet(self)


class RestorerNet(nn.Module):
    """U-Net over (blanked crop, hole); the hole's pixels are zeroed here, so a covering cannot leak in."""

    def __init__(self, config: RestorerConfig) -> None:
        super().__init__()
        self.body = UNet(config.body, in_channels=4)
        self.head = conv3(config.body.widths[0], 12)
        self.coarse_head = nn.Conv2d(config.body.widths[-1], 3 * 16, 1)

    def forward(self, masked_BCHW: Tensor, hole_B1HW: Tensor) -> Restoration:
        """Draw the whole face.

        Args:
            masked_BCHW: The crop in [-1, 1], [B, 3, H, W]; what the hole shows does not matter.
            hole_B1HW: 1 = to be filled, else 0, [B, 1, H, W].
        """
        blanked = masked_BCHW * (1 - hole_B1HW)
        features, bottom = self.body(torch.cat([blanked, hole_B1HW * 2 - 1], dim=1))
        prediction = F.pixel_shuffle(self.head(F.relu(features)), 2)
        coarse = F.pixel_shuffle(self.coarse_head(bottom), 4)
        return Restoration(prediction, coarse)
