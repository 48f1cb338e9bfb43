"""Weights of a network that was exported before, such as the shipped ones: to begin with, or to blend with."""

from __future__ import annotations

import copy
import logging
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from demask.errors import ConfigError, TrainingError
from demask.training.export.weights_file import initializers, noted_weights, read_model
from demask.training.models.layers import TokenMixer
from demask.types import Floats32

log = logging.getLogger(__name__)


_MOST_FRESH = 0.05  # Of a network's weights, what an .onnx file may lack: heads that only training needs.


def begin_with(network: nn.Module, path: Path, *, export: Callable[[nn.Module, Path], None]) -> None:
    """Give a network the weights of a file.

    An .onnx file says where its weights are (`weight_names`). One of a version before that does not: then the
    network is exported with marked weights, and where the marks come out the file's values are read.

    Args:
        network: Changed in place. What an .onnx file does not hold, as only training needs it, stays fresh.
        path: An .onnx or .safetensors file of `demask export`, of the same architecture.
        export: Writes a network of this kind as .onnx.

    Raises:
        TrainingError: The file cannot be read, or is of another architecture.
    """
    if path.suffix not in (".onnx", ".safetensors"):
        raise TrainingError(f"{path} is neither .onnx nor .safetensors; name a file of `demask export`")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else noted_weights(path)
        if state is None:
            state = _by_marks(network, path, export)
        _spread_places(network, state)
        _check_fit(network, state)
        fresh = network.load_state_dict(state, strict=path.suffix == ".safetensors").missing_keys
    except (OSError, SafetensorError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TrainingError(
            f"cannot take the weights of {path}: {reason}; "
            "it must be an export of a network with the same settings"
        ) from error
    log.info("took the weights of %s; not in it: %s", path, ", ".join(fresh) or "none")


def blend_with(
    network: nn.Module, path: Path, fraction: float, *, export: Callable[[nn.Module, Path], None]
) -> None:
    """Move a network's weights part of the way towards those of a file.

    Weights that were trained on from others and those others lie in one valley of the loss: between them it is
    often lower than at either end (Wortsman et al. 2021, arXiv:2109.01903, section 3).

    Args:
        network: Changed in place; what the file does not hold stays as it is.
        path: As for `begin_with`.
        fraction: How much the file's weights count, 0 to 1.
        export: As for `begin_with`.

    Raises:
        ConfigError: The fraction is none.
        TrainingError: As `begin_with`.
    """
    if not 0 <= fraction <= 1:
        raise ConfigError(f"the fraction of the blended weights is {fraction}; it must lie in [0, 1]")
    other = copy.deepcopy(network)
    begin_with(other, path, export=export)
    with torch.no_grad():
        for weight, theirs in zip(network.state_dict().values(), other.state_dict().values(), strict=True):
            if weight.is_floating_point():
                weight.lerp_(theirs, fraction)


def _check_fit(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Refuse weights of another architecture with a ValueError, before any is taken."""
    own = network.state_dict()
    for name, value in state.items():
        if name not in own:
            raise ValueError(f"it holds {name}, which this network does not have")
        if own[name].shape != value.shape:
            raise ValueError(
                f"its {name} has shape {list(value.shape)}, this network's {list(own[name].shape)}"
            )
    sizes = {name: weight.numel() for name, weight in network.named_parameters()}
    missing = 1 - sum(size for name, size in sizes.items() if name in state) / sum(sizes.values())
    if missing > _MOST_FRESH:
        raise ValueError(
            f"{missing:.0%} of the weights were merged into others in it (take a .safetensors file)"
        )


def _spread_places(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Let places that were learnt for a smaller window serve a larger one, in place."""
    for name, module in network.named_modules():
        known = state.get(f"{name}.place")
        if isinstance(module, TokenMixer) and known is not None and known.shape[1] < module.side**2:
            state[f"{name}.place"] = module.spread(known)


def _by_marks(network: nn.Module, path: Path, export: Callable[[nn.Module, Path], None]) -> dict[str, Tensor]:
    """The weights of a file that names none, by the network's own names."""
    theirs = _initializers(path)
    marked = _marked(network)
    with tempfile.TemporaryDirectory() as folder:
        export(copy.deepcopy(marked), Path(folder) / "marked.onnx")
        places = _initializers(Path(folder) / "marked.onnx")
    state = {}
    for name, mark in marked.named_parameters():
        values = mark.detach().numpy()
        for place, found in places.items():
            if found.size != values.size:
                continue
            turned = not np.array_equal(found.ravel(), values.ravel())
            if turned and not (values.ndim == 2 and np.array_equal(found, values.T)):
                continue
            if place not in theirs or theirs[place].shape != found.shape:
                raise ValueError(f"it holds no {name} of shape {list(values.shape)}")
            read = theirs[place].T if turned else theirs[place]
            state[name] = torch.from_numpy(read.reshape(values.shape).copy())
            break
    return state


def _marked(network: nn.Module) -> nn.Module:
    """A copy in which no two weights are alike, each a float16 already, so that an export keeps it as it is."""
    marked = copy.deepcopy(network).cpu().float()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in marked.parameters():
            noise = 0.02 * torch.randn(weight.shape, generator=generator)
            weight.copy_((weight + noise).half().float())
    return marked


def _initializers(path: Path) -> dict[str, Floats32]:
    """Every floating-point constant of an .onnx file, by its name before it was halved."""
    stored = initializers(read_model(path))
    return {name.removesuffix(".half"): values.astype(np.float32) for name, values in stored.items()}
