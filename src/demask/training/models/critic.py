"""A patch critic: is this part of the face photographed or drawn? B batch, H x W pixels."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


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
