"""A small ONNX network as a frozen torch module, for losses that need its gradient.

Only the operators that such networks hold are known (`OPERATORS`); anything else is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from demask.errors import WeightsError
from demask.training.models.landmark_net import LandmarkNet, LandmarksConfig
from demask.weights import registry

Inputs = list[Tensor | None]
Attributes = Mapping[str, Any]


def _conv(x: Inputs, a: Attributes) -> Tensor:
    top, left, bottom, right = a.get("pads", (0, 0, 0, 0))
    picture, weight = x[0], x[1]
    assert picture is not None
    assert weight is not None
    if (top, left) != (bottom, right):
        picture, top, left = F.pad(picture, (left, right, top, bottom)), 0, 0
    return F.conv2d(
        picture,
        weight,
        x[2] if len(x) > 2 else None,
        stride=tuple(a.get("strides", (1, 1))),
        padding=(top, left),
        dilation=tuple(a.get("dilations", (1, 1))),
        groups=a.get("group", 1),
    )


def _clip(x: Inputs, a: Attributes) -> Tensor:
    picture, low, high = (*x, None, None)[:3]
    assert picture is not None
    return torch.clamp(picture, low, high)


def _norm(x: Inputs, a: Attributes) -> Tensor:
    picture, weight, bias, mean, variance = x
    assert picture is not None
    return F.batch_norm(picture, mean, variance, weight, bias, eps=a.get("epsilon", 1e-5))


OPERATORS: Mapping[str, Callable[[Any, Attributes], Tensor]] = {
    "Add": lambda x, a: x[0] + x[1],
    "BatchNormalization": _norm,
    "Clip": _clip,
    "Conv": _conv,
    "Flatten": lambda x, a: x[0].flatten(a.get("axis", 1)),
    "MatMul": lambda x, a: x[0] @ x[1],
    "Mul": lambda x, a: x[0] * x[1],
    "Relu": lambda x, a: F.relu(x[0]),
    "Sub": lambda x, a: x[0] - x[1],
}
"""Operator of ONNX (opset 13 or later) to what it computes, from its inputs and attributes."""


class FrozenOnnx(nn.Module):
    """Runs the graph in torch; its weights get no gradient, its input does.

    Args:
        path: A file with one input and one output, float32.

    Raises:
        WeightsError: The file is missing, damaged, or holds an operator not in `OPERATORS`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            graph = onnx.load(str(path)).graph
        except Exception as error:  # onnx raises what protobuf raises, which has no common base.
            raise WeightsError(
                f"{path} is no ONNX file that can be read ({type(error).__name__}); get it again"
            ) from error
        self.source, self.result = graph.input[0].name, graph.output[0].name
        self.steps: list[tuple[str, list[str], str, dict[str, Any]]] = []
        # torch allows no dots or slashes in names: values are kept by number.
        self.stored: dict[str, str] = {}
        for tensor in graph.initializer:
            self._store(tensor.name, tensor)
        for node in graph.node:
            attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
            if node.op_type == "Constant":
                self._store(node.output[0], attributes["value"])
            elif node.op_type in OPERATORS:
                self.steps.append((node.op_type, list(node.input), node.output[0], attributes))
            else:
                raise WeightsError(
                    f"{path} holds the operator {node.op_type}, which cannot be trained through; "
                    f"known are {', '.join(OPERATORS)}"
                )

    def _store(self, name: str, tensor: onnx.TensorProto) -> None:
        self.stored[name] = f"value{len(self.stored)}"
        value = np.array(onnx.numpy_helper.to_array(tensor))  # A copy: the file's own is not writable.
        self.register_buffer(self.stored[name], torch.from_numpy(value))

    def forward(self, x: Tensor) -> Tensor:
        """What the graph gives for its one input."""
        values: dict[str, Tensor | None] = {name: getattr(self, kept) for name, kept in self.stored.items()}
        values |= {"": None, self.source: x}
        for operator, inputs, output, attributes in self.steps:
            values[output] = OPERATORS[operator]([values[name] for name in inputs], attributes)
        result = values[self.result]
        assert result is not None
        return result


def shipped_landmarks() -> LandmarkNet:
    """The shipped landmark network with its weights, frozen, in eval mode.

    Raises:
        WeightsError: The file is missing, damaged, or was trained with another architecture.
    """
    path = registry.find("landmarks")
    network = LandmarksConfig().build()
    stored = {}
    for tensor in onnx.load(str(path)).graph.initializer:
        name = tensor.name.removesuffix(".half").removeprefix("network.")
        stored[name] = torch.from_numpy(onnx.numpy_helper.to_array(tensor).astype(np.float32))
    wanted = network.state_dict()
    if missing := sorted(wanted.keys() - stored.keys()):
        raise WeightsError(f"{path} does not hold {missing[0]}; export it again with this version of demask")
    try:
        network.load_state_dict({name: stored[name].reshape(value.shape) for name, value in wanted.items()})
    except RuntimeError as error:
        raise WeightsError(f"{path} is of another architecture: {str(error).splitlines()[0]}") from error
    return network.eval().requires_grad_(False)
