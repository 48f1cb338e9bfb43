"""LPIPS against torchmetrics' own formula on the same weights, and against an export that others made."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from demask.evaluation.metrics.lpips_metric import LpipsPair  # noqa: E402
from demask.training.export.graphs import export_lpips  # noqa: E402
from demask.training.losses.perceptual import Lpips, Network  # noqa: E402
from demask.weights.sessions import open_session  # noqa: E402

NEIGHBOUR = Path(__file__).parents[2].parent / "shared"
WEIGHTS = Path(os.environ.get("DEMASK_WEIGHTS", NEIGHBOUR / "weights"))
PHOTOS = Path(os.environ.get("DEMASK_DATA", NEIGHBOUR / "data")) / "real_masked"
BACKBONES = ("squeezenet1_1-b8a52dc0.pth", "squeeze.backbone.pth")
LINEAR, THEIRS = "lpips_squeeze_linear.pth", "lpips_sq.onnx"


def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pictures beside damaged ones: photographs where there are any, else drawn ones."""
    rng = np.random.default_rng(11)
    truths = [
        cv2.resize(rng.integers(0, 256, (24, 24, 3), np.uint8), (131, 128), interpolation=cv2.INTER_CUBIC)
    ]
    truths += [
        cv2.resize(cv2.imread(str(path))[:, :, ::-1], (224, 160), interpolation=cv2.INTER_AREA)
        for path in sorted(PHOTOS.glob("*.jpg"))[:3]
    ]
    for truth in truths:
        yield np.clip(truth + rng.normal(0, 20, truth.shape), 0, 255).astype(np.uint8), truth
        yield cv2.GaussianBlur(truth, (0, 0), 4), truth
        yield np.roll(truth, 5, axis=1), truth
        yield np.where(np.arange(len(truth))[:, None, None] < 64, truth, np.uint8(0)), truth


def ranged(pixels: np.ndarray) -> "torch.Tensor":
    return (
        torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None].astype(np.float32)) / 127.5 - 1
    )


def reference(network: Network, folder: Path, monkeypatch: pytest.MonkeyPatch) -> "torch.nn.Module":
    """Torchmetrics' network with weights drawn at random, which are saved as the published files are."""
    module = pytest.importorskip("torchmetrics.functional.image.lpips")
    with torch.random.fork_rng():
        torch.manual_seed(11)
        features = published_layout(network)
        monkeypatch.setattr(module, "_get_tv_model_features", lambda net, pretrained=False: features)
        theirs = module._LPIPS(pretrained=False, net=network, pnet_rand=True)
        for layer in theirs.lins:
            torch.nn.init.uniform_(layer.model[1].weight, 0, 1)
    torch.save({f"features.{name}": value for name, value in features.state_dict().items()}, folder / "b.pth")
    weights = [layer.model[1].weight.detach() for layer in theirs.lins]
    torch.save({f"lin{i}.model.1.weight": weight for i, weight in enumerate(weights)}, folder / "l.pth")
    return theirs


def published_layout(network: Network) -> "torch.nn.Sequential":
    """The feature layers as torchvision numbers them, with weights that keep signals alive."""
    nn = torch.nn
    if network == "squeeze":
        from demask.training.losses.perceptual import _squeezenet

        layers = list(_squeezenet())
    else:
        if network == "alex":
            plan = [
                (64, 11, 4, 2),
                "pool",
                (192, 5, 1, 2),
                "pool",
                (384, 3, 1, 1),
                (256, 3, 1, 1),
                (256, 3, 1, 1),
            ]
            pool = (3, 2)
        else:
            plan = [
                64,
                64,
                "pool",
                128,
                128,
                "pool",
                256,
                256,
                256,
                "pool",
                512,
                512,
                512,
                "pool",
                512,
                512,
                512,
            ]
            plan = [(width, 3, 1, 1) if isinstance(width, int) else width for width in plan]
            pool = (2, 2)
        layers, channels = [], 3
        for entry in [*plan, "pool"]:
            if isinstance(entry, str):
                layers.append(nn.MaxPool2d(*pool))
                continue
            wide, side, stride, padding = entry
            layers += [nn.Conv2d(channels, wide, side, stride=stride, padding=padding), nn.ReLU()]
            channels = wide
    made = nn.Sequential(*layers)
    for part in made.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
            nn.init.normal_(part.bias, std=0.1)
    return made


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("network", ["squeeze", "alex", "vgg"])
def test_loss_and_metric_are_torchmetrics(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = reference(network, tmp_path, monkeypatch)
    loss = Lpips(network=network, backbone=tmp_path / "b.pth", linear=tmp_path / "l.pth")
    export_lpips(loss, tmp_path / "lpips.onnx")
    metric = LpipsPair(open_session(tmp_path / "lpips.onnx", device="cpu", threads=1))
    for picture, truth in list(pairs())[:6]:
        with torch.no_grad():
            wanted = float(theirs(ranged(picture), ranged(truth)).mean())
            assert float(loss(ranged(picture), ranged(truth))) == pytest.approx(wanted, rel=1e-4)
        assert metric(picture, truth) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.shared
def test_the_published_weights_give_what_an_export_of_others_gives(tmp_path: Path) -> None:
    backbone = next((WEIGHTS / name for name in BACKBONES if (WEIGHTS / name).is_file()), None)
    if backbone is None or not all((WEIGHTS / name).is_file() for name in (LINEAR, THEIRS)):
        pytest.skip("needs DEMASK_WEIGHTS with the LPIPS files")
    export_lpips(Lpips(backbone=backbone, linear=WEIGHTS / LINEAR), tmp_path / "lpips.onnx")
    metric = LpipsPair(open_session(tmp_path / "lpips.onnx", device="cpu", threads=1))
    theirs = open_session(WEIGHTS / THEIRS, device="cpu", threads=1)
    mean, std = (
        np.array(v, np.float32).reshape(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )

    def normalised(pixels: np.ndarray) -> np.ndarray:
        return ((pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255 - mean) / std).astype(np.float32)

    compared = 0
    for picture, truth in pairs():
        wanted = float(
            np.ravel(theirs.run(None, {"ref": normalised(truth), "dist": normalised(picture)})[0])[0]
        )
        if np.isfinite(wanted):  # Its division gives no number where a picture is flat.
            assert metric(picture, truth) == pytest.approx(wanted, abs=1e-4)
            compared += 1
    assert compared >= 3


@pytest.mark.parametrize("sign", [1, -1])
def test_a_flat_picture_has_a_gradient(tmp_path: Path, sign: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reference("squeeze", tmp_path, monkeypatch)
    loss = Lpips(backbone=tmp_path / "b.pth", linear=tmp_path / "l.pth")
    for layer in loss.layers.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.zeros_(layer.bias)
    flat = torch.full((1, 3, 64, 64), float(sign), requires_grad=True)
    loss(flat, torch.zeros(1, 3, 64, 64)).backward()
    assert torch.isfinite(flat.grad).all()
