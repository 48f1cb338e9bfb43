"""The critics: is this part of the face photographed or drawn? B batch, H x W pixels.

The pix2pix discriminator: is each 70 px patch of this pair photographed or drawn? B batch, H x W pixels.
Isola, Zhu, Zhou & Efros 2017 (arXiv:1611.07004v3, sec. 3.2.2 and appendix 6.1.2, weights after 6.2).
Appendix 6.1 gives every convolution stride 2, but then a patch would be 94 px wide. It is 70 with
stride 1 in C512 and in the verdict, as in the authors' own code, and so it is here.

The critics of DeepFill v1 and v2. B batch, H x W pixels.
v1: Yu et al. 2018 (arXiv:1801.07892), a global and a local Wasserstein critic. v2: Yu et al. 2019
(arXiv:1806.03589), SN-PatchGAN. Layers by the authors' own code (`inpaint_model.py`).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from demask.errors import ConfigError
from demask.training.models.deepfill_layers import SameConv2d
from demask.training.models.unet256 import check_norm, draw_published_weights, norm_layer

WIDENING = (1, 2, 4, 8)  # C64-C128-C256-C512 at width 64.
_PATCHES = (1, 2, 4, 4, 4, 4)


class Opinion(NamedTuple):
    """What the critic says of a batch."""

    logits: Tensor  # [B, 1, h, w]; high = photographed
    features: list[Tensor]  # Hidden maps, for feature matching


class PatchCritic(nn.Module):
    """PatchGAN (Isola et al. 2017, arXiv:1611.07004, sec. 3.2.2) with spectral norm (arXiv:1802.05957).

    It sees the hole too, so that it looks for faults where there can be any (Yu et al. 2019,
    arXiv:1806.03589, sec. 3.3). Pixels are folded 2 x 2 into channels first, for speed.
    """

    def __init__(self, *, base_channels: int = 48, num_levels: int = 3) -> None:
        super().__init__()
        widths = [base_channels * 2**level for level in range(num_levels)]
        convs = [spectral_norm(nn.Conv2d(16, widths[0], 3, padding=1))]
        for before, after in itertools.pairwise(widths):
            convs.append(spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1)))
        convs.append(spectral_norm(nn.Conv2d(widths[-1], widths[-1], 3, padding=1)))
        self.convs = nn.ModuleList(convs)
        self.verdict = spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, face_BCHW: Tensor, hole_B1HW: Tensor) -> Opinion:
        """Judge faces in [-1, 1], [B, 3, H, W], with their holes, [B, 1, H, W]."""
        x = F.pixel_unshuffle(torch.cat([face_BCHW, hole_B1HW * 2 - 1], dim=1), 2)
        features = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
            features.append(x)
        return Opinion(self.verdict(x), features)


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


_GLOBAL, _LOCAL = (1, 2, 4, 4), (1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True, slots=True)
class WassersteinCriticsConfig:
    """v1's critics; 2,733,441 and 4,339,329 parameters for pictures of 256 px and windows of 128 px."""

    width: int = 64

    def build(self, *, side_px: int, window_px: int) -> WassersteinCritics:
        """Fresh critics for pictures of one size only: each ends in a dense layer."""
        return WassersteinCritics(self.width, side_px=side_px, window_px=window_px)


class WassersteinCritics(nn.Module):
    """Two critics of one picture: of the whole and of a window about the hole. They share nothing."""

    whole: nn.Sequential
    local: nn.Sequential

    def __init__(self, width: int, *, side_px: int, window_px: int) -> None:
        super().__init__()
        self.whole = _dense_critic([width * factor for factor in _GLOBAL], side_px)
        self.local = _dense_critic([width * factor for factor in _LOCAL], window_px)

    def forward(self, picture_BCHW: Tensor, window_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Judge pictures and their windows in [-1, 1]; one number each, [B, 1]; high = photographed."""
        return self.whole(picture_BCHW), self.local(window_BCHW)


@dataclass(frozen=True, kw_only=True, slots=True)
class SpectralPatchConfig:
    """v2's critic; 5,946,816 parameters."""

    width: int = 64

    def build(self) -> SpectralPatchCritic:
        """A fresh critic for pictures of any size."""
        return SpectralPatchCritic(self.width)


class SpectralPatchCritic(nn.Module):
    """Every cell and channel of the last map is an opinion of its own; the paper's "SN-PatchGAN"."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [4, *(width * factor for factor in _PATCHES)]
        self.layers = nn.Sequential()
        for before, after in itertools.pairwise(widths):
            self.layers.append(spectral_norm(SameConv2d(before, after, 5, stride=2)))
            self.layers.append(nn.LeakyReLU(0.2))

    def forward(self, picture_BCHW: Tensor, hole_B1HW: Tensor) -> Tensor:
        """Judge pictures in [-1, 1] with their holes; [B, 4 * width * H/64 * W/64]; high = photographed.

        H and W are multiples of 64.
        """
        opinions: Tensor = self.layers(torch.cat([picture_BCHW, hole_B1HW], dim=1))
        return opinions.flatten(1)


def _dense_critic(widths: list[int], side_px: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise([3, *widths]):
        layers += [SameConv2d(before, after, 5, stride=2), nn.LeakyReLU(0.2)]
    verdict = nn.Linear(widths[-1] * (side_px // 2 ** len(widths)) ** 2, 1)
    nn.init.xavier_uniform_(verdict.weight)
    nn.init.zeros_(verdict.bias)
    return nn.Sequential(*layers, nn.Flatten(), verdict)
