"""The expression network: what it learns from, that it learns, and what is measured with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from demask.dataset.expression_labels import EXPRESSIONS, LETTERS, expression_of
from demask.dataset.frozen_set import FrozenPicture
from demask.errors import ConfigError, DatasetError, WeightsError
from demask.evaluation.aggregate import aggregate
from demask.evaluation.answers import Answer, Measuring
from demask.evaluation.figure_tables import expressions_table, named_table
from demask.evaluation.metrics.comparison import FIGURES, Comparison
from demask.evaluation.metrics.expression_metric import ExpressionKept
from demask.evaluation.metrics.networks import open_networks
from demask.geometry import FRAME_POINTS
from demask.rng import rng_for
from demask.training.data.expression_faces import covered_below, expression_faces, varied
from demask.training.engine.trainer import Trainer
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.tasks.expression_task import ExpressionTask, ExpressionTaskConfig
from demask.weights.sessions import open_session
from drawn_set import build_drawn_set

LABELS = ("happy", "letter-c", "neutral", "surprised")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_drawn_set(tmp_path_factory.mktemp("labelled"), expressions=LABELS)


@pytest.fixture(scope="module")
def trained(
    labelled: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ExpressionTask, Path, list[float]]:
    """A short run: its task, its export, its losses."""
    folder = tmp_path_factory.mktemp("expression")
    torch.manual_seed(0)
    config = ExpressionTaskConfig(data=labelled, variants=1, batch_size=8, dropout=0.0)
    task, told = ExpressionTask(config), list[float]()
    settings = TrainerConfig(
        run=folder / "run", steps=30, warmup_steps=1, log_every=1, validate_every=30, precision="float32"
    )
    trainer = Trainer(task, settings)
    trainer.fit(lambda progress: told.append(progress.scalars["entropy"]))
    task.export(trainer.average.network, folder / "expression.onnx")
    return task, folder / "expression.onnx", told


def test_letters_and_words() -> None:
    assert set(LETTERS.values()) == set(EXPRESSIONS)
    assert expression_of({"expression": "letter-e"}) == "disgusted"
    assert expression_of({"expression": "sad"}) == "sad"
    assert expression_of({"expression": "smug"}) is expression_of({}) is None


def test_faces_are_read_with_their_labels_and_no_person_twice(labelled: Path, shards: Path) -> None:
    splits = {split: expression_faces(labelled, split=split) for split in ("train", "val")}
    assert {EXPRESSIONS[face.label] for face in splits["train"]} == {"happy", "sad", "neutral", "surprised"}
    people = [{face.identity for face in faces} for faces in splits.values()]
    assert not people[0] & people[1]
    with pytest.raises(DatasetError, match="has an expression"):
        expression_faces(shards, split="train")
    with pytest.raises(DatasetError):
        expression_faces(labelled, split="train", sources=("elsewhere",))
    with pytest.raises(ConfigError, match="covered_fraction is 2"):
        ExpressionTaskConfig(data=labelled, covered_fraction=2)


def test_variants_are_the_same_each_time_and_coverings_lie_below() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    one, two = (varied(crop, rng_for(1, "v", "a")) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, varied(crop, rng_for(2, "v", "a")))
    covered = covered_below(crop, rng_for(1, "v", "a"))
    assert np.array_equal(covered[:112], crop[:112])
    assert (covered[150:220, 100:150] == covered[180, 128]).all()


def test_it_learns_and_exports_what_it_learned(trained: tuple[ExpressionTask, Path, list[float]]) -> None:
    task, path, told = trained
    assert np.mean(told[-5:]) < 0.8 * np.mean(told[:5])
    assert {"accuracy", "entropy", "score"} <= task.validate(task.network).keys()
    assert task.samples(task.network).ndim == 3
    crops = np.stack([face.crop for face in task.val_faces])
    scores = onnxruntime.InferenceSession(str(path)).run(None, {"crops": crops})[0]
    assert scores.shape == (len(crops), len(EXPRESSIONS))
    assert (scores.argmax(1) == [face.label for face in task.val_faces]).mean() == pytest.approx(
        task.validate(task.network)["accuracy"], abs=0.34
    )


def picture(label: str, seed: int) -> FrozenPicture:
    rng = np.random.default_rng(seed)
    face, masked = (rng.integers(0, 256, (256, 256, 3), dtype=np.uint8) for _ in range(2))
    hole = np.zeros((256, 256), bool)
    hole[140:230, 80:180] = True
    return FrozenPicture(
        slice="seen", face_id=str(seed), source="drawn", face=face,
        masked=np.where(hole[..., None], masked, face),
        hole=hole, valid=np.ones((256, 256), bool), points=FRAME_POINTS.copy(), recipe={},
        labels={"expression": label},
    )  # fmt: skip


def test_the_metric_and_the_tables(
    trained: tuple[ExpressionTask, Path, list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(trained[1].parent))
    monkeypatch.setenv("DEMASK_HOME", str(trained[1].parent / "home"))
    networks = open_networks(["expression"], device="cpu", threads=1, points_known=True)
    kept = networks.by_points["expression"]
    assert isinstance(kept, ExpressionKept)
    faces = [picture(label, seed) for seed, label in enumerate(("happy", "letter-c", "", "smug"))]
    assert kept(faces[0].face, faces[0].face, FRAME_POINTS) == 1
    comparison = Comparison(["mse"], networks, holes=True)
    assert comparison.columns == ["mse", "hole_mse"]
    records = []
    for one in faces:
        answer = Answer(picture=one.face, restored=True, filled=one.hole)
        record = Measuring(comparison)(answer, one, "raw")
        record["figures"] = dict.fromkeys(FIGURES)
        records.append(record)
        assert record["expressions"]["truth"] == record["expressions"]["restored"] in EXPRESSIONS
    assert [record["expressions"]["label"] for record in records] == ["happy", "sad", None, None]
    summary = aggregate({"perfect": records}, base="perfect")
    facts = summary["expressions"]["raw"]["seen"]["perfect"]
    assert facts["num"] == 2
    assert facts["truth"] == facts["restored"]
    assert {label: sum(counts.values()) for label, counts in facts["named"].items()} == {"happy": 1, "sad": 1}
    assert len(expressions_table(summary).lines) == 1
    assert [line.name for line in named_table(summary).lines] == ["perfect", "perfect"]
    assert expressions_table({"slices": {}}).lines == (), "reports of earlier versions have none"


def test_without_the_network_nothing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("DEMASK_HOME", str(tmp_path))
    networks = open_networks(["expression"], device="cpu", points_known=True)
    assert "demask train expression" in networks.missing["expression"]
    record = Measuring(Comparison(["mse"], networks, holes=True))(
        Answer(picture=picture("sad", 1).face, restored=True, filled=picture("sad", 1).hole),
        picture("sad", 1),
        "raw",
    )
    assert record["expressions"] is None


def test_another_network_is_refused() -> None:
    with pytest.raises(WeightsError, match="is no expression network"):
        ExpressionKept(open_session("landmarks", device="cpu", threads=1))
