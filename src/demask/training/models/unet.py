"""The body that the restorer and the hole segmenter share: a U-Net with a transformer at its bottom.

U-Net: Ronneberger et al. 2015 (arXiv:1505.04597). Pixels are folded into channels at the stem and
unfolded at the head (pixel shuffle, Shi et al. 2016, arXiv:1609.05158), so no convolution runs at
full resolution. Shapes: B batch, C channels, H x W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from demask.geometry import WIDE
from demask.training.models.layers import ResidualBlock, TokenMixer, Upsample, conv3


@dataclass(frozen=True, kw_only=True, slots=True)
class UNetConfig:
    """Widths and depths; the defaults are the restorer's."""

    widths: tuple[int, ...] = (32, 64, 128, 320)  # Channels at 1/2, 1/4, 1/8, 1/16 of the picture's side.
    encoder_blocks: tuple[int, ...] = (1, 1, 1)  # Residual blocks per level above the bottom.
    decoder_blocks: tuple[int, ...] = (1, 1, 1)
    mixer_blocks: int = 4  # Transformer blocks at the bottom.
    num_heads: int = 5
    picture_px: int = WIDE.side_px  # Side of the largest picture; a multiple of 2**len(widths).


class UNet(nn.Module):
    """Features at half resolution for every pixel, and the bottom's own view of the whole."""

    def __init__(self, config: UNetConfig, *, in_channels: int) -> None:
        super().__init__()
        self.picture_px = config.picture_px
        widths = config.widths
        levels = len(widths) - 1
        self.stem = conv3(4 * in_channels, widths[0])
        self.encoders, self.downs, self.ups, self.decoders = (nn.ModuleList() for _ in range(4))
        for level in range(levels):
            wide = widths[level]
            self.encoders.append(
                nn.Sequential(*(ResidualBlock(wide, wide) for _ in range(config.encoder_blocks[level])))
            )
            self.downs.append(conv3(wide, widths[level + 1], stride=2))
            self.ups.append(Upsample(widths[level + 1], wide))
            blocks = [ResidualBlock(2 * wide, wide)]
            blocks += [ResidualBlock(wide, wide) for _ in range(config.decoder_blocks[level] - 1)]
            self.decoders.append(nn.Sequential(*blocks))
        self.mixer = TokenMixer(
            widths[-1],
            side=config.picture_px // 2 ** len(widths),
            num_blocks=config.mixer_blocks,
            num_heads=config.num_heads,
        )

    def forward(self, picture_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return features [B, widths[0], H/2, W/2] and the bottom [B, widths[-1], H/2**n, W/2**n]."""
        x = self.stem(F.pixel_unshuffle(picture_BCHW, 2))
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = down(x)
        bottom = x = self.mixer(x)
        for level in reversed(range(len(skips))):
            x = self.decoders[level](torch.cat([self.ups[level](x), skips[level]], dim=1))
        return x, bottom


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
