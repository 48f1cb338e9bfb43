"""A run's recipe comes back from its folder as it was."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from demask.errors import TrainingError
from demask.training.recipes import resolve, saved_recipe
from demask.training.tasks.register import Recipe


def save(run: Path, name: str, recipe: Recipe) -> None:
    run.mkdir()
    facts = {
        "task": name,
        "settings": dataclasses.asdict(recipe.task),
        "trainer": dataclasses.asdict(recipe.trainer),
    }
    (run / "config.json").write_text(json.dumps(facts, default=str))


@pytest.mark.parametrize("name", ["finder", "hole"])
def test_there_and_back(tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    recipe = resolve(name, data=tmp_path / "data", run=run, backgrounds=None, settings=["trainer.steps=7"])
    save(run, name, recipe)
    assert saved_recipe(run) == (name, recipe)


def test_a_run_that_was_moved(tmp_path: Path) -> None:
    recipe = resolve("hole", data=tmp_path / "data", run=tmp_path / "old")
    save(tmp_path / "old", "hole", recipe)
    (tmp_path / "old").rename(tmp_path / "new")
    assert saved_recipe(tmp_path / "new")[1].trainer.run == tmp_path / "new"


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no training run"):
        saved_recipe(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"task": "nose", "settings": {}, "trainer": {}}'])
def test_a_config_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(TrainingError, match="cannot be used"):
        saved_recipe(tmp_path)


def test_a_setting_of_another_version(tmp_path: Path) -> None:
    run = tmp_path / "run"
    save(run, "hole", resolve("hole", data=tmp_path / "data", run=run))
    facts = json.loads((run / "config.json").read_text())
    facts["settings"]["colour_of_the_sky"] = "blue"
    (run / "config.json").write_text(json.dumps(facts))
    with pytest.raises(TrainingError, match="colour_of_the_sky"):
        saved_recipe(run)


def test_a_run_from_before_shares_were_called_fractions(tmp_path: Path) -> None:
    run = tmp_path / "run"
    recipe = resolve("hole", data=tmp_path / "data", run=run)
    save(run, "hole", recipe)
    text = (run / "config.json").read_text()
    assert "turn_fraction" in text
    (run / "config.json").write_text(text.replace("_fraction", "_share"))
    assert saved_recipe(run) == ("hole", recipe)
