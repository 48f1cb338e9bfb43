"""Sessions on real, tiny networks; devices that are not there."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from demask.errors import DeviceUnavailable, UsageError, WeightsError
from demask.weights.devices import providers_for
from demask.weights.sessions import open_session, require_contract

HAS_CUDA = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def test_a_session_runs(tiny_weights: Path) -> None:
    session = open_session(tiny_weights / "hole.onnx", device="cpu", threads=1)
    crop = np.zeros((2, 256, 256, 3), np.uint8)
    crop[1, 100:150, 100:150] = (0, 0, 255)
    (coverage,) = session.run(["coverage"], {"crop": crop})
    assert coverage.shape == (2, 256, 256)
    assert coverage.sum(axis=(1, 2)).tolist() == [0, 2500]


def test_threads_and_company_change_no_bit() -> None:
    """A photo alone and one of many, one thread and many, several faces at once: the same bytes."""
    rng = np.random.default_rng(15)
    smooth = [cv2.resize(rng.integers(0, 256, (16, 16, 3), np.uint8), (256, 256)) for _ in range(3)]
    crops = np.stack(smooth)
    holes = np.zeros((3, 256, 256), np.uint8)
    holes[:, 120:230, 60:200] = 1
    feeds = {
        "finder": {"photo": crops[:1]},
        "hole": {"crop": crops},
        "restorer": {"masked": np.where(holes[..., None] > 0, np.uint8(0), crops), "hole": holes},
    }
    for name, feed in feeds.items():
        alone = {key: value[:1] for key, value in feed.items()}
        expected = open_session(name, device="cpu", threads=1).run(None, alone)
        for threads in (1, 2, 3, 4):
            session = open_session(name, device="cpu", threads=threads)
            for got, wanted in zip(session.run(None, alone), expected, strict=True):
                assert np.array_equal(got, wanted), f"{name} with {threads} threads"
            if name != "finder":
                together = session.run(None, feed)[0]
                assert np.array_equal(together[:1], expected[0]), f"{name}, three crops, {threads} threads"


def test_a_name_is_looked_up(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    assert open_session("hole", device="cpu").get_outputs()[0].name == "coverage"


@pytest.mark.parametrize("content", [b"", b"not a network", None])
def test_broken_files(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "network.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"network\.onnx") as caught:
        open_session(path, device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", ""])
def test_unknown_devices(device: str) -> None:
    with pytest.raises(UsageError, match="unknown device"):
        providers_for(device)


@pytest.mark.skipif(HAS_CUDA, reason="this runtime has CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:3"])
def test_a_named_device_is_never_replaced(tiny_weights: Path, device: str) -> None:
    with pytest.raises(DeviceUnavailable, match=device):
        open_session(tiny_weights / "hole.onnx", device=device)
    assert providers_for("auto") == ["CPUExecutionProvider"]


def test_devices_to_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both)
    assert providers_for("cuda:2")[0] == ("CUDAExecutionProvider", {"device_id": 2})
    assert providers_for("auto")[0] == ("CUDAExecutionProvider", {"device_id": 0})
    assert providers_for("cpu") == ["CPUExecutionProvider"]


def test_threads_must_make_sense(tiny_weights: Path) -> None:
    with pytest.raises(UsageError, match="threads is 0"):
        open_session(tiny_weights / "hole.onnx", threads=0)


def test_contracts(tiny_weights: Path) -> None:
    session = open_session(tiny_weights / "hole.onnx", device="cpu")
    inputs, outputs = {"crop": "tensor(uint8)"}, {"coverage": "tensor(float)"}
    require_contract(session, inputs=inputs, outputs=outputs, what="hole finder")
    with pytest.raises(WeightsError, match="not a restorer"):
        require_contract(session, inputs={"masked": "tensor(uint8)"}, outputs=outputs, what="restorer")
    with pytest.raises(WeightsError, match="restored"):
        require_contract(session, inputs=inputs, outputs={"restored": "tensor(uint8)"}, what="restorer")
