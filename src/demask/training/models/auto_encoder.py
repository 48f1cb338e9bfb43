"""Stacked denoising auto-encoders that restore a picture patch by patch, blind: no hole is given.

Xie, Xu & Chen 2012 ("Image denoising and inpainting with deep neural networks"), from memory: its body was not
at hand. Two auto-encoders, one in the other; sigmoids throughout; hidden layers five times as wide as a patch;
overlapping patches averaged. Ours: one set of weights serves the three colour channels, each alone.
B batch, C channels, H x W pixels, N patches, D values a patch.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from demask.errors import ConfigError
from demask.geometry import FRAME_PX

_SIGMOID_GAIN = 4.0
"""Glorot & Bengio 2010 (AISTATS, sec. 4.2.1): a sigmoid's slope at 0 is a quarter of the tangent's."""


class Denoised(NamedTuple):
    """What one auto-encoder makes of its input, all in (0, 1)."""

    hidden: Tensor  # [N, hidden]
    output: Tensor  # Shape of the input.


class DenoisingLayer(nn.Module):
    """One auto-encoder: h = s(W x + b), y = s(W' h + b'), s the sigmoid. W and W' are not tied."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(width, hidden), nn.Linear(hidden, width)
        for part in (self.encoder, self.decoder):
            nn.init.xavier_uniform_(part.weight, gain=_SIGMOID_GAIN)
            nn.init.zeros_(part.bias)

    def encode(self, x: Tensor) -> Tensor:
        """[..., width] to [..., hidden]."""
        return torch.sigmoid(self.encoder(x))

    def decode(self, hidden: Tensor) -> Tensor:
        """[..., hidden] to [..., width]."""
        return torch.sigmoid(self.decoder(hidden))

    def forward(self, x: Tensor) -> Denoised:
        """Encode and decode."""
        hidden = self.encode(x)
        return Denoised(hidden, self.decode(hidden))


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoEncoderConfig:
    """A stack and the patches it works on; 1,246,464 parameters with these defaults.

    Raises:
        ConfigError: Sizes that do not go together.
    """

    patch_px: int = 12  # Side of a patch.
    stride_px: int = 3  # From one patch to the next.
    picture_px: int = FRAME_PX  # Side of the picture that patches are cut from: the crop, averaged down.
    hidden_factor: float = 5.0  # Width of the hidden layers over the values of a patch.
    layers: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.stride_px <= self.patch_px <= self.picture_px:
            raise ConfigError(
                f"stride_px is {self.stride_px}, patch_px {self.patch_px} and picture_px {self.picture_px}; "
                "each is at least 1 and at most the next"
            )
        if FRAME_PX % self.picture_px:
            raise ConfigError(f"picture_px is {self.picture_px} but must divide {FRAME_PX}")
        if self.layers < 1 or self.hidden < 1:
            raise ConfigError(
                f"layers is {self.layers} and hidden_factor {self.hidden_factor}; there must be a hidden unit"
            )

    @property
    def hidden(self) -> int:
        """Units of each hidden layer."""
        return int(self.hidden_factor * self.patch_px**2)

    def build(self) -> AutoEncoderNet:
        """A fresh network, its weights drawn from torch's own generator."""
        return AutoEncoderNet(self)


class AutoEncoderNet(nn.Module):
    """The stack: encoders inwards, decoders outwards, applied to every patch of a picture."""

    def __init__(self, config: AutoEncoderConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.patch_px**2, *[config.hidden] * config.layers]
        self.layers = nn.ModuleList(DenoisingLayer(a, b) for a, b in itertools.pairwise(widths))

    @property
    def stack(self) -> list[DenoisingLayer]:
        """The auto-encoders from the outside in."""
        return [layer for layer in self.layers if isinstance(layer, DenoisingLayer)]

    def restore(self, patches: Tensor) -> Tensor:
        """Patches through the whole stack: [..., D] in [0, 1] to the same in (0, 1)."""
        for layer in self.stack:
            patches = layer.encode(patches)
        for layer in reversed(self.stack):
            patches = layer.decode(patches)
        return patches

    def small(self, picture_BCHW: Tensor) -> Tensor:
        """Average a frame crop down to the side that patches are cut from."""
        factor = picture_BCHW.shape[-1] // self.config.picture_px
        return F.avg_pool2d(picture_BCHW, factor) if factor > 1 else picture_BCHW

    def forward(self, masked_BCHW: Tensor) -> Tensor:
        """Restore whole pictures, in [-1, 1]; shape kept.

        Args:
            masked_BCHW: Frame crops in [-1, 1], [B, 3, 256, 256].
        """
        config = self.config
        patch, stride, side = config.patch_px, config.stride_px, config.picture_px
        small = self.small(masked_BCHW).reshape(-1, 1, side, side) / 2 + 0.5
        # As many pixels are repeated around the picture as it takes for patches to reach its last one.
        missing = math.ceil((side - patch) / stride) * stride + patch - side
        before, after = missing // 2, missing - missing // 2
        if missing:
            small = F.pad(small, (before, after, before, after), mode="replicate")

        # Cut out, restore, put together: each pixel is the mean of the patches that hold it.
        patches = F.unfold(small, patch, stride=stride).transpose(1, 2)  # [3 B, N, D]
        restored = self.restore(patches).transpose(1, 2)
        whole = (side + missing, side + missing)
        summed = F.fold(restored, whole, patch, stride=stride)
        times = F.fold(torch.ones_like(restored[:1]), whole, patch, stride=stride)
        mean = (summed / times)[:, :, before : before + side, before : before + side]
        picture = mean.reshape(-1, 3, side, side)
        if side < FRAME_PX:
            picture = F.interpolate(picture, size=(FRAME_PX, FRAME_PX), mode="bilinear", align_corners=False)
        return picture * 2 - 1


def random_patches(picture: Tensor, other: Tensor, *, count: int, side_px: int) -> tuple[Tensor, Tensor]:
    """The same random patches of two pictures, each colour channel a patch of its own.

    Draws from torch's global generator, which the trainer seeds at every step.

    Args:
        picture: [B, C, H, W].
        other: Same shape.
        count: Patches of each picture and channel.
        side_px: Of a patch.

    Returns:
        Two of [B * count * C, side * side].
    """
    height, width = picture.shape[-2:]
    tops = torch.randint(0, height - side_px + 1, (len(picture), count)).tolist()
    lefts = torch.randint(0, width - side_px + 1, (len(picture), count)).tolist()
    cut_out: list[list[Tensor]] = [[], []]
    for number, (rows, columns) in enumerate(zip(tops, lefts, strict=True)):
        for top, left in zip(rows, columns, strict=True):
            for kept, source in zip(cut_out, (picture, other), strict=True):
                kept.append(source[number, :, top : top + side_px, left : left + side_px].flatten(1))
    first, second = (torch.cat(kept) for kept in cut_out)
    return first, second
