"""Which weights of a network stand where in its ONNX file, kept in the file's own metadata.

An exporter renames weights, transposes some, and merges batch norms into the convolutions before them. So the
file says for each entry of the network's state dict where its values are and what was done to them. Of a merged
norm it keeps the four vectors, by which the convolution is divided again.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from demask.atomic import replacing
from demask.errors import OutputError
from demask.types import AnyArray, Floats32

KEY = "demask.state_dict"
"""The metadata entry; its value is JSON."""
_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")
_ROUNDING = {np.dtype(np.float16): 2e-3, np.dtype(np.float32): 1e-5}  # Next to the largest value.


class _Merged(NamedTuple):
    """A convolution and the batch norm that an exporter may merge into it."""

    conv: str  # Names in the network.
    norm: str
    axis: int  # Of the convolution's weight, along which the norm's channels lie.
    eps: float


def note_weights(model: onnx.ModelProto, network: nn.Module) -> None:
    """Write into a model's metadata where the network's weights are.

    Args:
        model: An export of the network, its weights as they will be stored; changed in place.
        network: With the weights that were exported. What the file does not hold, because only training needs
            it, is not noted.
    """
    stored = initializers(model)
    state: dict[str, Floats32] = {
        name: value.detach().cpu().float().numpy()
        for name, value in network.state_dict().items()
        if value.is_floating_point()
    }
    noted: dict[str, dict[str, Any]] = {}
    for name, values in state.items():
        if place := _place_of(values, stored):
            noted[name] = place
    for pair in _merged_pairs(network):
        weight = f"{pair.conv}.weight"
        if weight not in noted:
            place = _place_of(state[weight] * _scale(state, pair), stored, close=True)
            if place is None:
                continue
            noted[weight] = {**place, "norm": pair.norm, "axis": pair.axis, "eps": pair.eps}
        for part in _NORM_PARTS:
            values = state[f"{pair.norm}.{part}"]
            text = base64.b64encode(values.astype("<f4").tobytes()).decode()
            noted.setdefault(f"{pair.norm}.{part}", {"values": text, "shape": list(values.shape)})
    model.metadata_props.add(key=KEY, value=json.dumps({"version": 1, "weights": noted}, separators=(",", ":")))


def noted_weights(path: Path) -> dict[str, Tensor] | None:
    """A network's state dict, from the file that `note_weights` wrote into.

    Values are those of the file: rounded where it stores float16. A convolution's weights are exact to a
    rounding where its norm was merged into it, and zero in a channel that its norm had multiplied by zero.

    Returns:
        Tensors by the network's own names; None for a file that says nothing of them.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no ONNX file, or what it says of its weights is not true.
    """
    model = read_model(path)
    texts = [entry.value for entry in model.metadata_props if entry.key == KEY]
    if not texts:
        return None
    stored = initializers(model)
    try:
        places = json.loads(texts[0])["weights"]
        state = {name: _values(place, stored) for name, place in places.items()}
        for name, place in places.items():
            if "norm" in place:
                pair = _Merged(name.removesuffix(".weight"), place["norm"], place["axis"], place["eps"])
                scale = _scale(state, pair)
                state[name] = np.divide(state[name], scale, out=np.zeros_like(state[name]), where=scale != 0)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"what it says of its weights is damaged ({type(error).__name__}: {error})") from error
    return {name: torch.from_numpy(values.copy()) for name, values in state.items()}


def read_model(path: Path) -> onnx.ModelProto:
    """Read an ONNX file; OSError where there is none, ValueError where it is something else."""
    try:
        return onnx.load(str(path))
    except OSError:
        raise
    except Exception as error:  # Protobuf raises its own kinds.
        raise ValueError("it is no ONNX file") from error


def initializers(model: onnx.ModelProto) -> dict[str, AnyArray]:
    """Every floating-point constant of a model, by its name in the file."""
    return {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    }


def save_weights(network: nn.Module, path: Path, *, about: dict[str, str]) -> None:
    """Write a network's weights as safetensors, whole or not at all.

    Args:
        network: Its parameters and buffers are stored as float32, by name.
        path: The file; replaced if there.
        about: Text kept in the file's header.

    Raises:
        OutputError: The file cannot be written.
    """
    tensors = {
        name: value.detach().to("cpu", torch.float32 if value.is_floating_point() else value.dtype).contiguous()
        for name, value in network.state_dict().items()
    }
    try:
        with replacing(path) as temporary:
            save_file(tensors, temporary, metadata=about)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def _place_of(
    values: Floats32, stored: Mapping[str, AnyArray], *, close: bool = False
) -> dict[str, Any] | None:
    """Where values stand in a file, as they are or (a matrix) transposed; None where they do not.

    Two constants that hold the same values serve equally well, so the first is taken.
    """
    for name, found in stored.items():
        if found.size != values.size:
            continue
        wanted = values if close else values.astype(found.dtype)
        allowed = _ROUNDING[found.dtype] * float(np.abs(values).max(initial=0)) if close else 0.0
        for transposed in (False, True)[: 1 + (values.ndim == found.ndim == 2)]:
            turned = (found.T if transposed else found).reshape(values.shape)
            if np.abs(turned.astype(np.float32) - wanted.astype(np.float32)).max(initial=0) <= allowed:
                return {"at": name, "shape": list(values.shape), **({"transposed": True} if transposed else {})}
    return None


def _values(place: Mapping[str, Any], stored: Mapping[str, AnyArray]) -> Floats32:
    if "values" in place:
        values = np.frombuffer(base64.b64decode(place["values"], validate=True), "<f4")
    else:
        values = stored[place["at"]].astype(np.float32)
        values = values.T if place.get("transposed") else values
    return values.reshape(place["shape"]).astype(np.float32)


def _merged_pairs(network: nn.Module) -> Iterator[_Merged]:
    """Convolutions that are directly followed by a batch norm with running statistics."""
    for prefix, module in network.named_modules():
        if not isinstance(module, nn.Sequential):
            continue
        parts = [(f"{prefix}.{name}" if prefix else name, part) for name, part in module.named_children()]
        for (conv_name, conv), (norm_name, norm) in itertools.pairwise(parts):
            if isinstance(norm, nn.BatchNorm2d) and norm.track_running_stats and norm.affine:
                if isinstance(conv, nn.Conv2d):
                    yield _Merged(conv_name, norm_name, 0, norm.eps)
                elif isinstance(conv, nn.ConvTranspose2d) and conv.groups == 1:
                    yield _Merged(conv_name, norm_name, 1, norm.eps)


def _scale(state: Mapping[str, Floats32], pair: _Merged) -> Floats32:
    """What a norm multiplies each channel of its convolution by, shaped to fit the weight."""
    gamma, variance = state[f"{pair.norm}.weight"], state[f"{pair.norm}.running_var"]
    shape = np.ones(state[f"{pair.conv}.weight"].ndim, int)
    shape[pair.axis] = -1
    scale: Floats32 = (gamma / np.sqrt(variance + np.float32(pair.eps))).astype(np.float32).reshape(shape)
    return scale
