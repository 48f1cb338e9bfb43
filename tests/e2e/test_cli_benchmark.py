"""`demask benchmark` as a user runs it, and killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from frozen_drawn import freeze_drawn

pytestmark = pytest.mark.timeout(1800)  # A dozen processes; seconds on a calm machine.

ARGUMENTS = (
    "--restorers",
    "telea,nothing,biharmonic",
    "--jobs",
    "2",
    "--subset",
    "biharmonic=2",
    "--no-pictures",
)
NUM_RESULTS = 2 * (2 * (3 * 5 + 2) + 3 * 2 + 2)
TABLES = ("results.json", "results.csv", "tables.md")


@pytest.fixture(scope="module")
def frozen(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return freeze_drawn(shards, tmp_path_factory.mktemp("frozen") / "set", per_slice=5, portraits=2)


def test_a_benchmark_killed_half_way_goes_on_to_the_same_bytes(
    demask, frozen: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    done = demask("benchmark", frozen, *ARGUMENTS, "-o", "whole", patience_s=600)
    assert done.returncode == 0, done.stderr.decode()

    killed = tmp_path / "killed"
    child = subprocess.Popen(
        [sys.executable, "-m", "demask", "benchmark", str(frozen), *ARGUMENTS, "-o", str(killed)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )

    def num_measured() -> int:
        path = killed / "measured.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and child.poll() is None and num_measured() < 30:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "the run was over before it could be killed"
    before = num_measured()
    assert 30 <= before < NUM_RESULTS
    assert not any((killed / name).exists() for name in TABLES)

    done = demask("benchmark", frozen, *ARGUMENTS, "-o", "killed", patience_s=600)
    assert done.returncode == 0, done.stderr.decode()
    assert f"{NUM_RESULTS} results, {before} of them measured before" in done.stderr.decode()
    for name in TABLES:
        assert (killed / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_the_workers_of_a_killed_benchmark_end(
    frozen: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "demask", "benchmark", str(frozen), *ARGUMENTS, "-o", str(tmp_path / "out")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    if not children.exists():
        child.kill()
        child.wait()
        pytest.skip("needs Linux' list of a process's children")
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and not (tmp_path / "out" / "measured.jsonl").exists():
        time.sleep(0.01)
    while time.monotonic() < deadline and not (tmp_path / "out" / "measured.jsonl").stat().st_size:
        time.sleep(0.01)
    workers = [int(number) for number in children.read_text().split()]
    assert len(workers) >= 2
    child.kill()
    child.wait()

    def alive(number: int) -> bool:
        try:
            return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text()
        except OSError:
            return False

    while time.monotonic() < deadline and any(map(alive, workers)):
        time.sleep(0.05)
    left = [number for number in workers if alive(number)]
    for number in left:
        os.kill(number, signal.SIGKILL)
    assert not left


def test_a_dry_run_and_what_is_refused(demask, frozen: Path, tmp_path: Path) -> None:
    done = demask("benchmark", frozen, *ARGUMENTS, "-o", "out", "--dry-run")
    assert done.returncode == 0
    assert "biharmonic (version 1): seen 2, unseen_colours 2, unseen_types 2, portrait 2; 16 results" in (
        done.stdout.decode()
    )
    assert not (tmp_path / "out").exists()
    for arguments, words in (
        (("--restorers", "tela"), "did you mean 'telea'?"),
        (("--restorers", "telea", "--subset", "telea"), "write each restorer once, as in"),
        (("--restorers", "telea", "--settings", "true"), "it is one or more of raw, pasted, found, whole"),
    ):
        done = demask("benchmark", frozen, *arguments, "-o", "out")
        assert done.returncode == 2
        assert words in done.stderr.decode()
        assert done.stderr.decode().count("\n") == 1


def test_nothing_is_the_masked_picture(demask, frozen: Path, tmp_path: Path) -> None:
    done = demask(
        "benchmark", frozen, "--restorers", "nothing,telea", "--settings", "raw", "-o", "out", patience_s=600
    )
    assert done.returncode == 0, done.stderr.decode()
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["base"] == "nothing"
    from demask.dataset.frozen_set import load_frozen
    from demask.evaluation.metrics.pixels import psnr

    pictures = [picture for picture in load_frozen(frozen) if picture.slice == "seen"]
    expected = sum(psnr(p.masked, p.face, p.hole & p.valid) for p in pictures) / len(pictures)
    got = results["slices"]["raw"]["seen"]["nothing"]["mean"]["hole_psnr"]["value"]
    assert got == pytest.approx(expected, abs=1e-4)
