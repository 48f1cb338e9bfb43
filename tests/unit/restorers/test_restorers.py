"""Every restorer fills a hole, by name, one by one and in batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from demask.errors import ShapeMismatch, UsageError, WeightsError
from demask.restorers.network import NetworkRestorer
from demask.restorers.registry import BatchRestorer, fill, get_restorer
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


def test_the_network_gets_the_hole_blanked(crop: ImageU8, hole: Hole) -> None:
    fed: dict[str, np.ndarray] = {}

    class Node:
        def __init__(self, name: str) -> None:
            self.name, self.type = name, "tensor(uint8)"

    class Session:
        def get_inputs(self) -> list[Node]:
            return [Node("masked"), Node("hole")]

        def get_outputs(self) -> list[Node]:
            return [Node("restored")]

        def run(self, outputs: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            fed.update(feed)
            return [feed["masked"]]

    NetworkRestorer(Session())(crop, hole)
    assert fed["hole"].dtype == np.uint8
    assert np.array_equal(fed["hole"][0] == 1, hole)
    assert (fed["masked"][0][hole] == 0).all()
    assert np.array_equal(fed["masked"][0][~hole], crop[~hole])


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
