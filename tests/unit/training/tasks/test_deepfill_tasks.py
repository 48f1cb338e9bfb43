"""DeepFill v1 and v2, trained tiny on drawn faces."""

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from demask.errors import ConfigError
from demask.restorers.by_name import get_restorer
from demask.restorers.network import NetworkRestorer
from demask.training.data.covered_crops import CoveredFaces
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine.start import begin_with
from demask.training.engine.task import Task
from demask.training.engine.trainer import Trainer
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.models.critics import SpectralPatchConfig, WassersteinCriticsConfig
from demask.training.models.deepfill_net import DeepFillConfig
from demask.training.recipes import resolve
from demask.training.tasks.deepfill_v1_task import DeepFillV1Config, DeepFillV1Task
from demask.training.tasks.deepfill_v2_task import DeepFillV2Config, DeepFillV2Task


def v1_task(shards: Path, **settings: object) -> DeepFillV1Task:
    torch.manual_seed(1)
    config = DeepFillV1Config(
        faces=FacesConfig(data=shards, box_fraction=0.5, workers=0),
        generator=DeepFillConfig(width=4, gated=False),
        critics=WassersteinCriticsConfig(width=4),
        side_px=64,
        batch_size=2,
        critic_steps=2,
        validation_faces=2,
    )
    return DeepFillV1Task(dataclasses.replace(config, **settings))  # type: ignore[arg-type]


def v2_task(shards: Path, **settings: object) -> DeepFillV2Task:
    torch.manual_seed(1)
    config = DeepFillV2Config(
        faces=FacesConfig(data=shards, free_form_fraction=0.5, workers=0),
        generator=DeepFillConfig(width=4, gated=True),
        critic=SpectralPatchConfig(width=4),
        side_px=64,
        batch_size=2,
        validation_faces=2,
    )
    return DeepFillV2Task(dataclasses.replace(config, **settings))  # type: ignore[arg-type]


def told(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    kept = ("group", "step", "time")
    return [{k: v for k, v in line.items() if k not in kept} for line in lines if line["group"] == "train"]


def settings_for(run: Path, steps: int) -> TrainerConfig:
    return TrainerConfig(
        run=run, steps=steps, log_every=1, validate_every=steps, precision="float32", ema_decay=0.0
    )


@pytest.mark.parametrize("make", [v1_task, v2_task])
def test_a_run_steps_and_a_resumed_one_repeats_it(shards: Path, tmp_path: Path, make) -> None:
    Trainer(make(shards), settings_for(tmp_path / "whole", 4)).fit()
    broken = settings_for(tmp_path / "broken", 4)
    stopper = iter((False, True))
    Trainer(make(shards), broken).fit(should_stop=lambda: next(stopper))
    assert len(told(broken.run)) == 2
    Trainer(make(shards), broken).fit()
    trace = told(tmp_path / "whole")
    for unbroken, resumed in zip(trace, told(tmp_path / "broken"), strict=True):
        assert resumed == pytest.approx(unbroken, rel=1e-5)  # Sums of gradients round in their own order.
    assert all(np.isfinite(list(step.values())).all() for step in trace)
    assert list((tmp_path / "whole" / "samples").glob("*.png"))


def test_v1_updates_its_critics_on_every_batch_and_the_generator_on_every_second(
    shards: Path, tmp_path: Path
) -> None:
    task = v1_task(shards)
    before = {name: [p.clone() for p in net.parameters()] for name, net in task.networks.items()}

    def moved(name: str) -> bool:
        return not all(map(torch.equal, before[name], task.networks[name].parameters()))

    seen: list[tuple[bool, bool]] = []
    Trainer(task, settings_for(tmp_path, 2)).fit(
        lambda _progress: seen.append((moved("critic"), moved("network")))
    )
    assert seen == [(True, False), (True, True)]
    trace = told(tmp_path)
    assert trace[0].keys() == {"critic", "penalty"}
    reconstruction = {"hole_coarse", "hole_refined", "known_coarse", "known_refined"}
    assert trace[1].keys() == {"critic", "penalty", "adversarial", "gradient"} | reconstruction


def test_v1_reconstructs_alone_until_its_critics_join(shards: Path) -> None:
    task = v1_task(shards, critics_from=0.5, critic_steps=5)
    assert [task.plan(step / 20, step=step) for step in (0, 9)] == [("network",)] * 2
    later = [task.plan(step / 20, step=step) for step in range(10, 20)]
    assert [plan == ("critic", "network") for plan in later] == ([False] * 4 + [True]) * 2
    assert all("critic" in plan for plan in later)


def test_v2_plays_one_to_one_and_tells_every_term(shards: Path, tmp_path: Path) -> None:
    figures = Trainer(v2_task(shards), settings_for(tmp_path, 1)).rehearse()
    assert figures.keys() == {"critic", "coarse", "refined", "adversarial", "gradient", "seconds"}
    alone = Trainer(v2_task(shards, adversarial_weight=0.0), settings_for(tmp_path, 1)).rehearse()
    assert alone.keys() == {"coarse", "refined", "gradient", "seconds"}


@pytest.fixture(scope="module")
def exported(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Task, Path]]:
    """A task of either kind and its export, made once: each takes a quarter of a minute."""
    folder = tmp_path_factory.mktemp("exported")

    @functools.cache
    def of(make: Callable[[Path], Task]) -> tuple[Task, Path]:
        task, path = make(shards), folder / f"{make.__name__}.onnx"
        if make is v1_task:  # As training leaves it: no two biases alike.
            with torch.no_grad():
                for parameter in task.network.parameters():
                    parameter.add_(0.05 * torch.randn_like(parameter))
        task.export(task.network.eval(), path)  # Compares with torch on its own.
        return task, path

    return of


@pytest.mark.parametrize("make", [v1_task, v2_task])
def test_it_is_exported_and_fills_holes_of_whole_crops(exported, make) -> None:
    task, path = exported(make)
    restorer = get_restorer(str(path), device="cpu", threads=1)
    assert isinstance(restorer, NetworkRestorer)
    masked = np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    hole = np.zeros((256, 256), bool)
    hole[100:180, 60:200] = True
    restored = restorer(masked, hole)
    assert restored.shape == masked.shape
    with torch.no_grad():
        picture = torch.from_numpy(masked).permute(2, 0, 1)[None].float() / 127.5 - 1
        wanted = task.network(picture, torch.from_numpy(hole)[None, None].float()).prediction
    pixels = ((wanted[0].permute(1, 2, 0).numpy() + 1) * 127.5).clip(0, 255)
    assert np.abs(restored - pixels).max() < 2


def test_v1_goes_on_at_another_side_with_its_generator(exported) -> None:
    small, path = exported(v1_task)
    torch.manual_seed(2)
    large = DeepFillV1Task(dataclasses.replace(small.config, side_px=128))
    begin_with(large.network, path, export=large.export)
    for mine, theirs in zip(large.network.parameters(), small.network.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)  # Stored in half precision.


def test_published_holes_lie_on_bare_faces(shards: Path) -> None:
    config = FacesConfig(data=shards, box_fraction=1.0, missed_fraction=1.0, workers=0)
    faces = CoveredFaces(config, split="train")
    item, again = faces[3], faces[3]
    assert all(np.array_equal(item[key], again[key]) for key in item)
    assert np.array_equal(item["masked"], item["face"])
    assert item["hole"].mean() > 0.1
    coverings = CoveredFaces(FacesConfig(data=shards, workers=0), split="train")[3]
    assert not np.array_equal(coverings["masked"], coverings["face"])
    with pytest.raises(ConfigError, match="at most 1"):
        FacesConfig(data=shards, box_fraction=0.7, free_form_fraction=0.7)


def test_recipes_are_the_published_ones(tmp_path: Path) -> None:
    v1 = resolve("deepfill-v1", data=tmp_path, run=tmp_path)
    assert (v1.task.batch_size, v1.task.learning_rate, v1.task.critic_steps) == (16, 1e-4, 5)
    assert v1.trainer.steps / v1.task.critic_steps == 1_000_000
    v2 = resolve("deepfill-v2", data=tmp_path, run=tmp_path, settings=["generator.width=24", "side_px=128"])
    assert (v2.task.generator, v2.task.side_px) == (DeepFillConfig(width=24, gated=True), 128)
    assert [v2.trainer.rate_at(step) for step in (0, 999_999)] == [1, 1]
    for name, side in (("deepfill-v1", 16), ("deepfill-v2", 32)):
        with pytest.raises(ConfigError, match=f"side_px is {side}"):
            resolve(name, data=tmp_path, run=tmp_path, settings=[f"side_px={side}"])
