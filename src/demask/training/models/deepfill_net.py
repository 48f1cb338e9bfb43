"""The generators of DeepFill v1 and v2: a coarse network, then one that refines with contextual attention.

v1: Yu et al. 2018 (arXiv:1801.07892). v2: Yu et al. 2019 (arXiv:1806.03589). Layers by the authors' own code
(github.com/JiahuiYu/generative_inpainting, `inpaint_model.py`; v1 in the branch v1.0.0). v2 is v1's plan with
48 instead of 32 channels and every convolution gated; beyond that it refines the picture alone, without the
hole beside it, and ends in a tanh where v1 clips. B batch, H x W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from demask.errors import ConfigError
from demask.training.models.deepfill_layers import FillConv, SameConv2d, contextual_attention

SIDES = 8
"""Both sides of a picture are multiples of this: two halvings, and the attention's own."""
_DILATIONS = (2, 4, 8, 16)


class Filled(NamedTuple):
    """What both stages draw of the whole picture, [B, 3, H, W] in [-1, 1]."""

    coarse: Tensor
    prediction: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class DeepFillConfig:
    """A generator; 3,601,542 parameters as v1 (width 32), 4,052,478 as v2 (width 48, gated).

    Raises:
        ConfigError: A width that cannot be halved as often as the plan does.
    """

    width: int  # Channels of the first convolution: 32 in v1, 48 in v2.
    gated: bool  # v2.

    def __post_init__(self) -> None:
        if self.width < 4 or self.width % 4:
            raise ConfigError(f"width is {self.width} but must be a multiple of 4")

    def build(self) -> DeepFillNet:
        """A fresh network, its weights drawn from torch's own generator."""
        return DeepFillNet(self)


class DeepFillNet(nn.Module):
    """Blanked picture and hole in, the whole picture out, twice; the module says where choices come from."""

    def __init__(self, config: DeepFillConfig) -> None:
        super().__init__()
        self.gated = config.gated
        c = config.width
        coarse = _Plan(5, gated=config.gated)
        coarse.add(c, kernel=5).add(2 * c, stride=2).add(2 * c)
        coarse.add(4 * c, stride=2).add(4 * c).add(4 * c).add_dilated(4 * c)
        self.coarse = coarse.add_drawing(c).built()

        seen = 3 if config.gated else 5
        convolution = _Plan(seen, gated=config.gated)
        convolution.add(c, kernel=5).add(c, stride=2).add(2 * c).add(2 * c, stride=2)
        self.convolution_branch = convolution.add(4 * c).add(4 * c).add_dilated(4 * c).built()
        before = _Plan(seen, gated=config.gated)
        before.add(c, kernel=5).add(c, stride=2).add(2 * c).add(4 * c, stride=2)
        self.before_attention = before.add(4 * c).add(4 * c, activation="relu").built()
        after = _Plan(before.channels, gated=config.gated)
        self.after_attention = after.add(4 * c).add(4 * c).built()
        merged = _Plan(convolution.channels + after.channels, gated=config.gated)
        self.merge = merged.add_drawing(c).built()

    def forward(self, masked_BCHW: Tensor, hole_B1HW: Tensor) -> Filled:
        """Draw the whole picture, coarse and refined.

        Args:
            masked_BCHW: The picture in [-1, 1], [B, 3, H, W]; what the hole shows does not matter. H and W
                are multiples of 8.
            hole_B1HW: 1 = to be filled, else 0, [B, 1, H, W].
        """
        blanked = masked_BCHW * (1 - hole_B1HW)
        told = [torch.ones_like(hole_B1HW), hole_B1HW]
        coarse = self._in_range(self.coarse(torch.cat([blanked, *told], dim=1)))

        pasted = coarse * hole_B1HW + blanked
        seen = pasted if self.gated else torch.cat([pasted, *told], dim=1)
        features = self.before_attention(seen)
        attended = contextual_attention(features, hole_B1HW[:, :, ::4, ::4])
        both = torch.cat([self.convolution_branch(seen), self.after_attention(attended)], dim=1)
        return Filled(coarse, self._in_range(self.merge(both)))

    def _in_range(self, drawn: Tensor) -> Tensor:
        return torch.tanh(drawn) if self.gated else drawn.clamp(-1, 1)


class _Plan:
    """Convolutions in a row, each taking what the one before passes on."""

    def __init__(self, in_channels: int, *, gated: bool) -> None:
        self.channels, self.gated = in_channels, gated
        self.layers: list[nn.Module] = []

    def add(
        self, channels: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1, activation: str = "elu"
    ) -> _Plan:
        """One more, with as many channels as the paper lists."""
        layer = FillConv(
            self.channels, channels, kernel, stride=stride, dilation=dilation,
            gated=self.gated, activation=activation,
        )  # fmt: skip
        self.layers.append(layer)
        self.channels = layer.out_channels
        return self

    def add_dilated(self, channels: int) -> _Plan:
        """Four whose taps lie ever further apart."""
        for dilation in _DILATIONS:
            self.add(channels, dilation=dilation)
        return self

    def add_drawing(self, c: int) -> _Plan:
        """From a quarter of the size to the picture, without its activation."""
        self.add(4 * c).add(4 * c)
        self.layers.append(nn.UpsamplingNearest2d(scale_factor=2))
        self.add(2 * c).add(2 * c)
        self.layers.append(nn.UpsamplingNearest2d(scale_factor=2))
        self.add(c).add(c // 2)
        self.layers.append(SameConv2d(self.channels, 3, 3))
        return self

    def built(self) -> nn.Sequential:
        """All of them."""
        return nn.Sequential(*self.layers)
