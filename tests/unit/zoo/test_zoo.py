"""The zoo as a package: it builds, installs, and its networks are what their cards say."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from demask.errors import WeightsError
from demask.restorers import plugins
from demask.restorers.by_name import NAMES, describe, get_restorer
from demask.restorers.zoo_names import ZOO

ROOT = Path(__file__).parents[3] / "zoo"


def test_names_are_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    entries = project["entry-points"][plugins.GROUP]
    assert list(entries) == list(ZOO)
    assert {entry.partition(":")[2].replace("_", "-") for entry in entries.values()} == set(ZOO)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in readme for name in ZOO)


def test_what_is_kept_is_whole_and_small() -> None:
    """Of the checkout at hand: each file has its card and is what that says."""
    networks = ROOT / "src" / "demask_zoo" / "networks"
    files = sorted(path.stem for path in networks.glob("*.onnx"))
    assert files == sorted(path.stem for path in networks.glob("*.json"))
    assert set(files) <= set(ZOO)
    sizes = [(networks / f"{name}.onnx").stat().st_size for name in files]
    assert sum(sizes) <= 90_000_000
    assert max(sizes, default=0) <= 30_000_000


def test_a_name_without_a_network_says_so(zoo: Path) -> None:
    with pytest.raises(WeightsError, match="'deepfill-v2' is not in this zoo yet"):
        get_restorer("deepfill-v2")
    listed = {one.name: one for one in plugins.listing(taken=NAMES)}
    assert set(listed) == set(ZOO)
    assert all("not in this zoo yet" in one.reason and one.about is None for one in listed.values())


def test_damage_is_named(zoo: Path) -> None:
    from demask_zoo.card import Card, card_text

    (zoo / "deepfill-v1.onnx").write_bytes(b"not the network")
    card = Card(
        name="deepfill-v1", version=1, what="w", paper="p", recipe="deepfill-v1", side_px=128, width=16,
        published_width=32, parameters=1, pictures_seen=2, minutes=3.0, published_budget="b", figures={},
        data=[], licence="l", blind=False, weights="float16", same_picture={}, bytes=15, sha256="0" * 64,
        departures=[],
    )  # fmt: skip
    path = zoo / "deepfill-v1.json"
    path.write_text(card_text(card))
    assert describe("deepfill-v1").parameters[0].paper == 32
    with pytest.raises(WeightsError, match=r"deepfill-v1\.onnx is damaged: its sha256 is"):
        get_restorer("deepfill-v1")
    (zoo / "deepfill-v1.onnx").unlink()
    with pytest.raises(WeightsError, match=r"deepfill-v1\.onnx cannot be read"):
        get_restorer("deepfill-v1")
    for text, said in (
        ("{", "cannot be read"),
        ("[]", "is a list, need a table"),
        (re.sub(r'.*"width".*\n', "", path.read_text(), count=1), "lacks or has too much: width"),
        (json.dumps({**dataclasses.asdict(card), "version": "1"}), "says version is '1'"),
        (json.dumps({**dataclasses.asdict(card), "weights": "int4"}), "says weights is 'int4'"),
    ):
        path.write_text(text)
        with pytest.raises(WeightsError, match=said):
            get_restorer("deepfill-v1")


def test_weights_in_8_bits(zoo: Path) -> None:
    """A quarter of float32, each output channel with a scale of its own, widened when the file is opened."""
    from demask_zoo.small_weights import to_int8

    rng = np.random.default_rng(0)
    down, up = (rng.normal(0, 0.1, shape).astype(np.float16) for shape in ((40, 3, 4, 4), (40, 3, 4, 4)))
    down[0] *= 100  # It must not spoil the other channels.
    nodes = [
        helper.make_node("Cast", ["down.half"], ["down"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["up.half"], ["up"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "down"], ["deep"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("ConvTranspose", ["deep", "up"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1]),
    ]
    shape = [1, 3, 16, 16]
    graph = helper.make_graph(
        nodes,
        "both",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        initializer=[numpy_helper.from_array(down, "down.half"), numpy_helper.from_array(up, "up.half")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    feed = {"x": rng.normal(size=shape).astype(np.float32)}
    before = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)[0]
    size = len(model.SerializeToString())
    assert to_int8(model) == 2
    onnx.checker.check_model(model)
    assert len(model.SerializeToString()) < 0.65 * size
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert np.allclose(stored["down.scale"].ravel(), np.abs(down).max((1, 2, 3)) / 127, rtol=1e-3)
    assert stored["up.scale"].shape == (1, 3, 1, 1)
    assert np.abs(stored["down.int8"][1:].astype(int)).max((1, 2, 3)).min() == 127
    after = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)[0]
    assert np.abs(after - before).max() < 0.02 * np.abs(before).max()
