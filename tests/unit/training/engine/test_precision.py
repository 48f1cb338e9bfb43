"""Which arithmetic a training takes, and that it says so."""

import json
import logging
import platform
from pathlib import Path

import pytest
import torch

from demask.errors import ConfigError
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine.compute import choose_precision, has_bfloat16_units, open_fabric
from demask.training.engine.trainer import Trainer
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.models.unet import HoleConfig, UNetConfig
from demask.training.tasks.hole_task import HoleTask, HoleTaskConfig

CPU = torch.device("cpu")
CPUINFO = Path("/proc/cpuinfo")
TINY = UNetConfig(widths=(8, 8, 16), encoder_blocks=(1, 1), decoder_blocks=(1, 1), mixer_blocks=1, num_heads=2)


@pytest.mark.skipif(
    not CPUINFO.exists() or platform.machine() != "x86_64", reason="reads the flags that Linux lists on x86"
)
def test_the_units_are_those_that_the_system_lists() -> None:
    flags = CPUINFO.read_text().partition("flags")[2].partition("\n")[0].split()
    assert has_bfloat16_units(CPU) == bool({"avx512_bf16", "amx_tile"} & set(flags))


@pytest.mark.parametrize(("has_units", "wanted"), [(True, "bfloat16"), (False, "float32")])
def test_auto_takes_what_the_device_has_units_for(
    monkeypatch: pytest.MonkeyPatch, has_units: bool, wanted: str
) -> None:
    monkeypatch.setattr("demask.training.engine.compute.has_bfloat16_units", lambda _device: has_units)
    chosen = choose_precision("auto", CPU)
    assert chosen.precision == wanted
    assert not chosen.is_slow
    assert ("has units" in chosen.reason) == has_units
    assert choose_precision("bfloat16", CPU).is_slow != has_units
    assert choose_precision("float32", CPU).precision == "float32"


def test_a_precision_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    for refuse in (
        lambda: choose_precision("float8", CPU),
        lambda: TrainerConfig(run=tmp_path, precision="float8"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigError, match="choose auto, bfloat16, float32"):
            refuse()


def test_the_default_is_auto_and_the_log_says_what_was_chosen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = TrainerConfig(run=tmp_path, device="cpu")
    with caplog.at_level(logging.INFO, "demask.training"):
        fabric = open_fabric(config)
    chosen = choose_precision("auto", CPU)
    assert config.precision == "auto"
    assert f"computes in {chosen.precision}: this CPU has" in caplog.text
    wanted = {"bfloat16": "bf16-mixed", "float32": "32-true"}[chosen.precision]
    assert fabric._precision.precision == wanted


def test_asking_for_what_crawls_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "demask.training"):
        open_fabric(TrainerConfig(run=tmp_path, device="cpu", precision="bfloat16"))
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert bool(warned) != has_bfloat16_units(CPU)


def test_a_run_keeps_what_it_was_computed_in(shards: Path, tmp_path: Path) -> None:
    faces = FacesConfig(data=shards, workers=0)
    task = HoleTask(HoleTaskConfig(faces=faces, model=HoleConfig(body=TINY), batch_size=2, validation_faces=2))
    Trainer(task, TrainerConfig(run=tmp_path, steps=1, device="cpu")).fit()
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["trainer"]["precision"] == "auto"
    assert saved["computed"] == {"device": "cpu", "precision": choose_precision("auto", CPU).precision}
