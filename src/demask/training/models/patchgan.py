"""The pix2pix discriminator: is each 70 px patch of this pair photographed or drawn? B batch, H x W pixels.

Isola, Zhu, Zhou & Efros 2017 (arXiv:1611.07004v3, sec. 3.2.2 and appendix 6.1.2, weights after 6.2).
Appendix 6.1 gives every convolution stride 2, but then a patch would be 94 px wide. It is 70 with
stride 1 in C512 and in the verdict, as in the authors' own code, and so it is here.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from demask.errors import ConfigError
from demask.training.models.unet256 import check_norm, draw_published_weights, norm_layer

WIDENING = (1, 2, 4, 8)  # C64-C128-C256-C512 at width 64.


@dataclass(frozen=True, kw_only=True, slots=True)
class PatchGanConfig:
    """The discriminator as published; 2,768,705 parameters with these defaults.

    Raises:
        ConfigError: An unknown norm, or no channels.
    """

    width: int = 64  # Channels of the first convolution.
    norm: str = "batch"  # "batch", "instance" or "none".
    in_channels: int = 6  # Of the masked picture and the face together.

    def __post_init__(self) -> None:
        check_norm(self.norm)
        if min(self.width, self.in_channels) < 1:
            raise ConfigError(
                f"width is {self.width} and in_channels {self.in_channels}; each must be at least 1"
            )

    def build(self) -> PatchGan:
        """A fresh network, its weights drawn from torch's own generator."""
        return PatchGan(self)


class PatchGan(nn.Module):
    """One logit for each of 30 x 30 overlapping patches of 70 x 70 px of a 256 px pair, 8 px apart.

    The sigmoid of the paper lives in the loss (`losses.conditional`): the log of a sigmoid is exact and
    finite for any logit when taken in one piece, and least squares and hinge want no sigmoid.

    With batch norm, give photographs and drawings in separate calls, as the authors do: in one batch each
    would be normalised by the other's statistics.
    """

    def __init__(self, config: PatchGanConfig) -> None:
        super().__init__()
        widths = [config.width * factor for factor in WIDENING]
        layers: list[nn.Module] = [
            nn.Conv2d(config.in_channels, widths[0], 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        for before, after in itertools.pairwise(widths):
            stride = 1 if after == widths[-1] else 2
            # Beside a norm a bias would be one shift too many.
            layers += [
                nn.Conv2d(before, after, 4, stride=stride, padding=1, bias=config.norm == "none"),
                norm_layer(config.norm, after),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        layers.append(nn.Conv2d(widths[-1], 1, 4, padding=1))
        self.layers = nn.Sequential(*layers)
        self.apply(draw_published_weights)

    def forward(self, masked_BCHW: Tensor, face_BCHW: Tensor) -> Tensor:
        """Judge faces, photographed or drawn, beside the masked pictures they belong to.

        Args:
            masked_BCHW: [B, 3, H, W] in [-1, 1], at least 24 px a side.
            face_BCHW: Same shape and range.

        Returns:
            Logits, [B, 1, H/8 - 2, W/8 - 2] for sides that are multiples of 8; high = photographed.
        """
        logits: Tensor = self.layers(torch.cat([masked_BCHW, face_BCHW], dim=1))
        return logits
