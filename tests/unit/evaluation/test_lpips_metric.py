"""LPIPS from weights drawn at random: made once, contracts and errors; values are in tests/reference."""

from pathlib import Path

import numpy as np
import pytest

from demask.errors import InputError, WeightsError
from demask.evaluation.metrics import lpips_metric
from demask.evaluation.metrics.lpips_metric import LpipsPair, lpips_graph
from demask.weights.sessions import open_session

torch = pytest.importorskip("torch")

from demask.training.export.graphs import export_lpips  # noqa: E402
from demask.training.losses.perceptual import Lpips  # noqa: E402

SHAPES = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("alex")
    generator = torch.Generator().manual_seed(3)
    backbone = {"classifier.6.bias": torch.zeros(4)}
    linear = {}
    for index, (layer, (wide, channels, side)) in enumerate(SHAPES.items()):
        scale = (channels * side**2) ** -0.5
        backbone[f"features.{layer}.weight"] = scale * torch.randn(
            (wide, channels, side, side), generator=generator
        )
        backbone[f"features.{layer}.bias"] = 0.1 * torch.randn(wide, generator=generator)
        linear[f"lin{index}.model.1.weight"] = torch.rand((1, wide, 1, 1), generator=generator)
    torch.save(backbone, folder / "backbone.pth")
    torch.save(linear, folder / "linear.pth")
    return folder / "backbone.pth", folder / "linear.pth"


@pytest.fixture(scope="module")
def lpips(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> LpipsPair:
    path = tmp_path_factory.mktemp("graph") / "alex.onnx"
    export_lpips(Lpips(network="alex", backbone=files[0], linear=files[1]), path)
    return LpipsPair(open_session(path, device="cpu", threads=1))


def test_it_is_zero_for_itself_symmetric_and_grows(lpips: LpipsPair) -> None:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 256, (70, 64, 3), np.uint8)
    near, far = (np.clip(truth + rng.normal(0, s, truth.shape), 0, 255).astype(np.uint8) for s in (5, 60))
    assert lpips(truth, truth) == 0
    assert 0 < lpips(near, truth) < lpips(far, truth)
    assert lpips(near, truth) == pytest.approx(lpips(truth, near), rel=1e-5)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_pictures_have_a_number(lpips: LpipsPair, level: int) -> None:
    flat = np.full((32, 32, 3), level, np.uint8)
    assert np.isfinite(lpips(flat, 255 - flat))


def test_features_belong_to_their_own_picture(lpips: LpipsPair) -> None:
    crops = np.random.default_rng(6).integers(0, 256, (3, 64, 48, 3), np.uint8)
    features = lpips.features(crops)
    assert features.shape == (3, 256)
    assert np.allclose(lpips.features(crops[2:])[0], features[2], atol=1e-5)


def test_pictures_too_small_or_of_two_sizes_are_refused(lpips: LpipsPair) -> None:
    with pytest.raises(InputError, match="32 px"):
        lpips(np.zeros((31, 64, 3), np.uint8), np.zeros((31, 64, 3), np.uint8))
    with pytest.raises(InputError, match="one size"):
        lpips(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 65, 3), np.uint8))


def test_foreign_files_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "junk.pth").write_bytes(b"junk")
    for backbone, linear in ((tmp_path / "junk.pth", files[1]), (files[0], tmp_path / "none.pth"), files[::-1]):
        with pytest.raises(WeightsError, match="as published"):
            Lpips(network="alex", backbone=backbone, linear=linear)


def test_the_layers_alone_do_as_well_as_the_whole_checkpoint(files: tuple[Path, Path], tmp_path: Path) -> None:
    stored = torch.load(files[0], weights_only=True)
    alone = {name.removeprefix("features."): value for name, value in stored.items() if "features" in name}
    torch.save(alone, tmp_path / "alone.pth")
    whole = Lpips(network="alex", backbone=files[0], linear=files[1])
    same = Lpips(network="alex", backbone=tmp_path / "alone.pth", linear=files[1]).layers.state_dict()
    assert all(torch.equal(value, same[name]) for name, value in whole.layers.state_dict().items())


def test_the_graph_is_made_once_and_then_needs_no_published_file(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMASK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"get alexnet_backbone.*get lpips_alex_linear"):
        lpips_graph("alex")
    monkeypatch.setattr(lpips_metric, "_found", lambda names: files)
    made = lpips_graph("alex")
    assert made.parent == tmp_path / "home"
    monkeypatch.undo()
    monkeypatch.setenv("DEMASK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tmp_path))
    assert lpips_graph("alex") == made
    given = made.rename(tmp_path / made.name)
    assert lpips_graph("alex") == given
