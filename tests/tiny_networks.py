"""Three tiny networks with the contracts of the shipped ones, and photos that they understand.

In these photos a face is a marked square: pure blue is a face mask, pure green a bare lower face. The
finder takes the bounds of the marks for the lower face, the hole finder calls blue covered, the restorer
paints one skin tone. Everything around them, onnxruntime included, runs for real.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from demask.geometry import FRAME_POINTS
from demask.types import ImageU8

SKIN = (210, 160, 130)
BLUE, GREEN = (0, 0, 255), (0, 255, 0)
SQUARE = (78.0, 118.0, 178.0, 218.0)
"""The marked square in the canonical frame."""


def write_networks(folder: Path) -> Path:
    """Write finder.onnx, hole.onnx and restorer.onnx; return the folder."""
    onnx.save(_finder(), folder / "finder.onnx")
    onnx.save(_hole(), folder / "hole.onnx")
    onnx.save(_restorer(), folder / "restorer.onnx")
    return folder


def make_photo(
    colour: tuple[int, int, int] | None = BLUE, *, size: tuple[int, int] = (360, 300), side: int = 100
) -> ImageU8:
    """A grainy skin-toned photo, (height, width), with one marked square of `side` px or none."""
    height, width = size
    rng = np.random.default_rng(7)
    photo = np.array(SKIN) + np.linspace(-15, 15, width)[None, :, None] + rng.normal(0, 4, (*size, 1))
    photo = np.clip(photo, 0, 255).astype(np.uint8)
    if colour is not None:
        top, left = height // 2 - side // 4, width // 2 - side // 2
        photo[top : top + side, left : left + side] = colour
    return photo


def _marked(graph: list[onnx.NodeProto], source: str, *, green: bool) -> str:
    """Nodes that turn uint8 [N, H, W, 3] into float [N, H, W], 1 where the marks are."""
    graph.append(helper.make_node("Cast", [source], ["rgb"], to=TensorProto.FLOAT))
    for index, channel in enumerate("rgb"):
        graph.append(helper.make_node("Gather", ["rgb", f"{index}"], [f"c_{channel}"], axis=3))
        graph.append(helper.make_node("Greater", [f"c_{channel}", "high"], [f"high_{channel}"]))
        graph.append(helper.make_node("Less", [f"c_{channel}", "low"], [f"low_{channel}"]))
    graph.append(helper.make_node("And", ["low_r", "low_g"], ["dark_rg"]))
    graph.append(helper.make_node("And", ["dark_rg", "high_b"], ["blue"]))
    graph.append(helper.make_node("And", ["low_r", "low_b"], ["dark_rb"]))
    graph.append(helper.make_node("And", ["dark_rb", "high_g"], ["green"]))
    graph.append(helper.make_node("Or", ["blue", "green"], ["either"]))
    graph.append(helper.make_node("Cast", ["either" if green else "blue"], ["marked"], to=TensorProto.FLOAT))
    return "marked"


def _constants(**values: object) -> list[onnx.TensorProto]:
    base = {
        "0": np.array(0),
        "1": np.array(1),
        "2": np.array(2),
        "high": np.float32(170),
        "low": np.float32(110),
    }
    return [numpy_helper.from_array(np.asarray(value), name) for name, value in {**base, **values}.items()]


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    constants: list[onnx.TensorProto],
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, initializer=constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def _finder() -> onnx.ModelProto:
    nodes: list[onnx.NodeProto] = []
    marked = _marked(nodes, "photo", green=True)
    add = lambda kind, inputs, output, **options: nodes.append(  # noqa: E731
        helper.make_node(kind, inputs, [output], **options)
    )
    add("Shape", [marked], "shape")
    for axis, place, other in (("x", "2", 1), ("y", "1", 2)):
        add("ReduceMax", [marked], f"line_{axis}", axes=[0, other], keepdims=0)
        add("Gather", ["shape", place], f"size_{axis}", axis=0)
        add("Range", ["0", f"size_{axis}", "1"], f"range_{axis}")
        add("Cast", [f"range_{axis}"], f"at_{axis}", to=TensorProto.FLOAT)
        add("Sub", [f"size_{axis}", "1"], f"last_int_{axis}")
        add("Cast", [f"last_int_{axis}"], f"last_{axis}", to=TensorProto.FLOAT)
        add("Mul", [f"line_{axis}", f"at_{axis}"], f"there_{axis}")
        add("ReduceMax", [f"there_{axis}"], f"max_{axis}", keepdims=1)
        add("Sub", [f"last_{axis}", f"at_{axis}"], f"back_{axis}")
        add("Mul", [f"line_{axis}", f"back_{axis}"], f"back_there_{axis}")
        add("ReduceMax", [f"back_there_{axis}"], f"back_max_{axis}", keepdims=1)
        add("Sub", [f"last_{axis}", f"back_max_{axis}"], f"min_{axis}")
    add("Concat", ["min_x", "min_y"], "near", axis=0)
    add("Concat", ["max_x", "max_y"], "far", axis=0)
    add("Sub", ["far", "near"], "span")
    # Places as shares of the square, stretched to its bounds.
    for name in ("points", "corners"):
        add("Mul", [f"{name}_fraction", "span"], f"{name}_scaled")
        add("Add", [f"{name}_scaled", "near"], f"{name}_all")
    add("Unsqueeze", ["points_all", "axis0"], "points")
    add("Reshape", ["corners_all", "box_shape"], "boxes")
    add("ReduceMax", [marked], "any", keepdims=0)
    add("Reshape", ["any", "one"], "flat")
    add("Mul", ["flat", "sure"], "scores")
    x0, y0, x1, y1 = SQUARE
    share = lambda points: ((np.array(points) - (x0, y0)) / (x1 - x0, y1 - y0)).astype(np.float32)  # noqa: E731
    constants = _constants(
        points_fraction=share(FRAME_POINTS),
        corners_fraction=share([(66, 50), (190, 226)]),
        axis0=np.array([0]),
        box_shape=np.array([1, 4]),
        one=np.array([1]),
        sure=np.float32(0.9),
    )
    photo = helper.make_tensor_value_info("photo", TensorProto.UINT8, [1, "H", "W", 3])
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", 4]),
        helper.make_tensor_value_info("points", TensorProto.FLOAT, ["N", 5, 2]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N"]),
    ]
    return _model(nodes, [photo], outputs, constants)


def _hole() -> onnx.ModelProto:
    nodes: list[onnx.NodeProto] = []
    nodes.append(helper.make_node("Identity", [_marked(nodes, "crop", green=False)], ["coverage"]))
    crop = helper.make_tensor_value_info("crop", TensorProto.UINT8, ["N", 256, 256, 3])
    coverage = helper.make_tensor_value_info("coverage", TensorProto.FLOAT, ["N", 256, 256])
    return _model(nodes, [crop], [coverage], _constants())


def _restorer() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Unsqueeze", ["hole", "axis3"], ["hole_1"]),
        helper.make_node("Mul", ["masked", "nothing"], ["black"]),
        helper.make_node("Mul", ["hole_1", "nothing"], ["no_hole"]),
        helper.make_node("Add", ["black", "no_hole"], ["blank"]),
        helper.make_node("Add", ["blank", "skin"], ["restored"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([3]), "axis3"),
        numpy_helper.from_array(np.uint8(0), "nothing"),
        numpy_helper.from_array(np.array(SKIN, np.uint8), "skin"),
    ]
    inputs = [
        helper.make_tensor_value_info("masked", TensorProto.UINT8, ["N", 256, 256, 3]),
        helper.make_tensor_value_info("hole", TensorProto.UINT8, ["N", 256, 256]),
    ]
    restored = helper.make_tensor_value_info("restored", TensorProto.UINT8, ["N", 256, 256, 3])
    return _model(nodes, inputs, [restored], constants)
