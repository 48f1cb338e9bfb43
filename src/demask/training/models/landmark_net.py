"""The landmark network: 468 FaceMesh points of an aligned crop, small and differentiable. B batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from demask.faces.landmarks import NUM_LANDMARKS, mean_shape
from demask.geometry import FRAME_PX

_STEP_PX = 10.0  # An output of 1 moves a point this far: keeps weights and gradients of order 1.


@dataclass(frozen=True, kw_only=True, slots=True)
class LandmarksConfig:
    """How large the network is; the default weighs about 1.3 MB in float16."""

    widths: tuple[int, int, int, int] = (24, 48, 96, 128)  # At 64, 32, 16 and 8 px.
    blocks: tuple[int, int, int, int] = (0, 1, 2, 2)
    squeezed: int = 24  # Channels that each of the 8 x 8 places keeps for the last layers.
    hidden: int = 128

    def build(self) -> LandmarkNet:
        """A fresh network."""
        return LandmarkNet(self)


class _Norm(nn.Module):
    """Group norm (Wu & He 2018, arXiv:1803.08494); scale and shift keep their names through an export."""

    def __init__(self, groups: int, width: int) -> None:
        super().__init__()
        self.groups = groups
        self.scale = nn.Parameter(torch.ones(width, 1, 1))
        self.shift = nn.Parameter(torch.zeros(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, self.groups) * self.scale + self.shift


class _Block(nn.Module):
    """Depthwise 5x5, then two 1x1, with a shortcut: MobileNetV2's parts in ConvNeXt's order.

    Sandler et al. 2018 (arXiv:1801.04381, sec. 3); Liu et al. 2022 (arXiv:2201.03545, sec. 2.6).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.norm = _Norm(1, width)
        self.wide = nn.Conv2d(width, 2 * width, 1)
        self.narrow = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.narrow(F.relu(self.wide(self.norm(self.around(x)))))
        return x + change


class LandmarkNet(nn.Module):
    """Convolutions down to 8 x 8 places, then two linear layers to offsets from the mean shape."""

    mean: Tensor

    def __init__(self, config: LandmarksConfig) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        before = 3
        for width, blocks in zip(config.widths, config.blocks, strict=True):
            stages += [nn.Conv2d(before, width, 3, stride=2, padding=1), _Norm(4, width), nn.ReLU()]
            stages += [_Block(width) for _ in range(blocks)]
            before = width
        self.body = nn.Sequential(*stages)
        self.squeeze = nn.Conv2d(before, config.squeezed, 1)
        self.hidden = nn.Linear(config.squeezed * 64, config.hidden)
        self.offsets = nn.Linear(config.hidden, NUM_LANDMARKS * 3)
        nn.init.normal_(self.offsets.weight, std=0.01)
        nn.init.zeros_(self.offsets.bias)
        self.register_buffer("mean", torch.from_numpy(mean_shape()).float(), persistent=False)

    def forward(self, crop_BCHW: Tensor) -> Tensor:
        """Crop in [-1, 1], [B, 3, 256, 256], to points in crop pixels, float32 [B, 468, 3].

        Half the crop's resolution is enough for points, and four times cheaper.
        """
        if crop_BCHW.shape[-2:] != (FRAME_PX, FRAME_PX):
            raise ValueError(f"got crops {tuple(crop_BCHW.shape)}; need [B, 3, {FRAME_PX}, {FRAME_PX}]")
        features = self.body(F.avg_pool2d(crop_BCHW, 2))
        offsets: Tensor = self.offsets(F.relu(self.hidden(F.relu(self.squeeze(features)).flatten(1))))
        points: Tensor = self.mean + _STEP_PX * offsets.float().unflatten(1, (NUM_LANDMARKS, 3))
        return points
