"""Feature networks: the user's own, and SqueezeNet read out of the LPIPS graph."""

from pathlib import Path

import numpy as np
import pytest

from demask.errors import InputError, WeightsError
from demask.evaluation.metrics.feature_networks import FEATURE_PX, OnnxFeatures, SqueezeFeatures, as_crop
from demask.evaluation.metrics.lpips_metric import open_lpips

onnx = pytest.importorskip("onnx")


def mean_colour(path: Path, *, name: str = "crops") -> Path:
    """A network whose three features are the mean red, green and blue."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", [name], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["features"], axes=[1, 2], keepdims=0),
    ]
    crops = helper.make_tensor_value_info(name, TensorProto.UINT8, ["N", "H", "W", 3])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 3])
    graph = helper.make_graph(nodes, "colour", [crops], [features])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(6).integers(0, 256, (5, 64, 64, 3), np.uint8)


def test_a_network_of_the_users_own(tmp_path: Path, crops: np.ndarray) -> None:
    network = OnnxFeatures(mean_colour(tmp_path / "colour.onnx"), device="cpu", threads=1)
    assert network.name == "colour.onnx"
    features = network(crops)
    assert features.dtype == np.float32
    assert np.allclose(features, crops.mean(axis=(1, 2)), atol=1e-3)


def test_a_network_of_another_contract_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="needed is one input crops"):
        OnnxFeatures(mean_colour(tmp_path / "colour.onnx", name="images"), device="cpu")
    with pytest.raises(WeightsError, match="no weights file"):
        OnnxFeatures(tmp_path / "none.onnx", device="cpu")


def test_crops_of_another_shape_are_refused(tmp_path: Path, crops: np.ndarray) -> None:
    network = OnnxFeatures(mean_colour(tmp_path / "colour.onnx"), device="cpu", threads=1)
    for wrong in (crops[0], crops[:0], crops.astype(np.float32)):
        with pytest.raises(InputError, match="uint8"):
            network(wrong)


def test_pictures_are_brought_to_one_square() -> None:
    exact = np.zeros((FEATURE_PX, FEATURE_PX, 3), np.uint8)
    assert as_crop(exact) is exact
    for shape in ((512, 300, 3), (40, 33, 3)):
        assert np.array_equal(as_crop(np.full(shape, 99, np.uint8)), np.full_like(exact, 99))


def test_shrinking_averages_all_pixels() -> None:
    stripes = np.zeros((2 * FEATURE_PX, 2 * FEATURE_PX, 3), np.uint8)
    stripes[::2] = 200
    assert np.array_equal(as_crop(stripes), np.full((FEATURE_PX, FEATURE_PX, 3), 100, np.uint8))


@pytest.mark.shared
def test_squeezenet_describes_each_picture_on_its_own(metric_weights: Path, crops: np.ndarray) -> None:
    network = SqueezeFeatures(open_lpips("squeeze", device="cpu", threads=1))
    features = network(crops)
    assert features.shape == (5, 512)
    assert (features >= 0).all()
    for index in range(5):
        assert np.allclose(network(crops[index : index + 1])[0], features[index], atol=1e-5)
    assert np.linalg.norm(features[0] - features[1]) > 1e-2
