"""LPIPS with AlexNet and VGG-16 against torchmetrics, both on the same weights drawn at random."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from demask.evaluation.metrics.lpips_networks import DeepLpips, Network

torch = pytest.importorskip("torch")


def published_layout(network: Network) -> "torch.nn.Sequential":
    """The feature layers as torchvision numbers them, with weights that keep signals alive."""
    nn = torch.nn
    if network == "alex":
        plan = [(64, 11, 4, 2), "pool", (192, 5, 1, 2), "pool", (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1)]
        pool = (3, 2)
    else:
        plan = [64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512]
        plan = [(width, 3, 1, 1) if isinstance(width, int) else width for width in plan]
        pool = (2, 2)
    layers, channels = [], 3
    for entry in [*plan, "pool"]:
        if isinstance(entry, str):
            layers.append(nn.MaxPool2d(*pool))
            continue
        wide, side, stride, padding = entry
        convolution = nn.Conv2d(channels, wide, side, stride=stride, padding=padding)
        nn.init.kaiming_normal_(convolution.weight)
        nn.init.normal_(convolution.bias, std=0.1)
        layers += [convolution, nn.ReLU()]
        channels = wide
    return nn.Sequential(*layers)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("network", ["alex", "vgg"])
def test_both_give_the_same_distance(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("torchmetrics.functional.image.lpips")
    with torch.random.fork_rng():
        torch.manual_seed(11)
        features = published_layout(network)
        monkeypatch.setattr(module, "_get_tv_model_features", lambda net, pretrained=False: features)
        reference = module._LPIPS(pretrained=False, net=network, pnet_rand=True)
        for layer in reference.lins:
            torch.nn.init.uniform_(layer.model[1].weight, 0, 1)
    torch.save({f"features.{name}": value for name, value in features.state_dict().items()}, tmp_path / "b.pth")
    linear = {
        f"lin{i}.model.1.weight": layer.model[1].weight.detach() for i, layer in enumerate(reference.lins)
    }
    torch.save(linear, tmp_path / "l.pth")

    rng = np.random.default_rng(2)
    truth = cv2.resize(rng.integers(0, 256, (12, 12, 3), np.uint8), (64, 80), interpolation=cv2.INTER_CUBIC)
    picture = np.clip(truth + rng.normal(0, 25, truth.shape), 0, 255).astype(np.uint8)
    planes = [
        torch.from_numpy(shown.transpose(2, 0, 1)[None].astype(np.float32)) / 127.5 - 1
        for shown in (picture, truth)
    ]
    with torch.no_grad():
        theirs = float(reference(*planes).mean())
    ours = DeepLpips(network, backbone=tmp_path / "b.pth", linear=tmp_path / "l.pth", device="cpu")
    assert ours(picture, truth) == pytest.approx(theirs, rel=1e-4)
