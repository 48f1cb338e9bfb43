"""The metric networks, where this machine has them."""

import os
from pathlib import Path

import numpy as np
import pytest

from demask.evaluation.metrics.comparison import FROZEN_METRICS, Comparison
from demask.evaluation.metrics.networks import open_networks
from demask.weights import registry

NEIGHBOUR = Path(__file__).parents[3].parent / "shared" / "weights"


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    """LPIPS and identity, opened from `DEMASK_WEIGHTS` or the folder beside the repository."""
    with pytest.MonkeyPatch.context() as patch:
        if "DEMASK_WEIGHTS" not in os.environ and NEIGHBOUR.is_dir():
            patch.setenv("DEMASK_WEIGHTS", str(NEIGHBOUR))
        networks = open_networks(FROZEN_METRICS, device="cpu", threads=1, points_known=True)
        if networks.missing:
            pytest.skip(f"needs more weights: {networks.missing}")
        return Comparison(FROZEN_METRICS, networks, holes=True)


@pytest.fixture
def metric_weights(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the metric networks, named by DEMASK_WEIGHTS while the test runs."""
    folder = Path(os.environ.get("DEMASK_WEIGHTS", NEIGHBOUR))
    monkeypatch.setenv("DEMASK_WEIGHTS", str(folder))
    if any(
        registry.locate(name) is None for name in ("squeeze_backbone", "lpips_squeeze_linear", "mobileface")
    ):
        pytest.skip("needs the files of LPIPS and mobileface in DEMASK_WEIGHTS")
    return folder


@pytest.fixture
def drawn_face() -> np.ndarray:
    """A face of ellipses in the canonical frame, uint8 RGB [256, 256, 3]: nobody's likeness."""
    import cv2

    rng = np.random.default_rng(5)
    picture = np.full((256, 256, 3), (90, 120, 150), np.uint8)
    cv2.ellipse(picture, (128, 140), (84, 112), 0, 0, 360, (205, 165, 140), -1, cv2.LINE_AA)
    for x in (90, 166):
        cv2.ellipse(picture, (x, 92), (16, 9), 0, 0, 360, (250, 250, 250), -1, cv2.LINE_AA)
        cv2.circle(picture, (x, 92), 8, (60, 40, 30), -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, 74), (22, 6), 0, 180, 360, (70, 50, 40), 4, cv2.LINE_AA)
    cv2.line(picture, (128, 96), (120, 136), (170, 130, 110), 3, cv2.LINE_AA)
    cv2.ellipse(picture, (128, 178), (32, 9), 0, 0, 360, (170, 80, 80), -1, cv2.LINE_AA)
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
