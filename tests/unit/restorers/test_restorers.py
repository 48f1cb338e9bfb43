"""Every restorer fills a hole, by name, one by one and in batches."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from demask.errors import ShapeMismatch, UsageError, WeightsError
from demask.restorers.by_name import BatchRestorer, fill, get_restorer
from demask.restorers.network import NetworkRestorer
from demask.types import Hole, ImageU8
from demask.weights.sessions import open_session
from tiny_networks import SKIN


@pytest.fixture
def crop() -> ImageU8:
    """A smooth picture."""
    y, x = np.mgrid[0:256, 0:256]
    return np.dstack([x // 2 + 60, y // 2 + 40, np.full_like(x, 90)]).astype(np.uint8)


@pytest.fixture
def hole() -> Hole:
    hole = np.zeros((256, 256), bool)
    hole[100:140, 90:150] = True
    return hole


@pytest.fixture
def network(tiny_weights: Path) -> NetworkRestorer:
    return NetworkRestorer(open_session(tiny_weights / "restorer.onnx", device="cpu", threads=1))


@pytest.mark.parametrize("name", ["telea", "navier-stokes"])
def test_classical_methods_continue_a_smooth_picture(name: str, crop: ImageU8, hole: Hole) -> None:
    masked = np.where(hole[..., None], np.uint8(255), crop)
    restored = get_restorer(name)(masked, hole)
    assert restored.dtype == np.uint8
    assert np.array_equal(restored[~hole], crop[~hole])
    assert np.abs(restored[hole].astype(int) - crop[hole]).mean() < 8


@pytest.mark.parametrize("name", ["telea", "navier-stokes"])
def test_what_lies_in_the_hole_does_not_matter(name: str, crop: ImageU8, hole: Hole) -> None:
    restorer = get_restorer(name)
    black, white = (np.where(hole[..., None], np.uint8(value), crop) for value in (0, 255))
    assert np.array_equal(restorer(black, hole), restorer(white, hole))


def echo(
    path: Path, *, size: int | str = 256, num: int | str = "N", layout: str = "NHWC", blind: bool = False
) -> str:
    """Write a network that gives back what it is fed as `masked`; return its path."""
    crop = {"NHWC": [num, size, size, 3], "NCHW": [num, 3, size, size]}[layout]
    value = functools.partial(helper.make_tensor_value_info, elem_type=TensorProto.UINT8)
    inputs = [value("masked", shape=crop), *([] if blind else [value("hole", shape=[num, size, size])])]
    node = helper.make_node("Identity", ["masked"], ["restored"])
    graph = helper.make_graph([node], "echo", inputs, [value("restored", shape=crop)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return str(path)


def test_the_network_gets_the_hole_blanked(tmp_path: Path, crop: ImageU8, hole: Hole) -> None:
    fed = get_restorer(echo(tmp_path / "echo.onnx"), device="cpu")(crop, hole)
    assert (fed[hole] == 0).all()
    assert np.array_equal(fed[~hole], crop[~hole])


def test_a_translator_gets_the_covering(tmp_path: Path, crop: ImageU8, hole: Hole) -> None:
    fed = get_restorer(echo(tmp_path / "echo.onnx", blind=True), device="cpu")(crop, hole)
    assert np.array_equal(fed, crop)


@pytest.mark.parametrize("blind", [False, True])
def test_a_network_of_one_crop_at_a_time(tmp_path: Path, crop: ImageU8, hole: Hole, blind: bool) -> None:
    one = get_restorer(echo(tmp_path / "one.onnx", num=1, blind=blind), device="cpu")
    any_number = get_restorer(echo(tmp_path / "any.onnx", blind=blind), device="cpu")
    crops, holes = np.stack([crop, crop[::-1], crop[:, ::-1]]), np.stack([hole, hole[::-1], hole[:, ::-1]])
    assert np.array_equal(fill(one, crops, holes), fill(any_number, crops, holes))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ({"size": 512}, r"masked is \[N, 512, 512, 3\], needed is \[N, 256, 256, 3\]"),
        ({"size": 128, "blind": True}, r"masked is \[N, 128, 128, 3\], needed is \[N, 256, 256, 3\]"),
        ({"layout": "NCHW"}, r"masked is \[N, 3, 256, 256\], needed is \[N, 256, 256, 3\]"),
        ({"num": 4}, r"takes \[4\] crops at a time"),
    ],
)
def test_a_network_of_another_size_is_refused_on_opening(
    tmp_path: Path, kind: dict[str, Any], said: str
) -> None:
    path = echo(tmp_path / "other.onnx", **kind)
    with pytest.raises(WeightsError, match=rf"other\.onnx: the network is not a .*{said}.*docs/restorers\.md"):
        get_restorer(path, device="cpu")


def test_a_network_that_leaves_its_size_open(tmp_path: Path, crop: ImageU8, hole: Hole) -> None:
    restorer = get_restorer(echo(tmp_path / "open.onnx", size="S"), device="cpu")
    assert restorer(crop, hole).shape == crop.shape


def test_a_network_that_fails_or_makes_another_size(tmp_path: Path, crop: ImageU8, hole: Hole) -> None:
    """Found only when it runs, where the file says nothing of sizes."""
    value = functools.partial(helper.make_tensor_value_info, elem_type=TensorProto.UINT8)
    twice = helper.make_node("Concat", ["masked", "masked"], ["restored"], axis=1)
    fails = helper.make_node("Gather", ["masked", "rows"], ["restored"], axis=1)
    for node, said in ((twice, "needed is the same size"), (fails, "be run")):
        graph = helper.make_graph(
            [node],
            "open",
            [value("masked", shape=["N", "H", "W", "C"])],
            [value("restored", shape=["N", "H2", "W2", "C2"])],
            initializer=[numpy_helper.from_array(np.full(256, 9999), "rows")],
        )
        graph.output[0].type.tensor_type.ClearField("shape")
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, tmp_path / "network.onnx")
        with pytest.raises(WeightsError, match=said):
            get_restorer(str(tmp_path / "network.onnx"), device="cpu")(crop, hole)


def test_the_network_one_by_one_and_in_batches(network: NetworkRestorer, crop: ImageU8, hole: Hole) -> None:
    one = network(crop, hole)
    assert one.shape == (256, 256, 3)
    assert (one == SKIN).all()
    three = network.batch(np.stack([crop] * 3), np.stack([hole] * 3))
    assert np.array_equal(three, np.stack([one] * 3))


def test_fill_takes_any_restorer(network: NetworkRestorer, crop: ImageU8, hole: Hole) -> None:
    crops, holes = np.stack([crop, crop[::-1]]), np.stack([hole, hole[::-1]])
    assert isinstance(network, BatchRestorer)
    assert fill(network, crops, holes).shape == crops.shape
    telea = get_restorer("telea")
    assert not isinstance(telea, BatchRestorer)
    assert np.array_equal(fill(telea, crops, holes)[1], telea(crops[1], holes[1]))


def test_sizes_must_agree(network: NetworkRestorer, crop: ImageU8, hole: Hole) -> None:
    for restorer in (network, get_restorer("telea")):
        with pytest.raises(ShapeMismatch):
            restorer(crop, hole[:100])


def test_names() -> None:
    with pytest.raises(UsageError, match="did you mean 'navier-stokes'"):
        get_restorer("navierstokes")
    with pytest.raises(UsageError, match=r"\.onnx"):
        get_restorer("zzz")
    with pytest.raises(WeightsError, match=r"nowhere\.onnx"):
        get_restorer("nowhere.onnx")


def test_the_shipped_name_and_a_path_are_the_same(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch, crop: ImageU8, hole: Hole
) -> None:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    by_name = get_restorer("network", device="cpu")
    by_path = get_restorer(str(tiny_weights / "restorer.onnx"), device="cpu")
    assert np.array_equal(by_name(crop, hole), by_path(crop, hole))
