"""Training as several processes, and killed in the middle: what users of a cluster do to it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("lightning_fabric")

TINY = (
    "model.body.widths=(8, 8, 16)",
    "model.body.encoder_blocks=(1, 1)",
    "model.body.decoder_blocks=(1, 1)",
    "model.body.mixer_blocks=1",
    "model.body.num_heads=2",
    "batch_size=4",
    "validation_faces=4",
    "faces.workers=0",
    "trainer.log_every=1",
    "trainer.validate_every=99",
    "trainer.threads=1",
    "trainer.device=cpu",
)


def command(shards: Path, run: Path, *settings: str, launcher: tuple[str, ...] = ("-m", "demask")) -> list[str]:
    chosen = [part for setting in (*TINY, *settings) for part in ("--set", setting)]
    return [sys.executable, *launcher, "train", "hole", "--data", str(shards), "-o", str(run), *chosen]


def trace(run: Path) -> dict[int, dict[str, float]]:
    """Losses by step; a step taken twice must have given the same figures."""
    steps: dict[int, dict[str, float]] = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        facts = json.loads(line)
        if facts.pop("group") == "train":
            step = facts.pop("step")
            del facts["time"]
            assert steps.setdefault(step, facts) == facts, f"step {step} was taken again and differs"
    return steps


def run_to_end(arguments: list[str]) -> None:
    done = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_two_processes_give_the_losses_of_one(shards: Path, tmp_path: Path) -> None:
    exact = ("trainer.precision=float32", "trainer.steps=4")
    run_to_end(command(shards, tmp_path / "one", *exact))
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "demask")
    run_to_end(command(shards, tmp_path / "two", *exact, launcher=launcher))
    one, two = trace(tmp_path / "one"), trace(tmp_path / "two")
    assert one.keys() == two.keys() == {1, 2, 3, 4}
    for step, terms in one.items():
        for term, value in terms.items():
            assert two[step][term] == pytest.approx(value, rel=2e-4, abs=1e-5), (step, term)


def test_a_killed_run_goes_on_bit_for_bit(shards: Path, tmp_path: Path) -> None:
    settings = ("trainer.steps=14", "trainer.save_every_s=0")
    run_to_end(command(shards, tmp_path / "whole", *settings))
    killed = tmp_path / "killed"
    child = subprocess.Popen(
        command(shards, killed, *settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and child.poll() is None:
        if (killed / "last.pt").exists() and len(trace(killed)) >= 4:
            break
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "the run was over before it could be killed"
    before = len(trace(killed))
    assert 4 <= before < 14
    run_to_end(command(shards, killed, *settings))
    assert trace(killed) == trace(tmp_path / "whole")
