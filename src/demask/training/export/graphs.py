"""What is exported: pictures go in and come out as uint8 [N, H, W, 3], so no caller can get a range wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from demask.atomic import replacing
from demask.errors import TrainingError
from demask.geometry import FRAME_PX
from demask.training.export.onnx_writer import bare, parity, trace, write_onnx
from demask.training.export.weights_file import note_weights
from demask.training.losses.perceptual import Lpips, unit_length
from demask.training.models.deepfill_net import DeepFillNet
from demask.training.models.finder_net import FinderGraph, FinderNet
from demask.training.models.ranges import channels_first, to_model_range, to_pixels
from demask.training.models.unet import UNet

MAX_BYTES = 1_000_000
_OUTPUTS = ["boxes", "points", "scores"]
_TOLERANCE = 1e-3


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


class _ExpressionGraph(nn.Module):
    """uint8 crops in, a score of each expression out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        scores: Tensor = self.network(to_model_range(channels_first(crops)))
        return scores


def hole_graph(network: nn.Module) -> nn.Module:
    """The module that is exported for a segmenter: uint8 crop in, coverage out."""
    return _HoleGraph(network)


def restorer_graph(network: nn.Module) -> nn.Module:
    """The module that is exported for a restorer: uint8 crop and hole in, uint8 face out."""
    return _RestorerGraph(network)


def translator_graph(network: nn.Module) -> nn.Module:
    """The module that is exported for a blind translator: uint8 crop in, uint8 face out."""
    return _TranslatorGraph(network)


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
        any_window=side > FRAME_PX, captured=isinstance(network, DeepFillNet),  # It folds patches.
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


def export_finder(network: FinderNet, path: Path, *, tolerance: float = 0.02) -> None:
    """Write the network and check that onnxruntime says what torch says, on two sizes of photo.

    The file maps `photo`, uint8 [1, H, W, 3] with H and W multiples of 32, to `boxes` [N, 4], `points`
    [N, 5, 2] and `scores` [N] of all cells. It appears under its name only when it is complete.

    Args:
        network: Trained; moved to the CPU in a copy.
        path: Where to write; the folder is made.
        tolerance: Largest difference allowed, in pixels and in thousandths of a score.

    Raises:
        TrainingError: The file is larger than 1 MB, or its output differs.
    """
    graph = FinderGraph(network).cpu().eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    example = torch.zeros(1, 320, 256, 3, dtype=torch.uint8)
    open_axes = {"photo": (None, "rows", "columns"), **dict.fromkeys(_OUTPUTS, ("cells",))}
    with replacing(path) as temporary:
        trace(graph, {"photo": example}, open_axes, _OUTPUTS, temporary)
        model = bare(onnx.load(str(temporary)))
        note_weights(model, network)
        onnx.save(model, str(temporary))
        size = temporary.stat().st_size
        if size > MAX_BYTES:
            raise TrainingError(f"the finder takes {size} bytes but may take {MAX_BYTES}; make it narrower")
        _compare(graph, temporary, tolerance)


class _LpipsGraph(nn.Module):
    """A pair of uint8 pictures in; their distance, and the features of both, out."""

    def __init__(self, lpips: Lpips) -> None:
        super().__init__()
        self.lpips = lpips

    def forward(self, pair: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.lpips.maps(to_model_range(channels_first(pair)))
        units = [unit_length(x) for x in maps]
        distance = self.lpips.distances([x[:1] for x in units], [x[1:] for x in units])
        return distance, maps[-1].mean(dim=(2, 3))


def export_lpips(lpips: Lpips, path: Path) -> None:
    """Write `pair`, uint8 [2, H, W, 3], to `distance`, float32 [1], and `features`, float32 [2, D].

    The features are the last map averaged over each picture. Weights stay float32: this is a measure.

    Raises:
        TrainingError: The exported graph does not say what torch says.
    """
    graph, rng = _LpipsGraph(lpips).cpu().eval(), np.random.default_rng(0)
    example, other = (
        torch.from_numpy(rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)) for size in ((96, 80), (65, 131))
    )
    with replacing(path) as temporary:
        open_axes = {"pair": (None, "height", "width")}
        trace(graph, {"pair": example}, open_axes, ["distance", "features"], temporary, opset=17)
        difference = max(parity(graph, {"pair": pair}, temporary) for pair in (example, other))
        if not difference <= _TOLERANCE:
            raise TrainingError(
                f"the exported LPIPS differs from torch's by {difference:g} (allowed: {_TOLERANCE:g}); "
                "nothing was written"
            )


def export_expression(network: nn.Module, path: Path) -> None:
    """Export an expression network: `crops` uint8 [N, 256, 256, 3] to `scores` float32 [N, 7].

    Raises:
        TrainingError: The exported graph does not say what torch says.
    """
    inputs = {"crops": _crops(np.random.default_rng(0))}
    write_onnx(_ExpressionGraph(network), inputs, ["scores"], path, network=network, tolerance=0.05)


def _side(network: nn.Module) -> int:
    """Side of the largest window that a network knows places for; 256 where it knows none."""
    body = getattr(network, "body", None)
    return body.picture_px if isinstance(body, UNet) else FRAME_PX


def _crops(rng: np.random.Generator, side_px: int = FRAME_PX) -> Tensor:
    """Two crops of noise to export by and to compare on, uint8 [2, side_px, side_px, 3]."""
    return torch.from_numpy(rng.integers(0, 256, (2, side_px, side_px, 3), dtype=np.uint8))


@torch.no_grad()
def _compare(graph: FinderGraph, path: Path, tolerance: float) -> None:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for height, width in ((96, 160), (320, 224)):
        photo = rng.integers(0, 256, (1, height, width, 3), dtype=np.uint8)
        wanted = graph(torch.from_numpy(photo))
        for name, got, want in zip(_OUTPUTS, session.run(_OUTPUTS, {"photo": photo}), wanted, strict=True):
            apart = np.abs(got - want.numpy()).max() * (1000 if name == "scores" else 1)
            if got.shape != tuple(want.shape) or not apart <= tolerance:
                raise TrainingError(
                    f"{name} of the exported finder differs from torch's by {apart:g} at {width}x{height} px, "
                    f"allowed are {tolerance:g}; try another version of torch or onnxscript"
                )
