"""Weights of an exported network in 8 bits: a byte for each, and a float32 for each output channel.

The arithmetic stays float32: the runtime widens the weights once, when it opens the file.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx.numpy_helper

_OUT_AXIS = {"Conv": 0, "ConvTranspose": 1, "MatMul": 1, "Gemm": 1}
"""Along which axis of its weights an operator has its output channels."""


def to_int8(model: onnx.ModelProto) -> int:
    """Store every large float16 weight of a network as int8, symmetric about 0; in place.

    Args:
        model: As `demask export` writes it: a large weight is float16 and goes through a Cast.

    Returns:
        How many weights were stored so.
    """
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    count = 0
    for node in list(graph.node):
        if node.op_type != "Cast" or node.input[0] not in stored:
            continue
        tensor = stored[node.input[0]]
        axis = _out_axis(graph, node.output[0])
        values = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        if axis is None or values.ndim < 2:
            continue
        others = tuple(i for i in range(values.ndim) if i != axis)
        scale = np.maximum(np.abs(values).max(axis=others, keepdims=True), 1e-12) / 127
        small = np.rint(values / scale).astype(np.int8)
        name = node.output[0]
        graph.initializer.remove(tensor)
        graph.initializer.extend(
            [
                onnx.numpy_helper.from_array(small, f"{name}.int8"),
                onnx.numpy_helper.from_array(scale.astype(np.float32), f"{name}.scale"),
            ]
        )
        at = list(graph.node).index(node)
        graph.node.remove(node)
        widen = onnx.helper.make_node("Cast", [f"{name}.int8"], [f"{name}.wide"], to=onnx.TensorProto.FLOAT)
        times = onnx.helper.make_node("Mul", [f"{name}.wide", f"{name}.scale"], [name])
        graph.node.insert(at, times)
        graph.node.insert(at, widen)
        count += 1
    # Where the weights lay is no longer true, and nothing is trained on from a file of 8 bits.
    del model.metadata_props[:]
    return count


def _out_axis(graph: onnx.GraphProto, name: str) -> int | None:
    """The output channels' axis of a weight by its users; None where these do not agree."""
    axes = set()
    for node in graph.node:
        if name in node.input:
            turned = node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute)
            axes.add(0 if turned else _OUT_AXIS.get(node.op_type) if node.input[1] == name else None)
    return axes.pop() if len(axes) == 1 else None
