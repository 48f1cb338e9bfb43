"""The exported LPIPS graph against the same metric written in torch, from the published layers."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

NEIGHBOUR = Path(__file__).parents[2].parent / "shared" / "weights"
WEIGHTS = Path(os.environ.get("DEMASK_WEIGHTS", NEIGHBOUR))
FILES = ("lpips_sq.onnx", "squeeze.backbone.pth", "lpips_squeeze_linear.pth")

torch = pytest.importorskip("torch")


@pytest.mark.shared
@pytest.mark.skipif(
    not all((WEIGHTS / file).is_file() for file in FILES), reason="needs DEMASK_WEIGHTS with the LPIPS files"
)
@pytest.mark.parametrize("damage", ["noise", "blur", "shift", "half black"])
def test_both_give_the_same_distance(damage: str) -> None:
    from demask.evaluation.metrics.perceptual import Lpips
    from demask.training.losses.perceptual import Lpips as TorchLpips
    from demask.weights.sessions import open_session

    rng = np.random.default_rng(11)
    truth = cv2.resize(rng.integers(0, 256, (24, 24, 3), np.uint8), (128, 128), interpolation=cv2.INTER_CUBIC)
    picture = {
        "noise": np.clip(truth + rng.normal(0, 20, truth.shape), 0, 255).astype(np.uint8),
        "blur": cv2.GaussianBlur(truth, (0, 0), 4),
        "shift": np.roll(truth, 5, axis=1),
        "half black": np.where(np.arange(128)[:, None, None] < 64, truth, np.uint8(0)),
    }[damage]
    ours = Lpips(open_session(WEIGHTS / FILES[0], device="cpu", threads=1))(picture, truth)
    reference = TorchLpips(backbone=WEIGHTS / FILES[1], linear=WEIGHTS / FILES[2])

    def ranged(pixels: np.ndarray) -> "torch.Tensor":
        return torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32)) / 127.5 - 1

    with torch.no_grad():
        theirs = float(reference(ranged(picture), ranged(truth)).mean())
    assert ours == pytest.approx(theirs, rel=1e-3)
