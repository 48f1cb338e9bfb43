"""LPIPS with SqueezeNet as a loss (Zhang et al. 2018, arXiv:1801.03924, eq. 1; version 0.1 weights).

The backbone is SqueezeNet 1.1 (Iandola et al. 2016, arXiv:1602.07360, table 1), read at the seven
places the metric uses.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from demask.errors import WeightsError

_TAPS = ((0, 1), (2, 4), (5, 7), (8, 9), (10, 10), (11, 11), (12, 12))  # First and last layer of each part.
_FIRES = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128), 9: (256, 48, 192)}
_FIRES |= {10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256)}


class Fire(nn.Module):
    """Squeeze to few channels, then expand by 1x1 and 3x3 side by side (arXiv:1602.07360, sec. 3.2)."""

    def __init__(self, in_channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] to [B, 2 * expanded, H, W]."""
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], dim=1)


def _squeezenet() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, stride=2), nn.ReLU()]
    layers += [
        Fire(*_FIRES[index]) if index in _FIRES else nn.MaxPool2d(3, 2, ceil_mode=True)
        for index in range(2, 13)
    ]
    return nn.Sequential(*layers)


class Lpips(nn.Module):
    """The metric as a differentiable module; frozen, always in eval mode.

    Args:
        backbone: File with SqueezeNet 1.1's feature weights.
        linear: File with the seven learned channel weightings.

    Raises:
        WeightsError: A file is missing or holds something else.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, *, backbone: Path, linear: Path) -> None:
        super().__init__()
        self.layers = _squeezenet()
        try:
            self.layers.load_state_dict(torch.load(backbone, map_location="cpu", weights_only=True))
            weightings = torch.load(linear, map_location="cpu", weights_only=True)
            self.weightings = nn.ParameterList(weightings[f"lin{i}.model.1.weight"] for i in range(len(_TAPS)))
        except (OSError, RuntimeError, KeyError) as error:
            raise WeightsError(
                f"LPIPS needs {backbone.name} and {linear.name} as published: {error}"
            ) from error
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def features(self, picture: Tensor) -> list[Tensor]:
        """Unit-length feature maps at the seven taps for a picture in [-1, 1], [B, 3, H, W]."""
        x = (picture - self.shift) / self.scale
        maps = []
        for first, last in _TAPS:
            x = self.layers[first : last + 1](x)
            length = x.float().square().sum(1, keepdim=True).add(1e-10).sqrt()
            maps.append(x / length)
        return maps

    def forward(self, prediction: Tensor, face: Tensor) -> Tensor:
        """Mean perceptual distance of two batches in [-1, 1], [B, 3, H, W]; a scalar >= 0."""
        with torch.no_grad():
            wanted = self.features(face)
        total = prediction.new_zeros(())
        for weighting, a, b in zip(self.weightings, self.features(prediction), wanted, strict=True):
            total = total + F.conv2d((a - b).float().square(), weighting.float()).mean()
        return total
