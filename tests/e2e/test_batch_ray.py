"""Batches on a real Ray cluster of this machine; what they remove with is a stand-in, see `batch_openers`."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batch_openers import DEADLY, check, open_fake, photos
from demask.batch.batch_run import Summary, run_batch
from demask.batch.batch_worker import Setup
from demask.batch.manifest_row import Row
from demask.batch.manifest_store import ManifestIndex, manifest_place
from demask.errors import UsageError

pytest.importorskip("pyarrow")
ray = pytest.importorskip("ray")
from demask.batch.ray_engine import RayEngine  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own, of its own parts.


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Two workers' worth of this machine."""
    kept = dict(os.environ)
    tests = str(Path(__file__).parents[1])
    os.environ |= {
        "PYTHONPATH": os.pathsep.join([tests, *filter(None, [kept.get("PYTHONPATH")])]),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    started = [one for one in gc.get_objects() if isinstance(one, subprocess.Popen)]
    ray.shutdown()
    for process in started:  # It does not wait for its own.
        process.wait(60)
    os.environ.clear()
    os.environ.update(kept)


def run(source: Path, target: Path, **options: Any) -> Summary:
    setup = Setup(target=str(target), made={"restorer": "network"}, opener=open_fake, read_limit_s=20)
    return run_batch(str(source), setup, lambda setup: RayEngine(setup, workers=2), **options)


def test_all_kinds_of_photos_and_the_same_again(cluster: None, tmp_path: Path) -> None:
    source, target = photos(tmp_path / "in", 20, b"bad", b"", b"bug"), tmp_path / "out"
    rows: list[Row] = []
    first = run(source, target, on_row=lambda row, _: rows.append(row))
    assert dict(first.counts) == {"restored": 5, "no_face": 15, "failed": 2, "error": 1}
    check(source, target)
    assert {row.name: row.reason for row in rows if row.reason} == {
        "x0.jpg": "it is no picture",
        "x1.jpg": "it is empty",
        "x2.jpg": "unexpected ZeroDivisionError: oh",
    }
    assert dict(run(source, target).counts) == {"done": 20, "failed": 2, "error": 1}


def test_a_photo_that_kills_its_workers_is_set_aside(cluster: None, tmp_path: Path) -> None:
    source, target = photos(tmp_path / "in", 12, DEADLY), tmp_path / "out"
    assert dict(run(source, target).counts) == {"restored": 3, "no_face": 9, "poisoned": 1}
    check(source, target)
    assert dict(run(source, target).counts) == {"done": 12, "poisoned": 1}


def test_a_worker_killed_in_the_middle_loses_nothing(
    cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = photos(tmp_path / "in", 48), tmp_path / "out"
    seen: list[str] = []
    hit = threading.Event()

    def kill_once(row: Row, _: Summary) -> None:
        seen.append(row.name)
        if not hit.is_set() and row.worker:
            hit.set()
            os.kill(int(row.worker.rpartition(":")[2]), signal.SIGKILL)

    done = run(source, target, on_row=kill_once, photos_per_task=2)
    assert hit.is_set()
    assert dict(done.counts) == {"restored": 12, "no_face": 36}
    assert sorted(seen) == sorted(path.name for path in source.iterdir())
    check(source, target)
    with ManifestIndex(manifest_place(str(target))) as index:
        assert index.counts() == {"restored": 12, "no_face": 36}


def test_more_workers_than_fit_are_refused(cluster: None, tmp_path: Path) -> None:
    setup = Setup(target=str(tmp_path), made={"restorer": "network"}, opener=open_fake, threads=64)
    start = time.monotonic()
    with pytest.raises(UsageError, match="no worker of 64 CPUs"):
        RayEngine(setup)
    assert time.monotonic() - start < 60
