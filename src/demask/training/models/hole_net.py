"""The hole segmenter: which pixels of an aligned crop are covered. B batch, H x W pixels."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn import functional as F

from demask.training.models.layers import conv3
from demask.training.models.unet import UNet, UNetConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class HoleConfig:
    """How large the segmenter is; a fraction of the restorer, since outlines are easier than mouths."""

    body: UNetConfig = field(
        default_factory=lambda: UNetConfig(
            widths=(16, 32, 64, 160),
            encoder_blocks=(1, 1, 2),
            decoder_blocks=(1, 1, 1),
            mixer_blocks=2,
            num_heads=5,
        )
    )

    def build(self) -> HoleNet:
        """A fresh network."""
        return HoleNet(self)


class HoleNet(nn.Module):
    """U-Net over the crop; one logit a pixel."""

    def __init__(self, config: HoleConfig) -> None:
        super().__init__()
        self.body = UNet(config.body, in_channels=3)
        self.head = conv3(config.body.widths[0], 4)

    def forward(self, crop_BCHW: Tensor) -> Tensor:
        """Crop in [-1, 1], [B, 3, H, W], to logits of being covered, [B, 1, H, W]."""
        features, _ = self.body(crop_BCHW)
        return F.pixel_shuffle(self.head(F.relu(features)), 2)
