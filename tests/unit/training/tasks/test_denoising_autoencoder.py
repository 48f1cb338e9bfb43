"""System 9: the stacked denoising auto-encoder, its losses by hand, its training tiny on drawn faces."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from demask.errors import ConfigError
from demask.restorers.by_name import get_restorer
from demask.restorers.network import TranslatorRestorer
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine.trainer import Trainer
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.losses.pixel import half_squared_error, half_squared_weights, sparsity
from demask.training.models.auto_encoder import AutoEncoderConfig, random_patches
from demask.training.recipes import resolve
from demask.training.tasks.denoising_autoencoder_task import (
    AutoEncoderTask,
    AutoEncoderTaskConfig,
    BatchLbfgs,
    Patches,
)

PATCHES = AutoEncoderConfig(patch_px=12, stride_px=11, hidden_factor=0.1)
FACE = AutoEncoderConfig(patch_px=16, stride_px=16, picture_px=16, hidden_factor=0.1)


def task_for(shards: Path, model: AutoEncoderConfig, **settings: object) -> AutoEncoderTask:
    torch.manual_seed(1)
    config = AutoEncoderTaskConfig(
        faces=FacesConfig(data=shards, widen_px=(0, 0), workers=0),
        model=model,
        batch_size=4,
        patches=1 if model is FACE else 5,
        iterations=3,
        validation_faces=2,
    )
    return AutoEncoderTask(dataclasses.replace(config, **settings))  # type: ignore[arg-type]


def told(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    kept = ("group", "step", "time")
    return [{k: v for k, v in line.items() if k not in kept} for line in lines if line["group"] == "train"]


def settings_for(run: Path, steps: int) -> TrainerConfig:
    return TrainerConfig(
        run=run, steps=steps, log_every=1, validate_every=steps, precision="float32", ema_decay=0.0,
        warmup_steps=1, decay_from=1.0,
    )  # fmt: skip


def test_the_stack_is_as_wide_as_stated() -> None:
    shapes = [tuple(p.shape) for p in AutoEncoderConfig().build().parameters() if p.ndim == 2]
    assert shapes == [(720, 144), (144, 720), (720, 720), (720, 720)]
    assert sum(p.numel() for p in AutoEncoderConfig().build().parameters()) == 1_246_464


@pytest.mark.parametrize("model", [PATCHES, FACE])
def test_a_stack_that_passes_everything_on_gives_the_picture_back(model: AutoEncoderConfig) -> None:
    network = model.build()
    network.restore = lambda patches: patches
    smooth = torch.nn.functional.interpolate(torch.rand(2, 3, 4, 4) * 2 - 1, size=(256, 256), mode="bilinear")
    restored = network(smooth)
    if model is PATCHES:  # Cut out and put together without a loss, at the edges too.
        torch.testing.assert_close(restored, smooth, atol=1e-5, rtol=0)
    else:
        assert (restored - smooth).abs().mean() < 0.05


def test_overlapping_patches_are_averaged() -> None:
    network = AutoEncoderConfig(patch_px=128, stride_px=64, hidden_factor=0.001).build()
    calls: list[tuple[int, ...]] = []

    def number_them(patches: torch.Tensor) -> torch.Tensor:
        calls.append(tuple(patches.shape))
        return torch.arange(9.0).view(1, 9, 1).expand_as(patches)

    network.restore = number_them
    picture = (network(torch.zeros(1, 3, 256, 256))[0, 0] + 1) / 2
    assert calls == [(3, 9, 128 * 128)]
    assert picture[0, 0] == 0  # The first alone,
    assert picture[0, 100] == 0.5  # with the second beside it,
    assert picture[100, 100] == 2  # and with the fourth and fifth below.


def test_patches_are_cut_at_the_same_places_of_both_pictures() -> None:
    torch.manual_seed(0)
    one = torch.rand(2, 3, 20, 24)
    torch.manual_seed(1)
    first, second = random_patches(one, one + 1, count=7, side_px=5)
    assert first.shape == (2 * 7 * 3, 25)
    torch.testing.assert_close(second, first + 1)
    assert len(torch.unique(first[:, 0])) > 30
    windows = one.unfold(2, 5, 1).unfold(3, 5, 1).reshape(-1, 25)
    assert all((windows == patch).all(1).any() for patch in first)
    torch.manual_seed(1)
    assert torch.equal(random_patches(one, one, count=7, side_px=5)[0], first)


def test_losses_are_those_of_a_calculation_by_hand() -> None:
    hidden = torch.tensor([[0.1, 0.5], [0.3, 0.7]])  # Means 0.2 and 0.6.
    by_hand = sum(0.05 * math.log(0.05 / mean) + 0.95 * math.log(0.95 / (1 - mean)) for mean in (0.2, 0.6))
    assert sparsity(hidden, rho=0.05).item() == pytest.approx(by_hand)
    assert sparsity(torch.full((3, 2), 0.05), rho=0.05).item() == pytest.approx(0, abs=1e-6)
    assert math.isfinite(sparsity(torch.ones(2, 2), rho=0.05).item())
    output, wanted = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 4.0]])
    assert half_squared_error(output, wanted).item() == pytest.approx((5 + 16) / 2 / 2)
    weights = [torch.full((2, 2), 2.0), torch.ones(3, 1)]
    assert half_squared_weights(weights).item() == pytest.approx((16 + 3) / 2)


def test_the_sparsity_draws_units_to_its_mean() -> None:
    logits = torch.zeros(8, 5, requires_grad=True)
    sparsity(torch.sigmoid(logits), rho=0.05).backward()
    assert logits.grad is not None
    assert (logits.grad > 0).all()  # Downhill is down, from 0.5 to 0.05.


def test_lbfgs_finds_the_bottom_of_a_valley_and_keeps_nothing() -> None:
    x = torch.nn.Parameter(torch.tensor([-1.2, 1.0]))
    optimizer = BatchLbfgs([x], rate=1.0, iterations=100, history=10)
    asked = []

    def rosenbrock() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        loss.backward()
        asked.append(loss.item())
        return loss

    optimizer.step(rosenbrock)
    assert x.tolist() == pytest.approx([1, 1], abs=1e-3)
    assert len(asked) > 10
    assert not optimizer.state


@pytest.mark.parametrize("model", [PATCHES, FACE])
def test_layers_then_the_whole_and_a_resumed_run_repeats_it(
    shards: Path, tmp_path: Path, model: AutoEncoderConfig
) -> None:
    task = task_for(shards, model)
    Trainer(task, settings_for(tmp_path / "whole", 4)).fit()
    trace = told(tmp_path / "whole")
    whole = {"error", "decay", "gradient"}
    layers = [{f"error_layer{n}", f"sparsity_layer{n}", "decay"} for n in (1, 2)]
    assert [step.keys() for step in trace] == [*layers, whole, whole]
    assert trace[3]["error"] < trace[2]["error"]

    broken = settings_for(tmp_path / "broken", 4)
    for stop_after in (1, 2, 99):  # Between the layers, and between two steps of L-BFGS.
        left = iter([False] * (stop_after - 1) + [True] * 99)
        Trainer(task_for(shards, model), broken).fit(should_stop=lambda left=left: next(left))
    assert told(tmp_path / "broken") == trace


def test_a_layer_alone_changes_no_other(shards: Path, tmp_path: Path) -> None:
    task = task_for(shards, FACE)
    before = {name: [p.clone() for p in part.parameters()] for name, part in task.parts.items()}
    changed: list[list[str]] = []

    def look(_progress: object) -> None:
        changed.append(
            [
                name
                for name, part in task.parts.items()
                if not all(map(torch.equal, before[name], part.parameters()))
            ]
        )

    Trainer(task, settings_for(tmp_path, 4)).fit(look)
    assert changed[:2] == [["layer1"], ["layer1", "layer2"]]


def test_the_second_layer_learns_from_corrupted_to_clean(shards: Path, tmp_path: Path) -> None:
    task = task_for(shards, FACE)
    trainer = Trainer(task, settings_for(tmp_path, 4))
    trainer.rehearse()
    masked, face = torch.rand(6, 256), torch.rand(6, 256)
    losses = task.losses("layer2", {}, Patches(masked, face), progress=0.3)
    first, second = task.network.stack
    with torch.no_grad():
        wanted = half_squared_error(second(first.encode(masked)).output, first.encode(face))
    assert losses.terms["error_layer2"].item() == pytest.approx(wanted.item(), rel=1e-6)


@pytest.mark.parametrize("model", [PATCHES, FACE])
def test_it_is_exported_and_used_without_a_hole(shards: Path, tmp_path: Path, model: AutoEncoderConfig) -> None:
    task = task_for(shards, model)
    path = tmp_path / "autoencoder.onnx"
    task.export(task.network.eval(), path)  # Compares with torch on its own.
    restorer = get_restorer(str(path), device="cpu", threads=1)
    assert isinstance(restorer, TranslatorRestorer)
    masked = np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    restored = restorer(masked, np.zeros((256, 256), bool))
    with torch.no_grad():
        wanted = task.network(torch.from_numpy(masked).permute(2, 0, 1)[None].float() / 127.5 - 1)
    pixels = (wanted[0].permute(1, 2, 0).numpy() + 1) * 127.5
    assert np.abs(restored - pixels).max() < 2


def test_sizes_that_do_not_go_together_are_refused() -> None:
    for settings, match in (
        ({"stride_px": 13}, "stride_px is 13"),
        ({"picture_px": 100}, "picture_px is 100"),
        ({"hidden_factor": 0.0}, "hidden unit"),
    ):
        with pytest.raises(ConfigError, match=match):
            AutoEncoderConfig(**settings)
    with pytest.raises(ConfigError, match="rho 1"):
        AutoEncoderTaskConfig(faces=FacesConfig(data=Path()), rho=1)


def test_both_rows_are_recipes(tmp_path: Path) -> None:
    face = resolve("denoising-autoencoder", data=tmp_path, run=tmp_path)
    assert (face.task.model.patch_px, face.task.model.picture_px, face.task.patches) == (32, 32, 1)
    patches = resolve("denoising-autoencoder-patches", data=tmp_path, run=tmp_path)
    assert patches.task.model == AutoEncoderConfig()
