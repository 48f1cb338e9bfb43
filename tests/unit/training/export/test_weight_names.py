"""An export gives back the weights that went into it, by the names they had."""

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from demask.errors import TrainingError
from demask.training.engine.start import begin_with
from demask.training.export import graphs
from demask.training.export.graphs import export_finder
from demask.training.export.weights_file import KEY, noted_weights
from demask.training.models.finder_net import FinderNetConfig
from demask.training.models.unet import HoleConfig, RestorerConfig, UNetConfig
from demask.training.models.unet256 import Unet256Config
from demask.weights.registry import find

TINY = UNetConfig(widths=(8, 8, 16), encoder_blocks=(1, 1), decoder_blocks=(1, 1), mixer_blocks=1, num_heads=2)
SMALL_FINDER = FinderNetConfig(stem_channels=(8, 8), widths=(8, 16, 16), blocks=(1, 1, 1), neck_channels=8)


def trained(network: nn.Module, *, seed: int) -> nn.Module:
    """Weights and statistics of norms that no initialisation makes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                noise = 0.1 * torch.randn(value.shape, generator=generator)
                value.add_(noise.abs() if name.endswith("running_var") else noise)
    return network.eval()


def never(_network: nn.Module, _path: Path) -> None:
    raise AssertionError("a file that names its weights needs no second export to guess by")


def apart(one: nn.Module, other: nn.Module) -> dict[str, float]:
    """Largest difference of each entry, next to its largest value."""
    pairs = zip(one.state_dict().items(), other.state_dict().values(), strict=True)
    return {
        name: float((a - b).abs().max() / a.abs().max().clamp_min(1e-9))
        for (name, a), b in pairs
        if a.is_floating_point()
    }


def test_a_finder_begins_with_its_export_though_its_norms_were_merged(tmp_path: Path) -> None:
    old, new = (trained(SMALL_FINDER.build(), seed=seed) for seed in (1, 2))
    export_finder(old, tmp_path / "finder.onnx")
    kinds = {node.op_type for node in onnx.load(tmp_path / "finder.onnx").graph.node}
    assert "BatchNormalization" not in kinds
    begin_with(new, tmp_path / "finder.onnx", export=never)
    differences = apart(old, new)
    assert max(differences.values()) < 1e-5, max(differences, key=differences.__getitem__)
    norms = [name for name in differences if "running" in name]
    assert norms
    assert all(differences[name] == 0 for name in norms)
    photo = torch.randn(2, 3, 64, 96)
    for mode in (False, True):  # Trained on, the norms use the batch: only the true ones give the same there.
        assert torch.allclose(old.train(mode)(photo), new.train(mode)(photo), atol=1e-3)


def test_a_translator_begins_with_its_export(tmp_path: Path) -> None:
    old, new = (trained(Unet256Config(width=4, dropout=0.0).build(), seed=seed) for seed in (1, 2))
    graphs.export_translator(old, tmp_path / "pix2pix.onnx")
    begin_with(new, tmp_path / "pix2pix.onnx", export=never)
    assert max(apart(old, new).values()) < 3e-3  # Large weights are stored as float16.


@pytest.mark.parametrize("name", ["hole", "restorer"])
def test_others_begin_with_theirs_without_a_guess(tmp_path: Path, name: str) -> None:
    config = {"hole": HoleConfig(body=TINY), "restorer": RestorerConfig(body=TINY)}[name]
    export = {"hole": graphs.export_hole, "restorer": graphs.export_restorer}[name]
    old, new = (trained(config.build(), seed=seed) for seed in (1, 2))
    export(old, tmp_path / "net.onnx")
    held = noted_weights(tmp_path / "net.onnx")
    assert held is not None
    begin_with(new, tmp_path / "net.onnx", export=never)
    for entry, difference in apart(old, new).items():
        if entry.startswith("coarse_head"):  # For training only: no export holds it.
            assert entry not in held
        else:
            assert difference < 1e-3, entry


def test_weights_that_are_alike_are_no_puzzle(tmp_path: Path) -> None:
    old, new = HoleConfig(body=TINY).build(), trained(HoleConfig(body=TINY).build(), seed=2)
    with torch.no_grad():
        for value in old.parameters():
            value.fill_(0.25)
    graphs.export_hole(old, tmp_path / "net.onnx")
    begin_with(new, tmp_path / "net.onnx", export=never)
    assert all(difference == 0 for difference in apart(old, new).values())


def test_the_shipped_segmenter_names_all_of_its_weights() -> None:
    noted = noted_weights(find("hole"))
    assert noted is not None
    assert noted.keys() == HoleConfig().build().state_dict().keys()


def test_what_a_file_says_wrongly_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    graphs.export_hole(trained(HoleConfig(body=TINY).build(), seed=1), path)
    network = trained(HoleConfig(body=TINY).build(), seed=2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    told = '{"version":1,"weights":{"head.weight":%s}}'
    for place in ("7", "{}", '{"at":"nowhere","shape":[1]}', '{"values":"AAAA","shape":[2]}'):
        model = onnx.load(path)
        (entry,) = [entry for entry in model.metadata_props if entry.key == KEY]
        entry.value = told % place
        onnx.save(model, tmp_path / "wrong.onnx")
        with pytest.raises(TrainingError, match="what it says of its weights is damaged"):
            begin_with(network, tmp_path / "wrong.onnx", export=never)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
