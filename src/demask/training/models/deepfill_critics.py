"""The critics of DeepFill v1 and v2. B batch, H x W pixels.

v1: Yu et al. 2018 (arXiv:1801.07892), a global and a local Wasserstein critic. v2: Yu et al. 2019
(arXiv:1806.03589), SN-PatchGAN. Layers by the authors' own code (`inpaint_model.py`).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from demask.training.models.deepfill_layers import SameConv2d

_GLOBAL, _LOCAL = (1, 2, 4, 4), (1, 2, 4, 8)
_PATCHES = (1, 2, 4, 4, 4, 4)


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
