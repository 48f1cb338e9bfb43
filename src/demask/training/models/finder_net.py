"""The face finder: score, box and five points for every cell of three grids, no anchors.

A point detector in the manner of FCOS (Tian et al. 2019, arXiv:1904.01355, sec. 3.1-3.2), small like
YuNet (Wu, Peng and Yu, Machine Intelligence Research 20, 2023). Plain convolutions where channels are
few, depthwise-separable ones (arXiv:1704.04861, sec. 3.1) below; a top-down neck (arXiv:1612.03144).
Shapes: B batch, C channels, H x W pixels, N cells of all grids, level after level, row by row.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from demask.training.models.ranges import channels_first, to_model_range

STRIDES = (8, 16, 32)
"""Pixels between neighbouring cells, per grid; a photo's sides must be multiples of the last."""

NUM_CHANNELS = 1 + 4 + 10
"""Per cell: score logit, box (centre shift, log size), five point shifts."""

# A box of this many strides is what a size of zero means: the middle of what a grid is asked to find.
_SIZE_UNIT_STRIDES = 4.0
_PRIOR_LOGIT = -4.6  # One cell in a hundred: the start of arXiv:1708.02002, sec. 4.1.


class Found(NamedTuple):
    """Every cell's opinion, in pixels of the photo."""

    boxes: Tensor  # [..., N, 4] as (x0, y0, x1, y1)
    points: Tensor  # [..., N, 5, 2]
    scores: Tensor  # [..., N] in [0, 1]


@dataclass(frozen=True, kw_only=True, slots=True)
class FinderNetConfig:
    """How large the finder is; the defaults give about 0.9 MB of float32 weights."""

    stem_channels: tuple[int, int] = (16, 32)  # At 1/2 and 1/4 of the photo's side.
    widths: tuple[int, int, int] = (64, 96, 128)  # At 1/8, 1/16 and 1/32.
    blocks: tuple[int, int, int] = (3, 3, 3)  # Residual blocks at each of them.
    neck_channels: int = 64

    def build(self) -> FinderNet:
        """A fresh network."""
        return FinderNet(self)


def _conv_norm(
    in_channels: int, out_channels: int, *, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels))


class Separable(nn.Module):
    """Depthwise then pointwise convolution, with a skip where the shape stays."""

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = _conv_norm(in_channels, in_channels, kernel=kernel, stride=stride, groups=in_channels)
        self.pointwise = _conv_norm(in_channels, out_channels, kernel=1)
        self.has_skip = in_channels == out_channels and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] to [B, out, H / stride, W / stride]."""
        out: Tensor = self.pointwise(F.relu(self.depthwise(x)))
        return F.relu(x + out if self.has_skip else out)


class FinderNet(nn.Module):
    """Backbone, neck and one small head per grid."""

    def __init__(self, config: FinderNetConfig) -> None:
        super().__init__()
        half, quarter = config.stem_channels
        widths, neck = config.widths, config.neck_channels
        self.stem = nn.Sequential(
            _conv_norm(3, half, kernel=3, stride=2),
            nn.ReLU(),
            _conv_norm(half, quarter, kernel=3, stride=2),
            nn.ReLU(),
            Separable(quarter, quarter),
        )
        # The first grid comes by a plain convolution: here it is cheaper than what depthwise saves.
        first = nn.Sequential(_conv_norm(quarter, widths[0], kernel=3, stride=2), nn.ReLU())
        first.extend(Separable(widths[0], widths[0]) for _ in range(config.blocks[0]))
        stages = [first]
        for level in (1, 2):
            stage = nn.Sequential(Separable(widths[level - 1], widths[level], stride=2))
            # 5 px kernels widen the view at little cost where a face may span the whole photo.
            stage.extend(Separable(widths[level], widths[level], kernel=5) for _ in range(config.blocks[level]))
            stages.append(stage)
        self.stages = nn.ModuleList(stages)
        self.laterals = nn.ModuleList(_conv_norm(width, neck, kernel=1) for width in widths)
        self.smooths = nn.ModuleList(Separable(neck, neck) for _ in widths)
        self.heads = nn.ModuleList(
            nn.Sequential(Separable(neck, neck), nn.Conv2d(neck, NUM_CHANNELS, 1)) for _ in widths
        )
        for head in self.heads:
            final = head.get_submodule("1")
            assert isinstance(final, nn.Conv2d)
            assert final.bias is not None
            nn.init.normal_(final.weight, std=0.01)
            nn.init.zeros_(final.bias)
            with torch.no_grad():
                final.bias[0] = _PRIOR_LOGIT

    def forward(self, photo_BCHW: Tensor) -> Tensor:
        """Look at photos in [-1, 1], [B, 3, H, W], H and W multiples of 32; raw channels [B, N, 15]."""
        x = self.stem(photo_BCHW)
        features = []
        for stage, lateral in zip(self.stages, self.laterals, strict=True):
            x = stage(x)
            features.append(lateral(x))
        for level in (1, 0):
            features[level] = features[level] + F.interpolate(
                features[level + 1], scale_factor=2.0, mode="nearest"
            )
        raw = [
            head(smooth(F.relu(feature))).flatten(2)
            for head, smooth, feature in zip(self.heads, self.smooths, features, strict=True)
        ]
        return torch.cat(raw, dim=2).transpose(1, 2)


def cells(height: int, width: int, *, device: torch.device | None = None) -> Tensor:
    """Centre and stride of every cell, in the network's order.

    Args:
        height: Of the photo, a multiple of 32.
        width: Likewise.
        device: Where the result lies.

    Returns:
        float32 [N, 3] as (x, y, stride) in pixels; pixel centres are at whole numbers.
    """
    grids = []
    for stride in STRIDES:
        y = torch.arange(height // stride, device=device, dtype=torch.float32)[:, None]
        x = torch.arange(width // stride, device=device, dtype=torch.float32)[None, :]
        shape = (height // stride, width // stride)
        centre = (stride - 1) / 2
        grid = torch.stack(
            [
                (x * stride + centre).expand(shape),
                (y * stride + centre).expand(shape),
                torch.full(shape, float(stride), device=device),
            ],
            dim=-1,
        )
        grids.append(grid.reshape(-1, 3))
    return torch.cat(grids)


def decode(raw: Tensor, cells_N3: Tensor) -> Found:
    """Turn raw channels [..., N, 15] into boxes, points and scores in pixels of the photo."""
    stride = cells_N3[:, 2:]
    origin = cells_N3[:, :2]
    raw = raw.float()
    centre = origin + raw[..., 1:3] * stride
    # Far-off sizes of an untrained network must not overflow; e^4 strides are wider than any photo we take.
    half = torch.exp(raw[..., 3:5].clamp(-4.0, 4.0)) * stride * (_SIZE_UNIT_STRIDES / 2)
    points = origin[:, None, :] + raw[..., 5:].unflatten(-1, (5, 2)) * stride[:, None, :]
    return Found(torch.cat([centre - half, centre + half], dim=-1), points, torch.sigmoid(raw[..., 0]))


class FinderGraph(nn.Module):
    """What is exported: uint8 photo in, decoded cells out, ranges and grids inside.

    Batch norms are folded into the convolutions before them, so the runtime never sees them.
    """

    def __init__(self, network: FinderNet) -> None:
        super().__init__()
        self.network = fold_norms(network)

    def forward(self, photo: Tensor) -> Found:
        """[1, H, W, 3] uint8 RGB to boxes [N, 4], points [N, 5, 2] and scores [N]."""
        raw = self.network(to_model_range(channels_first(photo)))[0]
        return decode(raw, cells(photo.shape[1], photo.shape[2], device=photo.device))


def fold_norms(network: FinderNet) -> FinderNet:
    """A copy in evaluation mode whose batch norms are part of the convolutions (same output)."""
    folded = copy.deepcopy(network).eval()
    for module in folded.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for index in range(len(module) - 1):
            conv, norm = module[index], module[index + 1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[index] = fuse_conv_bn_eval(conv, norm)
                module[index + 1] = nn.Identity()
    return folded
