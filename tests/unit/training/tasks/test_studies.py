"""Both studies' systems and the landmark network, trained tiny on drawn faces."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from demask.errors import ConfigError, WeightsError
from demask.faces.landmarks import NUM_LANDMARKS, mean_shape
from demask.geometry import EYE_DISTANCE_PX
from demask.restorers.by_name import get_restorer
from demask.restorers.network import TranslatorRestorer
from demask.training.data.covered_crops import CoveredFaces
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine.trainer import Trainer
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.export import graphs
from demask.training.losses.finding import landmark_distance, point_distance
from demask.training.models import frozen_onnx
from demask.training.models.critics import PatchGanConfig
from demask.training.models.landmark_net import LandmarksConfig
from demask.training.models.unet256 import Unet256Config
from demask.training.recipes import resolve
from demask.training.tasks.faces_task import Tensors
from demask.training.tasks.landmarks_task import LandmarksTask, LandmarksTaskConfig
from demask.training.tasks.pix2pix_task import Pix2pixConfig, Pix2pixTask
from demask.training.tasks.register import recipes
from demask.weights import registry

SMALL = LandmarksConfig(widths=(8, 8, 8, 8), blocks=(0, 0, 1, 0), squeezed=4, hidden=8)


def landmarks_task(shards: Path) -> LandmarksTask:
    torch.manual_seed(0)
    faces = FacesConfig(data=shards, bare_fraction=0.5, flip_fraction=0.0, widen_px=(0, 0), workers=0)
    return LandmarksTask(LandmarksTaskConfig(faces=faces, model=SMALL, batch_size=4, validation_faces=4))


def pix2pix_task(shards: Path, **settings: object) -> Pix2pixTask:
    torch.manual_seed(0)
    config = Pix2pixConfig(
        faces=FacesConfig(data=shards, widen_px=(0, 0), enlarged_px=286, light=False, workers=0),
        generator=Unet256Config(width=4),
        critic=PatchGanConfig(width=4),
        batch_size=2,
        validation_faces=2,
    )
    return Pix2pixTask(dataclasses.replace(config, **settings))  # type: ignore[arg-type]


def test_the_landmark_network_starts_at_the_mean_and_learns(shards: Path, tmp_path: Path) -> None:
    task = landmarks_task(shards)
    start = task.network(torch.zeros(1, 3, 256, 256))
    assert start.shape == (1, NUM_LANDMARKS, 3)
    assert torch.allclose(start[0], torch.from_numpy(mean_shape()), atol=3)
    told: list[float] = []
    settings = TrainerConfig(run=tmp_path, steps=12, warmup_steps=1, log_every=1, validate_every=12)
    Trainer(task, settings).fit(lambda progress: told.append(progress.scalars["shape"]))
    assert np.mean(told[-3:]) < np.mean(told[:3])
    assert list((tmp_path / "samples").glob("*.png"))


def test_exported_landmarks_come_back_to_torch_and_carry_gradients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = LandmarksConfig().build()
    with torch.no_grad():  # As training leaves it: no scale is exactly 1, no shift exactly 0.
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    folder = tmp_path / "weights"
    folder.mkdir()
    graphs.export_landmarks(network, folder / "landmarks.onnx")
    assert (folder / "landmarks.onnx").stat().st_size <= 2_000_000
    monkeypatch.setattr(registry, "find", lambda name: folder / f"{name}.onnx")
    again = frozen_onnx.shipped_landmarks()
    face = torch.rand(1, 3, 256, 256) * 2 - 1
    assert torch.allclose(again(face), network.eval()(face), atol=0.2)
    restored = torch.zeros_like(face, requires_grad=True)
    distance = landmark_distance(again, restored, face)
    distance.backward()
    assert float(distance.detach()) > 0
    assert restored.grad is not None
    assert float(restored.grad.abs().sum()) > 0


def test_point_distance_is_in_eye_distances_and_blind_to_depth() -> None:
    points = torch.zeros(1, 2, 3)
    moved = points + torch.tensor([3.0, 4.0, 99.0])
    assert float(point_distance(moved, points)) == pytest.approx(5 / EYE_DISTANCE_PX)


def test_landmarks_come_only_without_mirroring(shards: Path) -> None:
    faces = CoveredFaces(FacesConfig(data=shards, flip_fraction=0.0, widen_px=(0, 0)), split="train")
    item = faces[0]
    assert item["landmarks"].shape == (NUM_LANDMARKS, 3)
    assert "landmarks" not in CoveredFaces(FacesConfig(data=shards), split="train")[0]
    with pytest.raises(ConfigError, match="left and a right"):
        LandmarksTaskConfig(faces=FacesConfig(data=shards))


def test_every_term_of_study_b_is_told_and_weighed(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = LandmarksConfig().build().eval().requires_grad_(False)
    monkeypatch.setattr("demask.training.tasks.pix2pix_task.shipped_landmarks", lambda: frozen)
    told: list[dict[str, float]] = []
    settings = TrainerConfig(run=tmp_path, steps=2, log_every=1, validate_every=2)
    task = pix2pix_task(shards, pixel_weight=100.0, landmark_weight=20.0)
    Trainer(task, settings).fit(lambda progress: told.append(progress.scalars))
    assert {"critic", "l1", "adversarial", "pixel", "landmark", "gradient"} == told[-1].keys()
    assert all(np.isfinite(list(step.values())).all() for step in told)


def test_half_the_side_trains_too_and_is_exported_whole(shards: Path, tmp_path: Path) -> None:
    task = pix2pix_task(shards, side_px=128, generator=Unet256Config(width=4, levels=7), validation_faces=16)
    settings = TrainerConfig(run=tmp_path, steps=1, validate_every=1, precision="float32")
    Trainer(task, settings).fit()
    with Image.open(next((tmp_path / "samples").glob("*.png"))) as shown:
        assert shown.size == (2 * 3 * 128, 8 * 128)
    task.export(task.network.eval(), tmp_path / "half.onnx")
    restorer = get_restorer(str(tmp_path / "half.onnx"), device="cpu", threads=1)
    whole = restorer(np.zeros((256, 256, 3), np.uint8), np.zeros((256, 256), bool))
    assert whole.shape == (256, 256, 3)


def test_a_side_that_does_not_fit_is_refused(shards: Path) -> None:
    for side in (128, 100, 0):  # Eight halvings need 256 px.
        with pytest.raises(ConfigError, match=f"side_px is {side}"):
            pix2pix_task(shards, side_px=side)
    with pytest.raises(ConfigError, match="takes crops of 256 px only"):
        Pix2pixTask(Pix2pixConfig(faces=FacesConfig(data=Path("nowhere"), wide_fraction=0.5)))
    with pytest.raises(ConfigError, match="levels is 9"):
        Unet256Config(levels=9)


def test_smaller_batches_keep_holes_whole_and_edges_out() -> None:
    hole, valid = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    hole[0, 0, 1, 1] = 1
    valid[0, 0, 3, 3] = 0
    face = torch.arange(16.0).view(1, 1, 4, 4)
    small = Tensors(masked=face, face=face, hole=hole, valid=valid).resized(2)
    assert small.hole.flatten().tolist() == [1, 0, 0, 0]
    assert small.valid.flatten().tolist() == [1, 1, 1, 0]
    assert small.face.flatten().tolist() == [2.5, 4.5, 10.5, 12.5]


def test_weights_at_zero_leave_terms_out(shards: Path, tmp_path: Path) -> None:
    told: list[dict[str, float]] = []
    settings = TrainerConfig(run=tmp_path, steps=1, log_every=1, validate_every=9)
    Trainer(pix2pix_task(shards, adversarial_weight=0.0), settings).fit(
        lambda progress: told.append(progress.scalars)
    )
    assert told[0].keys() == {"l1", "gradient"}


def test_a_translator_is_exported_and_used_without_a_hole(shards: Path, tmp_path: Path) -> None:
    task = pix2pix_task(shards)
    path = tmp_path / "pix2pix.onnx"
    task.export(task.network.eval(), path)
    restorer = get_restorer(str(path), device="cpu", threads=1)
    assert isinstance(restorer, TranslatorRestorer)
    masked = np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    nothing, everything = np.zeros((256, 256), bool), np.ones((256, 256), bool)
    assert np.array_equal(restorer(masked, nothing), restorer(masked, everything))


def test_recipes_are_named_and_the_nearest_is_offered(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'pix2pix\+pixel'"):
        resolve("pix2pix+pixels", data=tmp_path, run=tmp_path)
    study_b = resolve("pix2pix+pixel+landmark", data=tmp_path, run=tmp_path)
    assert study_b.task.pixel_weight > 0
    assert study_b.task.landmark_weight > 0
    assert study_b.trainer.steps * study_b.task.batch_size == pytest.approx(300 * 2331, rel=1e-3)
    assert set(recipes()) > {"finder", "hole", "restorer", "landmarks", "pix2pix"}


def test_half_of_lpips_is_refused(shards: Path) -> None:
    with pytest.raises(WeightsError, match="both or neither"):
        pix2pix_task(shards, lpips_backbone=Path("x.pth")).helpers()
