"""From a training run to a network of the zoo."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from demask.errors import TrainingError, UsageError
from demask.restorers.by_name import describe, get_restorer
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.models.critics import PatchGanConfig
from demask.training.models.unet256 import Unet256Config
from demask.training.recipes import open_trainer, resolve, run_training, saved_recipe
from demask.training.tasks.faces_task import FacesTask
from demask.training.tasks.register import Recipe


@pytest.fixture(scope="module")
def run(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of pix2pix, tiny and of two steps."""
    folder = tmp_path_factory.mktemp("run") / "pix2pix"
    recipe = resolve("pix2pix", data=shards, run=folder)
    task = dataclasses.replace(
        recipe.task,
        faces=dataclasses.replace(recipe.task.faces, workers=0),
        generator=Unet256Config(width=8),
        critic=PatchGanConfig(width=4),
        batch_size=2,
        validation_faces=2,
        lpips_backbone=None,
        lpips_linear=None,
    )
    trainer = TrainerConfig(
        run=folder, steps=2, ema_decay=0.0, precision="float32", log_every=1, validate_every=2
    )
    run_training(Recipe(task=task, trainer=trainer))
    return folder


def test_a_run_becomes_a_restorer_by_name(zoo: Path, run: Path) -> None:
    from demask_zoo import add as adding

    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    card = adding.add(run, "pix2pix", into=zoo, weights="int8", pictures=2)
    assert before == {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert (card.pictures_seen, card.width, card.weights, card.blind) == (4, 8, "int8", True)
    assert card.same_picture["mean_levels"] < 1
    assert card.minutes > 0
    assert card.figures["psnr"] > 0
    assert sum(row["faces"] for row in card.data) > 0
    about = describe("pix2pix")
    assert about.package.startswith("demask-zoo ")
    assert (about.blind, about.invents, about.digest) == (True, True, card.sha256)
    crop = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    hole = np.zeros((256, 256), bool)
    assert get_restorer("pix2pix", device="cpu", threads=1)(crop, hole).shape == crop.shape
    # Beside another network's pictures the file's are told apart.
    trainer = open_trainer(saved_recipe(run)[1])
    other = copy.deepcopy(trainer.average.network)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.3)
    assert isinstance(trainer.task, FacesTask)
    with pytest.raises(TrainingError, match="draws other pictures"):
        adding._same_picture(other, zoo / card.file, trainer.task, 1)


def test_what_is_refused(zoo: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from demask_zoo import add as adding

    with pytest.raises(UsageError, match=r"is a run of 'pix2pix', but 'pix2pix-pixel' is 'pix2pix\+pixel'"):
        adding.add(run, "pix2pix-pixel", into=zoo)
    with pytest.raises(UsageError, match="the zoo has no 'pix3pix'"):
        adding.add(run, "pix3pix", into=zoo)
    with pytest.raises(TrainingError, match=r"no checkpoint gone\.pt"):
        adding.add(run, "pix2pix", into=zoo, checkpoint="gone.pt")
    with pytest.raises(TrainingError, match=r"pix2pix is 31\.0 MB, above the 30 MB"):
        adding._require_room("pix2pix", 31_000_000, zoo)
    (zoo / "deepfill-v1.onnx").write_bytes(bytes(2_000_000))
    adding._require_room("pix2pix", 29_000_000, zoo)
    monkeypatch.setattr(adding, "MOST_TOGETHER_BYTES", 30_000_000)
    with pytest.raises(TrainingError, match=r"with pix2pix the zoo is 31\.0 MB"):
        adding._require_room("pix2pix", 29_000_000, zoo)
    assert [path.name for path in zoo.iterdir()] == ["deepfill-v1.onnx"]
