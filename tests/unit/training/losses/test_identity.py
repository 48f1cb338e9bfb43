from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from demask.errors import WeightsError
from demask.geometry import ARCFACE_POINTS, ARCFACE_PX, FRAME_POINTS, crop_to_frame, similarity
from demask.training.losses.perceptual import arcface_chips, identity_distance
from demask.training.models.frozen_onnx import FrozenOnnx


def small_graph(path: Path, *, last: str = "BatchNormalization") -> Path:
    """Every operator that is known, in one small graph, weights drawn from a seed."""
    rng = np.random.default_rng(0)

    def kept(name: str, array: np.ndarray) -> TensorProto:
        return numpy_helper.from_array(array.astype(np.float32), name)

    nodes = [
        helper.make_node("Constant", [], ["half"], value=kept("", np.array(0.5))),
        helper.make_node("Sub", ["x", "half"], ["a"]),
        helper.make_node("Mul", ["a", "half"], ["b"]),
        helper.make_node(
            "Conv", ["b", "w1", "b1"], ["c"], kernel_shape=[3, 3], pads=[0, 0, 1, 1], strides=[2, 2]
        ),
        helper.make_node("Clip", ["c", "zero", ""], ["d"]),
        helper.make_node("Conv", ["d", "w2"], ["e"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=4),
        helper.make_node("Relu", ["e"], ["f"]),
        helper.make_node("Add", ["d", "f"], ["g"]),
        helper.make_node("Flatten", ["g"], ["h"], axis=1),
        helper.make_node("MatMul", ["h", "w3"], ["i"]),
        helper.make_node(last, ["i", "gain", "bias", "mean", "var"], ["out"]),
    ]
    stored = [
        kept("w1", rng.normal(size=(4, 3, 3, 3))),
        kept("b1", rng.normal(size=4)),
        kept("w2", rng.normal(size=(4, 1, 3, 3))),
        kept("w3", rng.normal(size=(4 * 4 * 4, 6))),
        kept("zero", np.array(0.0)),
        *(kept(name, rng.uniform(0.5, 1.5, 6)) for name in ("gain", "bias", "mean", "var")),
    ]
    shown = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])]
    given = [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 6])]
    graph = helper.make_graph(nodes, "small", shown, given, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path


def test_the_graph_says_in_torch_what_it_says_in_onnxruntime(tmp_path: Path) -> None:
    path = small_graph(tmp_path / "small.onnx")
    x = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)
    (wanted,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    network = FrozenOnnx(path)
    picture = torch.from_numpy(x).requires_grad_()
    got = network(picture)
    np.testing.assert_allclose(got.detach().numpy(), wanted, atol=1e-4)
    got.sum().backward()
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0
    assert not list(network.parameters())


def test_what_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="InstanceNormalization"):
        FrozenOnnx(small_graph(tmp_path / "odd.onnx", last="InstanceNormalization"))
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(WeightsError, match="no ONNX file"):
        FrozenOnnx(tmp_path / "text.onnx")


def test_chips_are_cut_as_the_metric_cuts_them() -> None:
    y, x = np.mgrid[:256, :256]
    crop = np.stack([x, y, (x + y) // 2], axis=-1).astype(np.uint8)
    wanted, inside = crop_to_frame(crop, similarity(FRAME_POINTS, ARCFACE_POINTS), size_px=ARCFACE_PX)
    tensor = torch.from_numpy(crop.transpose(2, 0, 1)[None].astype(np.float32)) / 127.5 - 1
    chips = arcface_chips(tensor)[0].numpy().transpose(1, 2, 0)
    assert inside.mean() > 0.9
    assert np.abs(chips - wanted)[inside].max() < 1.5


def test_distance_is_none_for_the_same_face_and_pulls_towards_it() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * ARCFACE_PX**2, 8, bias=False))
    network.requires_grad_(False)
    face, other = torch.rand(2, 2, 3, 256, 256) * 2 - 1
    assert identity_distance(network, face, face).item() == pytest.approx(0, abs=1e-5)
    drawn = other.clone().requires_grad_()
    before = identity_distance(network, drawn, face)
    before.backward()
    assert drawn.grad is not None
    after = identity_distance(network, (drawn - drawn.grad / drawn.grad.norm()).detach(), face)
    assert 0 < after < before
