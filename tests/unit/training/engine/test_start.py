import json
from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import nn

from demask.errors import ConfigError, TrainingError
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine.start import begin_with, blend_with
from demask.training.engine.trainer import Trainer
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.export import graphs
from demask.training.export.graphs import export_finder
from demask.training.export.weights_file import save_weights
from demask.training.models.finder_net import FinderNetConfig
from demask.training.models.unet import HoleConfig, RestorerConfig, UNetConfig
from demask.training.tasks.hole_task import HoleTask, HoleTaskConfig
from demask.weights.registry import find

TINY = UNetConfig(widths=(8, 8, 16), encoder_blocks=(1, 1), decoder_blocks=(1, 1), mixer_blocks=1, num_heads=2)


def trained(network: nn.Module, *, seed: int) -> nn.Module:
    """Weights that no initialisation makes, exact in float16."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
            weight.copy_(weight.half().float())
    return network


def a_restorer(seed: int, body: UNetConfig = TINY) -> nn.Module:
    torch.manual_seed(seed)
    return trained(RestorerConfig(body=body).build(), seed=seed)


def test_an_onnx_file_gives_back_every_weight_that_it_holds(tmp_path: Path) -> None:
    old, new = a_restorer(1), a_restorer(2)
    fresh_head = new.coarse_head.weight.clone()
    graphs.export_restorer(old, tmp_path / "old.onnx")
    begin_with(new, tmp_path / "old.onnx", export=graphs.export_restorer)
    for name, weight in new.named_parameters():
        if not name.startswith("coarse_head"):
            assert torch.equal(weight, dict(old.named_parameters())[name]), name
    assert torch.equal(new.coarse_head.weight, fresh_head)  # For training only: no export holds it.


def test_safetensors_give_back_all(tmp_path: Path) -> None:
    old, new = a_restorer(1), a_restorer(2)
    save_weights(old, tmp_path / "old.safetensors", about={})
    begin_with(new, tmp_path / "old.safetensors", export=graphs.export_restorer)
    assert all(torch.equal(old.state_dict()[name], value) for name, value in new.state_dict().items())


def test_the_shipped_segmenter_can_be_trained_on(tmp_path: Path) -> None:
    network = HoleTaskConfig(faces=FacesConfig(data=tmp_path)).model.build()
    begin_with(network, find("hole"), export=graphs.export_hole)
    graphs.export_hole(network, tmp_path / "again.onnx")
    crop = torch.randint(0, 256, (1, 256, 256, 3), dtype=torch.uint8).numpy()
    answers = [
        onnxruntime.InferenceSession(str(path)).run(None, {"crop": crop})[0]
        for path in (find("hole"), tmp_path / "again.onnx")
    ]
    assert (answers[0] == answers[1]).all()


@pytest.mark.parametrize("fraction", [0.0, 0.25, 1.0])
def test_blending_goes_part_of_the_way(tmp_path: Path, fraction: float) -> None:
    mine, theirs = a_restorer(1), a_restorer(2)
    save_weights(theirs, tmp_path / "theirs.safetensors", about={})
    blended = a_restorer(1)
    blend_with(blended, tmp_path / "theirs.safetensors", fraction, export=graphs.export_restorer)
    for a, b, c in zip(mine.parameters(), theirs.parameters(), blended.parameters(), strict=True):
        torch.testing.assert_close(c, (1 - fraction) * a + fraction * b)
    with pytest.raises(ConfigError, match=r"in \[0, 1\]"):
        blend_with(blended, tmp_path / "theirs.safetensors", 1.5, export=graphs.export_restorer)


def other_widths(folder: Path) -> Path:
    wider = UNetConfig(
        widths=(8, 16, 16), encoder_blocks=(1, 1), decoder_blocks=(1, 1), mixer_blocks=1, num_heads=2
    )
    graphs.export_restorer(a_restorer(1, wider), folder / "wider.onnx")
    return folder / "wider.onnx"


def other_names(folder: Path) -> Path:
    save_weights(nn.Linear(2, 2), folder / "linear.safetensors", about={})
    return folder / "linear.safetensors"


def rubbish(folder: Path) -> Path:
    (folder / "rubbish.onnx").write_bytes(b"no network" * 99)
    return folder / "rubbish.onnx"


def a_checkpoint(folder: Path) -> Path:
    torch.save({}, folder / "last.pt")
    return folder / "last.pt"


def test_merged_weights_are_told(tmp_path: Path) -> None:
    # The exporter merges the finder's batch norms into its convolutions.
    with pytest.raises(TrainingError, match=r"9\d% of the weights were merged .*take a \.safetensors file"):
        begin_with(FinderNetConfig().build().eval(), find("finder"), export=export_finder)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (other_widths, r"its body.* has shape .*, this network's"),
        (other_names, "same settings"),
        (rubbish, "no ONNX file"),
        (a_checkpoint, "neither .onnx nor .safetensors"),
        (lambda folder: folder / "nowhere.onnx", "No such file"),
        (lambda folder: folder / "nowhere.safetensors", "No such file"),
    ],
)
def test_other_files_are_refused_and_change_nothing(tmp_path: Path, make, words: str) -> None:
    network = a_restorer(2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(TrainingError, match=words):
        begin_with(network, make(tmp_path), export=graphs.export_restorer)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_a_run_begins_with_them_and_goes_on_without_the_file(shards: Path, tmp_path: Path) -> None:
    def task() -> HoleTask:
        faces = FacesConfig(data=shards, widen_px=(0, 0), workers=0)
        config = HoleTaskConfig(faces=faces, model=HoleConfig(body=TINY), batch_size=2, validation_faces=4)
        return HoleTask(config)

    old = trained(HoleConfig(body=TINY).build(), seed=1)
    path = tmp_path / "old.onnx"
    graphs.export_hole(old, path)
    settings = TrainerConfig(run=tmp_path / "run", steps=1, start_from=path, validate_every=9)
    trainer = Trainer(task(), settings)
    assert all(
        torch.equal(a, b) for a, b in zip(trainer.task.network.parameters(), old.parameters(), strict=True)
    )
    assert all(
        torch.equal(a, b) for a, b in zip(trainer.average.network.parameters(), old.parameters(), strict=True)
    )
    trainer.fit()
    judged = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in judged if line["group"] == "val"] == [0, 1]  # The first: as it was given.
    path.unlink()
    again = Trainer(task(), settings)
    assert again.num_steps == 1
    with pytest.raises(TrainingError, match="cannot take the weights of"):
        Trainer(task(), TrainerConfig(run=tmp_path / "other", start_from=path))
