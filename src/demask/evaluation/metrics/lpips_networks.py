"""LPIPS with AlexNet and with VGG-16, for figures to set beside published ones; needs torch.

Zhang et al. 2018 (arXiv:1801.03924, eq. 1), version 0.1: features of an ImageNet network at five
places, each pixel's vector brought to unit length, squared differences weighted per channel, averaged
over the picture and summed. AlexNet: Krizhevsky 2014 (arXiv:1404.5997); VGG-16: Simonyan and Zisserman
2015 (arXiv:1409.1556, table 1, D). The files are those of torchvision and of the LPIPS authors.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from demask.errors import InputError, WeightsError
from demask.evaluation.metrics.perceptual import MIN_SIDE_PX
from demask.extras import install_command
from demask.types import ImageU8
from demask.weights import registry

if TYPE_CHECKING:
    from torch import Tensor, nn

Network = Literal["alex", "vgg"]

BACKBONES: dict[Network, str] = {"alex": "alexnet_backbone", "vgg": "vgg16_backbone"}
LINEARS: dict[Network, str] = {"alex": "lpips_alex_linear", "vgg": "lpips_vgg_linear"}
"""Registry names of the two files of each network."""

_TAPS: dict[Network, tuple[int, ...]] = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}
"""Layers, counted from 0, whose output is compared: the ReLU that ends each part."""

_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_EPSILON = 1e-10


class DeepLpips:
    """LPIPS v0.1 with AlexNet or VGG-16; 0 for identical pictures. Its scale is that of its network.

    Args:
        network: `alex` or `vgg`.
        backbone: torchvision's checkpoint; None looks it up in the registry.
        linear: The five channel weightings of the LPIPS authors; None looks them up.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        WeightsError: torch or a file is missing, or a file holds something else.
    """

    def __init__(
        self,
        network: Network,
        *,
        backbone: Path | None = None,
        linear: Path | None = None,
        device: str = "auto",
    ) -> None:
        if backbone is None or linear is None:
            found = _find_both(network)
            backbone, linear = backbone or found[0], linear or found[1]
        try:
            import torch
        except ImportError as error:
            raise WeightsError(
                f"LPIPS with {network} needs torch, which is not installed; run: {install_command('train')}"
            ) from error
        self._taps = _TAPS[network]
        self._device = _torch_device(device)
        self._layers = _alexnet() if network == "alex" else _vgg16()
        try:
            stored = torch.load(backbone, map_location="cpu", weights_only=True)
            wanted = {name: stored[f"features.{name}"] for name in self._layers.state_dict()}
            self._layers.load_state_dict(wanted)
            weightings = torch.load(linear, map_location="cpu", weights_only=True)
            self._weightings = [
                weightings[f"lin{index}.model.1.weight"].to(self._device) for index in range(len(self._taps))
            ]
        except Exception as error:  # An unpickler fed with a foreign file may raise anything.
            raise WeightsError(
                f"LPIPS with {network} needs {backbone.name} and {linear.name} as published: {error}"
            ) from error
        self._layers.requires_grad_(False).eval().to(self._device)

    def __call__(self, picture: ImageU8, truth: ImageU8) -> float:
        """Distance of two uint8 RGB pictures [H, W, 3], each side at least 32 px.

        Raises:
            InputError: The shapes differ or are too small.
        """
        if picture.shape != truth.shape or min(picture.shape[:2]) < MIN_SIDE_PX:
            raise InputError(
                f"LPIPS needs two pictures of one size, {MIN_SIDE_PX} px or more a side; "
                f"got {picture.shape} and {truth.shape}"
            )
        import torch
        from torch.nn import functional as F

        total = 0.0
        with torch.inference_mode():
            pairs = zip(self._weightings, self._features(picture), self._features(truth), strict=True)
            for weighting, a, b in pairs:
                total += float(F.conv2d((a - b).square(), weighting).mean())
        return total

    def _features(self, picture: ImageU8) -> list[Tensor]:
        """Feature maps at the taps, every pixel's vector of unit length (or 0 where it is 0)."""
        import torch

        planes = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32)) / 127.5 - 1
        shift, scale = (torch.tensor(values).view(1, 3, 1, 1) for values in (_SHIFT, _SCALE))
        x = ((planes - shift) / scale).to(self._device)
        maps = []
        for index, layer in enumerate(self._layers):
            x = layer(x)
            if index in self._taps:
                length = x.square().sum(dim=1, keepdim=True).sqrt()
                maps.append(x / (length + _EPSILON))
        return maps


def _find_both(network: Network) -> tuple[Path, Path]:
    """Both files by the registry; one error that names all that are missing.

    Raises:
        WeightsError: One is missing or damaged.
    """
    paths, errors = [], []
    for name in (BACKBONES[network], LINEARS[network]):
        try:
            paths.append(registry.find(name))
        except WeightsError as error:
            errors.append(str(error))
    if errors:
        raise WeightsError("; ".join(errors))
    return paths[0], paths[1]


def _alexnet() -> nn.Sequential:
    """Convolutions of AlexNet up to the fifth ReLU, numbered as in torchvision."""
    from torch import nn

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
    """The thirteen convolutions of VGG-16 up to the last ReLU, numbered as in torchvision."""
    from torch import nn

    layers: list[nn.Module] = []
    channels = 3
    for part, (num, wide) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))):
        if part:
            layers.append(nn.MaxPool2d(2, 2))
        for _ in range(num):
            layers += [nn.Conv2d(channels, wide, 3, padding=1), nn.ReLU()]
            channels = wide
    return nn.Sequential(*layers)


def _torch_device(device: str) -> str:
    """Torch's name of a device that `providers_for` has accepted.

    Raises:
        DeviceUnavailable: CUDA was named and torch has none.
    """
    import torch

    from demask.errors import DeviceUnavailable

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceUnavailable(f"the device {device} was asked for, but this torch has no CUDA; use cpu")
    return device
