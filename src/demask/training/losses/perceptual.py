"""How far a restored face is from the true one in the eyes of networks: LPIPS, and face embeddings.

LPIPS, version 0.1, in one place: the loss, and the metric that is exported from it.
Zhang et al. 2018 (arXiv:1801.03924, eq. 1): features of an ImageNet network at several places, each pixel's
vector brought to unit length, squared differences weighted per channel, averaged over the picture and summed.
SqueezeNet 1.1: Iandola et al. 2016 (arXiv:1602.07360, table 1). AlexNet: Krizhevsky 2014 (arXiv:1404.5997).
VGG-16: Simonyan and Zisserman 2015 (arXiv:1409.1556, table 1, D). The files are those of torchvision and of the
LPIPS authors.

How far the restored face is from the true one in the eyes of a face embedding network.
What shows above the hole (and around it) narrows down what lies in it; this term rewards a lower face
that goes with it. The face stays invented: nothing here brings the person's own mouth back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from demask.errors import WeightsError
from demask.geometry import ARCFACE_POINTS, ARCFACE_PX, FRAME_POINTS, FRAME_PX, invert, similarity

Network = Literal["squeeze", "alex", "vgg"]
_TAPS: Mapping[Network, tuple[int, ...]] = {
    "squeeze": (1, 4, 7, 9, 10, 11, 12),
    "alex": (1, 4, 7, 9, 11),
    "vgg": (3, 8, 15, 22, 29),
}
"""Layers, counted from 0 as torchvision does, whose output is compared."""
_FIRES = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128), 9: (256, 48, 192)}
_EPSILON = 1e-10
"""Under the root of a vector's length: the vectors of flat, dark pictures are 0, and stay so. The authors add
it behind the root, where its gradient would be infinite; the distances are the same to seven digits."""
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


class Lpips(nn.Module):
    """The metric as a differentiable module; frozen, always in eval mode. Its scale is that of its network.

    Args:
        backbone: torchvision's checkpoint of the network, or its feature layers alone.
        linear: The learned channel weightings of the LPIPS authors.
        network: Whose features are compared.

    Raises:
        WeightsError: A file is missing or holds something else.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, *, backbone: Path, linear: Path, network: Network = "squeeze") -> None:
        super().__init__()
        self.layers, self._taps = _LAYERS[network](), _TAPS[network]
        try:
            stored = torch.load(backbone, map_location="cpu", weights_only=True)
            named = {name.removeprefix("features."): value for name, value in stored.items()}
            self.layers.load_state_dict({name: named[name] for name in self.layers.state_dict()})
            weightings = torch.load(linear, map_location="cpu", weights_only=True)
            self.weightings = nn.ParameterList(
                weightings[f"lin{index}.model.1.weight"] for index in range(len(self._taps))
            )
        except Exception as error:  # An unpickler fed with a foreign file may raise anything.
            raise WeightsError(
                f"LPIPS needs {backbone.name} and {linear.name} as published: {error}"
            ) from error
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def maps(self, picture: Tensor) -> list[Tensor]:
        """Feature maps at the taps for a picture in [-1, 1], [B, 3, H, W]."""
        x = (picture - self.shift) / self.scale
        maps = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self._taps:
                maps.append(x)
        return maps

    def features(self, picture: Tensor) -> list[Tensor]:
        """The same, every pixel's vector of unit length (or 0 where it is 0)."""
        return [unit_length(x) for x in self.maps(picture)]

    def distances(self, ours: list[Tensor], theirs: list[Tensor]) -> Tensor:
        """Distance of each pair of pictures, [B], from their `features`."""
        total = ours[0].new_zeros(len(ours[0]), dtype=torch.float32)
        for weighting, a, b in zip(self.weightings, ours, theirs, strict=True):
            total = total + F.conv2d((a - b).float().square(), weighting.float()).mean(dim=(1, 2, 3))
        return total

    def forward(self, prediction: Tensor, face: Tensor) -> Tensor:
        """Mean perceptual distance of two batches in [-1, 1], [B, 3, H, W]; a scalar >= 0."""
        with torch.no_grad():
            wanted = self.features(face)
        return self.distances(self.features(prediction), wanted).mean()


def unit_length(x: Tensor) -> Tensor:
    """Each pixel's vector [B, C, H, W] divided by its length, which is taken in float32."""
    return x / x.float().square().sum(1, keepdim=True).add(_EPSILON).sqrt()


def _squeezenet() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, stride=2), nn.ReLU()]
    layers += [
        Fire(*_FIRES[index]) if index in _FIRES else nn.MaxPool2d(3, 2, ceil_mode=True)
        for index in range(2, 13)
    ]
    return nn.Sequential(*layers)


def _alexnet() -> nn.Sequential:
    """Convolutions up to the fifth ReLU, numbered as in torchvision."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )


def _vgg16() -> nn.Sequential:
    """The thirteen convolutions up to the last ReLU, numbered as in torchvision."""
    layers: list[nn.Module] = []
    channels = 3
    for part, (num, wide) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))):
        if part:
            layers.append(nn.MaxPool2d(2, 2))
        for _ in range(num):
            layers += [nn.Conv2d(channels, wide, 3, padding=1), nn.ReLU()]
            channels = wide
    return nn.Sequential(*layers)


_LAYERS: Mapping[Network, Callable[[], nn.Sequential]] = {
    "squeeze": _squeezenet,
    "alex": _alexnet,
    "vgg": _vgg16,
}


def identity_distance(network: nn.Module, restored: Tensor, face: Tensor) -> Tensor:
    """One minus the mean cosine of the two embeddings; a scalar in [0, 2].

    Args:
        network: Frozen; maps RGB 0..255 [B, 3, 112, 112], aligned as ArcFace does
            (arXiv:1801.07698, sec. 3.1), to [B, D].
        restored: Crops in [-1, 1], [B, 3, 256, 256].
        face: The truth, same shape.
    """
    with torch.no_grad():
        wanted = network(arcface_chips(face))
    return 1 - F.cosine_similarity(network(arcface_chips(restored)), wanted, dim=1).mean()


def arcface_chips(crops: Tensor) -> Tensor:
    """Crops of the frame, [B, 3, 256, 256] in [-1, 1], as ArcFace's, [B, 3, 112, 112] in 0..255.

    Every face is taken to lie where the frame's points say.
    """
    # affine_grid speaks of pixel edges as -1 and 1, in both pictures.
    to_frame = np.vstack([invert(similarity(FRAME_POINTS, ARCFACE_POINTS)), (0, 0, 1)])
    theta = _edges_from_pixels(FRAME_PX) @ to_frame @ np.linalg.inv(_edges_from_pixels(ARCFACE_PX))
    theta_B23 = torch.from_numpy(theta[:2]).to(crops).expand(len(crops), 2, 3)
    grid = F.affine_grid(theta_B23, [len(crops), 3, ARCFACE_PX, ARCFACE_PX], align_corners=False)
    # Beyond the crop there is black, as in the metric.
    chips = F.grid_sample(crops + 1, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return chips * 127.5


def _edges_from_pixels(side_px: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Pixel centres 0..side_px - 1 to positions where the outer edges are -1 and 1, float [3, 3]."""
    return np.array([[2 / side_px, 0, 1 / side_px - 1], [0, 2 / side_px, 1 / side_px - 1], [0, 0, 1]])
