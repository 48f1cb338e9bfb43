"""What is exported: pictures go in and come out as uint8 [N, H, W, 3], so no caller can get a range wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from demask.geometry import FRAME_PX
from demask.training.export.onnx_writer import write_onnx
from demask.training.models.ranges import channels_first, to_model_range, to_pixels
from demask.training.models.unet import UNet


class _RestorerGraph(nn.Module):
    """uint8 crop and hole in, uint8 face out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, masked: Tensor, hole: Tensor) -> Tensor:
        picture = to_model_range(channels_first(masked))
        prediction = self.network(picture, hole.float()[:, None]).prediction
        return to_pixels(prediction).permute(0, 2, 3, 1)


class _TranslatorGraph(nn.Module):
    """uint8 masked crop in, uint8 face out; no hole."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, masked: Tensor) -> Tensor:
        return to_pixels(self.network(to_model_range(channels_first(masked)))).permute(0, 2, 3, 1)


class _HoleGraph(nn.Module):
    """uint8 crop in, coverage in [0, 1] out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crop: Tensor) -> Tensor:
        logits: Tensor = self.network(to_model_range(channels_first(crop)))
        return torch.sigmoid(logits)[:, 0]


class _LandmarksGraph(nn.Module):
    """uint8 crop in, points in crop pixels out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crop: Tensor) -> Tensor:
        points: Tensor = self.network(to_model_range(channels_first(crop)))
        return points


def hole_graph(network: nn.Module) -> nn.Module:
    """The module that is exported for a segmenter: uint8 crop in, coverage out."""
    return _HoleGraph(network)


def export_restorer(network: nn.Module, path: Path) -> None:
    """Export a restorer: `masked` uint8 [N, S, S, 3], `hole` uint8 [N, S, S] to `restored` uint8.

    S is 256, or that of any window where the network knows the wide one.

    Raises:
        TrainingError: The exported graph does not say what torch says.
    """
    side = _side(network)
    masked = _crops(np.random.default_rng(0), side)
    hole = np.zeros((2, side, side), np.uint8)
    hole[:, 120:220, 70:190] = 1
    inputs = {"masked": masked, "hole": torch.from_numpy(hole)}
    write_onnx(
        _RestorerGraph(network), inputs, ["restored"], path, network=network, tolerance=2.0,
        any_window=side > FRAME_PX,
    )  # fmt: skip


def export_translator(network: nn.Module, path: Path) -> None:
    """Export a blind translator: `masked` uint8 [N, 256, 256, 3] to `restored` uint8, no hole.

    Raises:
        TrainingError: The exported graph does not say what torch says.
    """
    inputs = {"masked": _crops(np.random.default_rng(0))}
    write_onnx(_TranslatorGraph(network), inputs, ["restored"], path, network=network, tolerance=2.0)


def export_hole(network: nn.Module, path: Path) -> None:
    """Export a segmenter: `crop` uint8 [N, S, S, 3] to `coverage` float32 [N, S, S]; S as for a restorer.

    Raises:
        TrainingError: The exported graph does not say what torch says.
    """
    side = _side(network)
    inputs = {"crop": _crops(np.random.default_rng(0), side)}
    write_onnx(
        hole_graph(network), inputs, ["coverage"], path, network=network, tolerance=0.02,
        any_window=side > FRAME_PX,
    )  # fmt: skip


def export_landmarks(network: nn.Module, path: Path) -> None:
    """Export a landmark network: `crop` uint8 [N, 256, 256, 3] to `points` float32 [N, 468, 3].

    Raises:
        TrainingError: The exported graph does not say what torch says.
    """
    inputs = {"crop": _crops(np.random.default_rng(0))}
    write_onnx(_LandmarksGraph(network), inputs, ["points"], path, network=network, tolerance=0.2)


def _side(network: nn.Module) -> int:
    """Side of the largest window that a network knows places for; 256 where it knows none."""
    body = getattr(network, "body", None)
    return body.picture_px if isinstance(body, UNet) else FRAME_PX


def _crops(rng: np.random.Generator, side_px: int = FRAME_PX) -> Tensor:
    """Two crops of noise to export by and to compare on, uint8 [2, side_px, side_px, 3]."""
    return torch.from_numpy(rng.integers(0, 256, (2, side_px, side_px, 3), dtype=np.uint8))
