import dataclasses
import itertools
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from demask.dataset.split import split_of
from demask.errors import ConfigError, DatasetError, TrainingError
from demask.faces.finder import Finder, FinderSettings
from demask.training.data import scene_labels as finder_targets
from demask.training.data.scene_labels import NEGATIVE, UNDECIDED, Scene, assign
from demask.training.engine.task import Share
from demask.training.engine.trainer import Trainer
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.export import graphs
from demask.training.losses.finding import box_overlap, point_error, quality_focal
from demask.training.models.finder_net import STRIDES, FinderNetConfig, cells, decode, fold_norms
from demask.training.tasks.finder_score import Finding, average_precision, figures
from demask.training.tasks.finder_task import FinderConfig, FinderTask, loss_terms
from demask.weights.sessions import open_session

TINY = FinderNetConfig(stem_channels=(8, 8), widths=(8, 16, 16), blocks=(1, 1, 1), neck_channels=8)
POINTS = np.array([[(30, 40), (60, 40), (45, 60), (33, 75), (57, 75)]], np.float32)
BOX = np.array([(20, 20, 70, 90)], np.float32)
NONE = np.zeros((0, 4), np.float32)


def task(shards: Path, **settings: object) -> FinderTask:
    config = FinderConfig(data=shards, network=TINY, batch_size=4, val_scenes=6, workers=0, variants=1)
    return FinderTask(dataclasses.replace(config, **settings))  # type: ignore[arg-type]


# Targets.


def test_the_grids_are_the_networks() -> None:
    assert finder_targets.STRIDES == STRIDES
    for height, width in ((64, 96), (320, 256)):
        assert np.array_equal(finder_targets.grid(height, width), cells(height, width).numpy())


def test_cells_at_the_middle_of_a_face_answer_for_it() -> None:
    targets = assign(BOX, POINTS, NONE, height=128, width=128)
    grid = finder_targets.grid(128, 128)
    positive = targets.face == 0
    assert positive.any()
    # 59 px: the middle grid alone. Its cells are 16 px apart: all positive ones lie near (45, 55).
    assert set(grid[positive, 2]) == {16.0}
    assert np.abs(grid[positive, :2] - (45, 55)).max() <= 14
    assert np.array_equal(np.unique(targets.boxes[positive], axis=0), BOX)
    assert np.array_equal(targets.points[positive][0], POINTS[0])
    assert (targets.boxes[~positive] == 0).all()
    far = np.abs(grid[:, :2] - (45, 55)).max(1) > 40
    assert (targets.face[far] == NEGATIVE).all()


@pytest.mark.parametrize("size", [9.0, 12.0, 20.0, 37.0, 64.0, 90.0, 150.0, 300.0])
@pytest.mark.parametrize("shift", [0.0, 3.3, 8.0])
def test_every_face_has_a_cell(size: float, shift: float) -> None:
    middle = 160 + shift
    box = np.array([(middle - size / 2, middle - size / 2, middle + size / 2, middle + size / 2)], np.float32)
    assert (assign(box, POINTS, NONE, height=320, width=320).face == 0).any()


def test_undecided_regions_and_rings_ask_for_nothing() -> None:
    region = np.array([(64, 64, 128, 128)], np.float32)
    targets = assign(NONE, np.zeros((0, 5, 2), np.float32), region, height=128, width=128)
    x, y, _ = finder_targets.grid(128, 128).T
    assert np.array_equal(targets.face == UNDECIDED, (x >= 64) & (y >= 64))
    assert (assign(BOX, POINTS, NONE, height=128, width=128).face == UNDECIDED).any()


def test_the_smaller_of_two_faces_gets_the_cell() -> None:
    boxes = np.array([(20, 20, 80, 80), (30, 30, 70, 70)], np.float32)
    targets = assign(boxes, np.concatenate([POINTS, POINTS]), NONE, height=128, width=128)
    grid = finder_targets.grid(128, 128)
    nearest = np.abs(grid[:, :2] - 50).max(1) + 1000 * (grid[:, 2] != 16)
    assert targets.face[nearest.argmin()] == 1


# Network.


def test_norms_fold_away_without_a_change() -> None:
    torch.manual_seed(0)
    network = TINY.build()
    for _ in range(3):
        network(torch.randn(2, 3, 64, 96))
    folded = fold_norms(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    photo = torch.randn(1, 3, 64, 96)
    assert torch.allclose(network.eval()(photo), folded(photo), atol=1e-5)


def test_decoding_inverts_what_the_targets_mean() -> None:
    grid = cells(64, 64)
    raw = torch.zeros(len(grid), 15)
    raw[:, 1:3] = torch.tensor([0.5, -0.25])
    raw[:, 3:5] = torch.log(torch.tensor([0.5, 2.0]))
    raw[:, 5:7] = torch.tensor([1.0, -1.0])
    found = decode(raw, grid)
    stride = grid[:, 2:]
    middle = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    assert torch.allclose(middle - grid[:, :2], stride * torch.tensor([0.5, -0.25]), atol=1e-4)
    assert torch.allclose(found.boxes[:, 2:] - found.boxes[:, :2], stride * torch.tensor([2.0, 8.0]), atol=1e-3)
    assert torch.allclose(found.points[:, 0], grid[:, :2] + stride * torch.tensor([1.0, -1.0]))
    assert torch.equal(found.scores, torch.full((len(grid),), 0.5))


def test_wild_channels_stay_finite() -> None:
    found = decode(torch.full((1, 84, 15), 1e6), cells(64, 64))
    assert all(torch.isfinite(part).all() for part in found)


# Losses.


def test_overlaps_by_hand() -> None:
    first = torch.tensor([[0.0, 0, 2, 2], [0, 0, 1, 1]])
    second = torch.tensor([[1.0, 0, 3, 2], [3, 0, 4, 1]])
    iou, giou = box_overlap(first, second)
    assert torch.allclose(iou, torch.tensor([1 / 3, 0.0]))
    # No gap between the first two; of the hull of the others, 4, half is empty.
    assert torch.allclose(giou, torch.tensor([1 / 3, -0.5]))


def test_quality_focal_is_zero_only_when_right() -> None:
    logits = torch.tensor([0.0, 20.0, -20.0])
    assert quality_focal(logits, torch.tensor([0.5, 1.0, 0.0])).item() == pytest.approx(0, abs=1e-6)
    # ln 2 times (1 - 0.5) squared.
    assert quality_focal(torch.zeros(1), torch.ones(1)).item() == pytest.approx(0.25 * np.log(2))


def test_point_error_is_a_share_of_the_face() -> None:
    truth = torch.zeros(2, 5, 2)
    size = torch.tensor([10.0, 100.0])
    moved = truth + size[:, None, None] * 0.1
    # Beyond the bend the error counts straight: 0.1 less half the bend.
    assert point_error(moved, truth, size).item() == pytest.approx(0.1 - 0.015, abs=1e-6)


def test_a_perfect_answer_costs_nothing_but_its_score() -> None:
    grid = cells(128, 128)
    targets = assign(BOX, POINTS, NONE, height=128, width=128)
    stride, origin = grid[:, 2:], grid[:, :2]
    box, points = torch.from_numpy(BOX[0]), torch.from_numpy(POINTS[0])
    raw = torch.empty(len(grid), 15)
    raw[:, 0] = torch.where(torch.from_numpy(targets.face) >= 0, 20.0, -20.0)
    raw[:, 1:3] = ((box[:2] + box[2:]) / 2 - origin) / stride
    raw[:, 3:5] = torch.log((box[2:] - box[:2]) / (4 * stride))
    raw[:, 5:] = ((points - origin[:, None]) / stride[:, None]).flatten(1)
    batch = [torch.from_numpy(part)[None] for part in targets]
    terms = loss_terms(raw[None], *batch, grid)
    assert all(value.item() == pytest.approx(0, abs=1e-4) for value in terms.values())


def test_scenes_without_faces_give_gradients_too() -> None:
    grid = cells(64, 64)
    raw = torch.zeros(2, len(grid), 15, requires_grad=True)
    nobody = torch.full((2, len(grid)), NEGATIVE)
    terms = loss_terms(raw, nobody, torch.zeros(2, len(grid), 4), torch.zeros(2, len(grid), 5, 2), grid)
    sum(terms.values()).backward()
    assert torch.isfinite(raw.grad).all()
    assert raw.grad[..., 0].min() > 0


# Figures.


def scene(*boxes: tuple[float, float, float, float]) -> Scene:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    points = np.repeat(array[:, None, :2], 5, axis=1)
    return Scene(np.zeros((64, 64, 3), np.uint8), array, points, NONE, np.zeros(len(array), bool))


def found(*boxes: tuple[float, float, float, float], score: float = 0.9) -> Finding:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return Finding(array, np.repeat(array[:, None, :2], 5, axis=1), np.full(len(array), score, np.float32))


def test_figures_of_known_answers() -> None:
    face, other, empty = (0, 0, 20, 20), (30, 30, 50, 50), (0, 40, 10, 50)
    perfect = figures([scene(face, other)], [found(face, other)])
    assert perfect["score"] == 1
    assert perfect["recall_small"] == 1
    assert perfect["false_per_100"] == 0
    assert perfect["point_error"] == 0
    half = figures([scene(face, other)], [found(face, empty)])
    assert half["score"] == pytest.approx(0.5)
    assert half["recall_bare"] == 0.5
    assert half["false_per_100"] == 100
    weak = figures([scene(face)], [found(face, score=0.3)])
    assert (weak["score"], weak["recall_small"]) == (1, 0)
    for score, recall in ((FinderSettings().min_score - 0.01, 0), (FinderSettings().min_score + 0.01, 1)):
        # What the runtime would drop is not found, here either.
        assert figures([scene(face)], [found(face, score=score)])["recall_small"] == recall
    twice = figures([scene(face)], [found(face, face)])
    assert twice["false_per_100"] == 100


def test_average_precision_by_hand() -> None:
    right = np.array([True, False, True])
    # Precision 1 up to half of the faces, then 2/3.
    assert average_precision(np.array([0.9, 0.8, 0.7]), right, 2) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert average_precision(np.zeros(0), np.zeros(0, bool), 3) == 0


def test_places_where_nobody_knows_are_not_counted() -> None:
    box = np.array([(0, 0, 20, 20)], np.float32)
    unknown = scene()._replace(ignored=box)
    assert figures([unknown], [found((1, 1, 20, 20))])["false_per_100"] == 0


# Task.


def test_batches_depend_on_their_number_alone(shards: Path) -> None:
    whole = list(task(shards).batches(start_step=0, num_steps=3, share=Share()))
    later = list(task(shards).batches(start_step=2, num_steps=3, share=Share()))
    assert [len(whole), len(later)] == [3, 1]
    for key in ("photo", "face", "boxes", "points"):
        assert torch.equal(whole[2][key], later[0][key])
    assert not torch.equal(whole[0]["photo"], whole[1]["photo"])


def test_workers_do_not_change_the_pictures(shards: Path) -> None:
    alone = list(task(shards).batches(start_step=0, num_steps=2, share=Share()))
    helped = list(task(shards, workers=2).batches(start_step=0, num_steps=2, share=Share()))
    assert all(torch.equal(a["photo"], b["photo"]) for a, b in zip(alone, helped, strict=True))


def test_a_run_steps_resumes_and_exports(shards: Path, tmp_path: Path) -> None:
    settings = TrainerConfig(run=tmp_path / "run", steps=2, log_every=1, validate_every=2)
    Trainer(task(shards), settings).fit()
    again = Trainer(task(shards), dataclasses.replace(settings, steps=3))
    assert again.num_steps == 2
    again.fit()
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert {line["step"] for line in lines if line["group"] == "train"} == {1, 2, 3}
    path = tmp_path / "finder.onnx"
    again.task.export(again.average.network, path)
    assert path.stat().st_size < graphs.MAX_BYTES
    # What was written is what the runtime takes, at any size of photo.
    finder = Finder(open_session(path, device="cpu", threads=1))
    assert isinstance(finder(np.zeros((70, 300, 3), np.uint8)), list)


def test_training_on_one_batch_lowers_its_loss(shards: Path, tmp_path: Path) -> None:
    small = task(shards, learning_rate=1e-2)
    batch = next(small.batches(start_step=0, num_steps=1, share=Share()))
    small.batches = lambda **_settings: itertools.repeat(batch)  # type: ignore[method-assign]
    settings = TrainerConfig(run=tmp_path, steps=40, warmup_steps=1, log_every=1, validate_every=99)
    scores: list[float] = []
    Trainer(small, settings).fit(lambda progress: scores.append(progress.scalars["score"]))
    assert scores[-1] < 0.7 * scores[0]


def test_the_default_network_fits_into_a_megabyte(tmp_path: Path) -> None:
    network = FinderNetConfig().build()
    graphs.export_finder(network, tmp_path / "finder.onnx")
    assert (tmp_path / "finder.onnx").stat().st_size <= 1_000_000
    session = onnxruntime.InferenceSession(str(tmp_path / "finder.onnx"))
    boxes, points, scores = session.run(None, {"photo": np.zeros((1, 64, 160, 3), np.uint8)})
    num = 8 * 20 + 4 * 10 + 2 * 5
    assert (boxes.shape, points.shape, scores.shape) == ((num, 4), (num, 5, 2), (num,))


def test_an_export_that_differs_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="differs from torch"):
        graphs.export_finder(TINY.build(), tmp_path / "finder.onnx", tolerance=-1.0)
    assert list(tmp_path.iterdir()) == []


def test_missing_faces_and_backgrounds_are_told(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="add pictures"):
        task(shards, backgrounds=tmp_path / "empty").composer("train")
    copy = shutil.copytree(shards, tmp_path / "set")
    manifest = copy / "manifest.jsonl"
    rows = [line for line in manifest.read_text().splitlines() if json.loads(line)["split"] != "val"]
    manifest.write_text("\n".join(rows) + "\n")
    with pytest.raises(DatasetError, match="'val'"):
        task(copy).composer("val")


def test_backgrounds_keep_to_their_split(shards: Path, tmp_path: Path) -> None:
    names = [f"b{number}.png" for number in range(30)]
    for number, name in enumerate(names):
        cv2.imwrite(str(tmp_path / name), np.full((40, 60, 3), number, np.uint8))
    kept = {split: task(shards, backgrounds=tmp_path).composer(split).backgrounds for split in ("train", "val")}
    for split, pictures in kept.items():
        wanted = {number for number, name in enumerate(names) if split_of(name) == split}
        assert {int(picture[0, 0, 0]) for picture in pictures} == wanted
