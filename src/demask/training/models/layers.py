"""The bricks our networks share. Shapes: B batch, C channels, H x W pixels, N tokens."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv3(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution that keeps (or, with stride 2, halves) the resolution."""
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)


class ResidualBlock(nn.Module):
    """Pre-activation residual block: x + conv(act(conv(act(norm(x))))) (He et al. 2016, arXiv:1603.05027).

    One group norm a block instead of two: on a CPU the norms cost as much as the convolutions.
    The last convolution starts at zero, so a fresh block passes its input on.
    """

    def __init__(self, in_channels: int, out_channels: int, *, groups: int = 8) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, in_channels)
        self.first = conv3(in_channels, out_channels)
        self.second = conv3(out_channels, out_channels)
        self.skip = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] to [B, out, H, W]."""
        out: Tensor = self.second(F.relu(self.first(F.relu(self.norm(x)))))
        skipped: Tensor = self.skip(x)
        return skipped + out


class TransformerBlock(nn.Module):
    """Pre-norm transformer block (Vaswani et al. 2017, arXiv:1706.03762; pre-norm after arXiv:2002.04745).

    Global context at low resolution: every 16 px cell sees the whole face, so the two halves of a
    mouth agree and a lit cheek tells the light on the other.
    """

    def __init__(self, dim: int, *, num_heads: int, mlp_ratio: float = 3.0) -> None:
        super().__init__()
        hidden = int(dim * mlp_ratio)
        self.num_heads = num_heads
        self.norm_attention = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.merge = nn.Linear(dim, dim)
        self.norm_mlp = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, hidden)
        self.narrow = nn.Linear(hidden, dim)
        nn.init.zeros_(self.merge.weight)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, tokens_BNC: Tensor) -> Tensor:
        """Mix tokens; same shape."""
        B, N, C = tokens_BNC.shape
        qkv = self.qkv(self.norm_attention(tokens_BNC))
        q, k, v = qkv.reshape(B, N, 3, self.num_heads, C // self.num_heads).permute(2, 0, 3, 1, 4)
        # Written out: at 256 tokens on a CPU the fused kernel takes more than twice as long, there and back.
        attention = torch.softmax((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1), dim=-1)
        mixed = (attention @ v).transpose(1, 2).reshape(B, N, C)
        tokens_BNC = tokens_BNC + self.merge(mixed)
        update: Tensor = self.narrow(F.gelu(self.widen(self.norm_mlp(tokens_BNC)), approximate="tanh"))
        return tokens_BNC + update


class TokenMixer(nn.Module):
    """A stack of transformer blocks over the cells of a feature map, with learned places.

    Places are learnt for the cells of the whole frame. A map of fewer cells shows its middle as to columns
    and its upper part as to rows, as `geometry.TIGHT` lies in `geometry.WIDE`: half of the columns that are
    missing are missing at each side, and a quarter of the rows above.

    Args:
        dim: Channels.
        side: Cells along a side of the largest map.
        num_blocks: Transformer blocks.
        num_heads: Of each.
    """

    def __init__(self, dim: int, *, side: int, num_blocks: int, num_heads: int) -> None:
        super().__init__()
        self.side = side
        self.place = nn.Parameter(0.02 * torch.randn(1, side * side, dim))
        self.blocks = nn.ModuleList(TransformerBlock(dim, num_heads=num_heads) for _ in range(num_blocks))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W], at most `side` each, to the same shape."""
        B, C, H, W = x.shape
        tokens = x.permute(0, 2, 3, 1).reshape(B, H * W, C) + self.places(H, W)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens.reshape(B, H, W, C).permute(0, 3, 1, 2)

    def places(self, height: int, width: int) -> Tensor:
        """What is added to the tokens of a map of these cells, [1, H * W, C]."""
        top, left = (self.side - height) // 4, (self.side - width) // 2
        grid = self.place.reshape(self.side, self.side, -1)
        return grid[top : top + height, left : left + width].reshape(1, height * width, -1)

    def spread(self, known: Tensor) -> Tensor:
        """Places of a mixer that knows fewer cells, [1, n * n, C], for this one; further out, the nearest's."""
        side = math.isqrt(known.shape[1])
        top, left = (self.side - side) // 4, (self.side - side) // 2
        rows, columns = ((torch.arange(self.side) - start).clamp(0, side - 1) for start in (top, left))
        return known.reshape(side, side, -1)[rows][:, columns].reshape(1, self.side**2, -1)


class Upsample(nn.Module):
    """Double the resolution: a 1x1 convolution to the new width, then nearest neighbour."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] to [B, out, 2H, 2W]."""
        return F.interpolate(self.project(x), scale_factor=2.0, mode="nearest")
