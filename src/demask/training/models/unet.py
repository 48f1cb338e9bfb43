"""The body that the restorer and the hole segmenter share: a U-Net with a transformer at its bottom.

U-Net: Ronneberger et al. 2015 (arXiv:1505.04597). Pixels are folded into channels at the stem and
unfolded at the head (pixel shuffle, Shi et al. 2016, arXiv:1609.05158), so no convolution runs at
full resolution. Shapes: B batch, C channels, H x W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

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
