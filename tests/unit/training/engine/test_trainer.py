import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.utils._python_dispatch import TorchDispatchMode

from demask.errors import ConfigError, TrainingError, WeightsError
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine import checkpoint
from demask.training.engine.task import Share
from demask.training.engine.trainer import Trainer
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.models.unet import HoleConfig, RestorerConfig, UNetConfig
from demask.training.tasks.hole_task import HoleTask, HoleTaskConfig
from demask.training.tasks.inpainting import cut, window_corners
from demask.training.tasks.restorer_task import RestorerTask, RestorerTaskConfig

TINY = UNetConfig(widths=(8, 8, 16), encoder_blocks=(1, 1), decoder_blocks=(1, 1), mixer_blocks=1, num_heads=2)


def hole_task(shards: Path) -> HoleTask:
    torch.manual_seed(1)
    faces = FacesConfig(data=shards, widen_px=(0, 0), workers=0)
    return HoleTask(HoleTaskConfig(faces=faces, model=HoleConfig(body=TINY), batch_size=2, validation_faces=4))


def restorer_task(shards: Path, **settings: object) -> RestorerTask:
    torch.manual_seed(1)
    faces = FacesConfig(data=shards, workers=0)
    config = RestorerTaskConfig(
        faces=faces, model=RestorerConfig(body=TINY), batch_size=2, validation_faces=4, perceptual_weight=0
    )
    return RestorerTask(dataclasses.replace(config, **settings))  # type: ignore[arg-type]


def losses(run: Path) -> dict[int, dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    kept = ("group", "step", "time")
    return {
        line["step"]: {key: value for key, value in line.items() if key not in kept}
        for line in lines
        if line["group"] == "train"
    }


@pytest.mark.parametrize("make", [hole_task, restorer_task])
def test_a_resumed_run_repeats_the_unbroken_one(shards: Path, tmp_path: Path, make) -> None:
    settings = TrainerConfig(run=tmp_path / "whole", steps=4, log_every=1, validate_every=4)
    Trainer(make(shards), settings).fit()

    broken = dataclasses.replace(settings, run=tmp_path / "broken")
    stopper = iter(range(2))

    def stop(_progress: object) -> None:
        if next(stopper) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trainer(make(shards), broken).fit(stop)
    Trainer(make(shards), broken).fit()
    assert losses(tmp_path / "whole") == losses(tmp_path / "broken")


def test_a_batch_in_parts_gives_the_same_losses(shards: Path, tmp_path: Path) -> None:
    traces = []
    for parts in (1, 2):
        settings = TrainerConfig(
            run=tmp_path / str(parts),
            steps=3,
            log_every=1,
            validate_every=9,
            accumulate=parts,
            precision="float32",
        )
        Trainer(hole_task(shards), settings).fit()
        traces.append(losses(settings.run))
    for step, whole in traces[0].items():
        for term, value in whole.items():
            assert traces[1][step][term] == pytest.approx(value, rel=1e-4), (step, term)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_gives_the_same_losses(shards: Path, tmp_path: Path) -> None:
    traces = []
    for compiled in (False, True):
        run = tmp_path / str(compiled)
        settings = TrainerConfig(
            run=run, steps=2, log_every=1, validate_every=9, precision="float32", compile=compiled
        )
        Trainer(hole_task(shards), settings).fit()
        traces.append(losses(run))
    for step, plain in traces[0].items():
        assert traces[1][step] == pytest.approx(plain, rel=1e-3), step


class BackwardsWhenCompiled(torch.nn.Module):
    """The same values, but compiled the gradients point the other way: what a broken compiler does."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.inner(x)
        return 2 * out.detach() - out if torch.compiler.is_compiling() else out


@pytest.fixture
def quick_compiler() -> Iterator[None]:
    """torch.compile traces as ever, but no C++ is written: most of its time."""
    torch.compiler.set_default_backend("aot_eager")
    yield
    torch.compiler.set_default_backend(None)


@pytest.mark.usefixtures("quick_compiler")
def test_a_compiler_that_gets_the_gradients_wrong_is_refused(shards: Path, tmp_path: Path) -> None:
    task = hole_task(shards)
    task.networks["network"] = BackwardsWhenCompiled(task.network)
    before = [weight.detach().clone() for weight in task.network.parameters()]
    settings = TrainerConfig(run=tmp_path, steps=2, precision="float32", compile=True)
    with pytest.raises(TrainingError, match=r"gradients of 'network' wrong here.*cosine .* is -1\.00"):
        Trainer(task, settings).fit()
    assert all(map(torch.equal, before, task.network.parameters()))


def test_parts_and_processes_must_divide_the_batch(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be shared evenly"):
        Trainer(hole_task(shards), TrainerConfig(run=tmp_path, accumulate=3)).fit()
    assert Share(1, 2).numbers(batch_size=4, start_step=5, num_steps=7) == [22, 23, 26, 27]


def test_a_rehearsal_leaves_nothing_behind(shards: Path, tmp_path: Path) -> None:
    figures = Trainer(hole_task(shards), TrainerConfig(run=tmp_path / "run")).rehearse()
    assert figures["seconds"] > 0
    assert np.isfinite(figures["cross_entropy"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("device", ["tpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(shards: Path, tmp_path: Path, device: str) -> None:
    with pytest.raises(ConfigError, match="device is"):
        Trainer(hole_task(shards), TrainerConfig(run=tmp_path, device=device)).fit()


def test_training_lowers_the_loss(shards: Path, tmp_path: Path) -> None:
    settings = TrainerConfig(run=tmp_path, steps=12, log_every=1, validate_every=12, warmup_steps=1)
    Trainer(hole_task(shards), settings).fit()
    trace = [line["cross_entropy"] for line in losses(tmp_path).values()]
    assert np.mean(trace[-3:]) < np.mean(trace[:3])
    assert list((tmp_path / "samples").glob("*.png"))
    assert (tmp_path / "best.pt").exists()


def test_one_picture_a_split_is_enough(shards: Path, tmp_path: Path) -> None:
    shutil.copytree(shards, tmp_path / "set")
    rows = [json.loads(line) for line in (shards / "manifest.jsonl").read_text().splitlines()]
    kept = [next(row for row in rows if row["split"] == split) for split in ("train", "val")]
    (tmp_path / "set" / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    task = restorer_task(tmp_path / "set")
    assert [len(faces.shards) for faces in (task.train_faces, task.val_faces)] == [1, 1]
    Trainer(task, TrainerConfig(run=tmp_path / "run", steps=2, log_every=1)).fit()
    assert len(losses(tmp_path / "run")) == 2


def test_the_critic_joins_at_its_time(shards: Path, tmp_path: Path) -> None:
    settings = TrainerConfig(run=tmp_path, steps=4, log_every=1, validate_every=4)
    Trainer(restorer_task(shards, critic_from=0.5), settings).fit()
    trace = losses(tmp_path)
    assert "critic" not in trace[2]
    assert "adversarial" in trace[3]
    assert "critic" in trace[3]


def test_landmarks_and_identity_join_where_they_weigh(shards: Path, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Flatten", ["face"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["out"]),
    ]
    shown = [helper.make_tensor_value_info("face", TensorProto.FLOAT, ["n", 3, 112, 112])]
    given = [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 4])]
    weight = np.random.default_rng(0).normal(size=(3 * 112 * 112, 4)).astype(np.float32)
    graph = helper.make_graph(nodes, "embedding", shown, given, [numpy_helper.from_array(weight, "w")])
    onnx.save(helper.make_model(graph), str(tmp_path / "embedding.onnx"))
    task = restorer_task(
        shards, landmark_weight=1.0, identity_weight=1.0, identity_network=tmp_path / "embedding.onnx"
    )
    told = Trainer(task, TrainerConfig(run=tmp_path / "run")).rehearse()
    assert 0 < told["landmark"] < 1
    assert 0 < told["identity"] < 2
    with pytest.raises(WeightsError, match="identity_network"):
        restorer_task(shards, identity_weight=1.0).helpers()


def test_a_run_refuses_what_is_not_its_own(shards: Path, tmp_path: Path) -> None:
    settings = TrainerConfig(run=tmp_path, steps=1, validate_every=1)
    Trainer(hole_task(shards), settings).fit()
    with pytest.raises(TrainingError, match="belongs to the task 'hole'"):
        Trainer(restorer_task(shards), settings)
    wider = HoleTaskConfig(
        faces=FacesConfig(data=shards, workers=0),
        model=HoleConfig(body=dataclasses.replace(TINY, widths=(16, 16, 16))),
    )
    with pytest.raises(TrainingError, match="another architecture"):
        Trainer(HoleTask(wider), settings)


def test_no_step_on_a_loss_that_is_not_finite(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = hole_task(shards)
    before = [p.clone() for p in task.network.parameters()]
    good = next(task.batches(start_step=0, num_steps=1, share=Share()))
    bad = {**good, "masked": good["masked"].float() * float("nan")}
    monkeypatch.setattr(task, "batches", lambda **_settings: iter([bad]))
    with pytest.raises(TrainingError, match="cross_entropy"):
        Trainer(task, TrainerConfig(run=tmp_path / "run")).fit()
    assert all(torch.equal(a, b) for a, b in zip(before, task.network.parameters(), strict=True))
    assert not (tmp_path / "run" / "last.pt").exists()


def test_a_failed_save_leaves_the_last_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"num_steps": 1})

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match="No space left"):
        checkpoint.save(path, {"num_steps": 2})
    monkeypatch.undo()
    assert checkpoint.load(path) == {"num_steps": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match=r"last\.pt"):
        checkpoint.load(path)


def test_windows_lie_about_the_hole_and_inside() -> None:
    hole = torch.zeros(3, 1, 256, 256)
    hole[:, :, 150:250, 10:60] = 1
    corners = window_corners(hole, 128)
    assert corners.shape == (3, 2)
    assert (corners >= 0).all()
    assert (corners <= 128).all()
    assert cut(hole, corners, 128).sum((1, 2, 3)).min() > 0


def test_windows_are_cut_where_their_corners_say() -> None:
    torch.manual_seed(0)
    picture = torch.rand(3, 2, 40, 56, requires_grad=True)
    corners = torch.tensor([[0, 0], [8, 24], [24, 40]])
    windows = cut(picture, corners, 16)
    for x, (y0, x0), window in zip(picture, corners.tolist(), windows, strict=True):
        assert torch.equal(window, x[:, y0 : y0 + 16, x0 : x0 + 16])
    windows.sum().backward()
    assert float(picture.grad.sum()) == windows.numel()
    assert set(picture.grad.unique().tolist()) == {0.0, 1.0}


class NoHostReads(TorchDispatchMode):
    """Refuses to bring a tensor's value to the host, which is what makes a device wait."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        assert func is not torch.ops.aten._local_scalar_dense.default, "a value was read"
        return func(*args, **(kwargs or {}))


def test_cutting_asks_the_device_nothing() -> None:
    hole = torch.ones(2, 1, 256, 256)
    with NoHostReads():
        assert cut(hole, window_corners(hole, 128), 128).shape == (2, 1, 128, 128)
        with pytest.raises(AssertionError, match="a value was read"):
            int(hole[0, 0, 0, 0])
