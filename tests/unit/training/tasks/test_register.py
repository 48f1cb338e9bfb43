"""Tasks that register themselves, and what is open when."""

import shutil
from pathlib import Path

import onnxruntime
import pytest

from demask.errors import ConfigError, DatasetError, WeightsError
from demask.settings import override
from demask.training.recipes import export_run, resolve, run_training, saved_recipe
from demask.training.tasks.register import make_task, recipes, trainings

TINY_BODY = (
    "model.body.widths=(8, 8)", "model.body.encoder_blocks=(1,)", "model.body.decoder_blocks=(1,)",
    "model.body.mixer_blocks=0", "model.body.num_heads=2",
)  # fmt: skip
SHORT = (
    "batch_size=2", "validation_faces=2", "faces.workers=0", "trainer.steps=1", "trainer.validate_every=1",
    "trainer.device=cpu", "trainer.precision=float32",
)  # fmt: skip


def test_every_task_file_is_registered_with_a_config_of_its_own() -> None:
    known = trainings()
    import demask.training.tasks as room

    files = {
        path.name.removesuffix("_task.py").replace("_", "-")
        for path in Path(room.__path__[0]).glob("*_task.py")
    }
    assert set(known) == files - {"faces"}  # faces_task.py holds what several share.
    assert len({training.config for training in known.values()}) == len(known)
    assert all(training.does for training in known.values())
    assert all(make.__doc__ for make in recipes().values())


@pytest.mark.parametrize("name", sorted(recipes()))
def test_every_recipe_makes_its_task_without_a_picture(tmp_path: Path, name: str) -> None:
    recipe = resolve(name, data=tmp_path / "nowhere", run=tmp_path / "run")
    small = {"pix2pix": ["generator.width=4", "critic.width=4"]}.get(name.partition("+")[0], [])
    task = make_task(override(recipe.task, small))
    assert type(task) is trainings()[task.name].task
    assert type(recipe.task) is trainings()[task.name].config
    assert list(tmp_path.iterdir()) == []


def test_a_config_of_no_task_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"is no task's config; tasks are .*finder, hole"):
        make_task(object())


def test_a_training_set_that_is_not_there_is_told_before_anything_is_written(tmp_path: Path) -> None:
    recipe = resolve("hole", data=tmp_path / "nowhere", run=tmp_path / "run", settings=(*TINY_BODY, *SHORT))
    with pytest.raises(DatasetError):
        run_training(recipe)
    assert not (tmp_path / "run").exists()


def test_a_run_is_exported_after_its_training_set_is_gone(shards: Path, tmp_path: Path) -> None:
    shutil.copytree(shards, tmp_path / "faces")
    run = tmp_path / "run"
    recipe = resolve("hole", data=tmp_path / "faces", run=run, settings=(*TINY_BODY, *SHORT))
    run_training(recipe)
    shutil.rmtree(tmp_path / "faces")
    name, saved = saved_recipe(run)
    export_run(saved, tmp_path / "hole.onnx", card=tmp_path / "hole.md")
    assert name == "hole"
    session = onnxruntime.InferenceSession(str(tmp_path / "hole.onnx"))
    assert [one.name for one in session.get_inputs()] == ["crop"]
    assert "tells which pixels of an aligned crop are covered" in (tmp_path / "hole.md").read_text()


def test_weights_that_only_losses_need_are_asked_for_when_training_begins(tmp_path: Path) -> None:
    recipe = resolve("restorer", data=tmp_path, run=tmp_path / "run", settings=TINY_BODY)
    without = override(recipe.task, ["lpips_backbone=none", "lpips_linear=none"])
    task = make_task(without)
    with pytest.raises(WeightsError, match="perceptual_weight=0"):
        task.helpers()
