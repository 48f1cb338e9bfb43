"""Batches over real processes and real files: stopped, given again, poisoned, two at once."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batch_openers import DEADLY, check, open_fake, photos
from demask.atomic import part_name
from demask.batch.batch_run import Summary, run_batch
from demask.batch.batch_worker import BatchWorker, Setup, Task
from demask.batch.manifest_row import Row
from demask.batch.manifest_store import ManifestIndex, manifest_place
from demask.batch.photo_source import PhotoRef
from demask.batch.process_engine import ProcessEngine
from demask.errors import DemaskError, InputError, OutputError

pytest.importorskip("pyarrow")


def setup_for(target: Path | str, **options: Any) -> Setup:
    made = {"restorer": options.get("restorer", "network")}
    return Setup(target=str(target), made=made, opener=open_fake, read_limit_s=20, **options)


def run(source: Path | str, setup: Setup, *, workers: int = 1, **options: Any) -> Summary:
    return run_batch(str(source), setup, lambda setup: ProcessEngine(setup, workers=workers), **options)


def test_a_batch_and_the_same_again(tmp_path: Path) -> None:
    source, target = photos(tmp_path / "in", 20, b"bad", b"", b"bug"), tmp_path / "out"
    rows: list[Row] = []
    first = run(source, setup_for(target), on_row=lambda row, _: rows.append(row))
    assert dict(first.counts) == {"restored": 5, "no_face": 15, "failed": 2, "error": 1}
    check(source, target)
    reasons = {row.name: row.reason for row in rows if row.reason}
    assert reasons == {
        "x0.jpg": "it is no picture",
        "x1.jpg": "it is empty",
        "x2.jpg": "unexpected ZeroDivisionError: oh",
    }
    before = {path: path.stat().st_mtime_ns for path in target.glob("*.jpg")}
    again = run(source, setup_for(target))
    assert dict(again.counts) == {"done": 20, "failed": 2, "error": 1}  # What may be our fault is tried again.
    assert again.known == 22
    assert {path: path.stat().st_mtime_ns for path in target.glob("*.jpg")} == before
    with ManifestIndex(manifest_place(str(target))) as index:
        assert index.counts() == {"no_face": 15, "restored": 5, "failed": 2, "error": 1}
    (source / "x0.jpg").write_bytes(b"plain now")
    assert run(source, setup_for(target, retry_failed=True)).counts["no_face"] == 1


def test_what_differs_is_named_and_kept(tmp_path: Path) -> None:
    source, target = photos(tmp_path / "in", 3), tmp_path / "out"
    run(source, setup_for(target))
    (source / "001.jpg").write_bytes(b"plain other")
    (target / "002.jpg").write_bytes(b"mine")
    rows: dict[str, Row] = {}
    run(source, setup_for(target), on_row=lambda row, _: rows.update({row.name: row}))
    assert rows["000.jpg"].status == "done"
    assert "was made from other bytes of the photo" in str(rows["001.jpg"].reason)
    assert "was changed since it was made" in str(rows["002.jpg"].reason)
    run(source, setup_for(target, restorer="telea"), on_row=lambda row, _: rows.update({row.name: row}))
    assert "restorer was network, is telea" in str(rows["000.jpg"].reason)
    assert (target / "002.jpg").read_bytes() == b"mine"
    assert not run(source, setup_for(target, restorer="telea", overwrite=True)).failed
    check(source, target, word=b"telea")


def test_a_photo_that_kills_its_workers_is_set_aside_and_its_neighbours_are_not(tmp_path: Path) -> None:
    source, target = photos(tmp_path / "in", 12, DEADLY), tmp_path / "out"
    done = run(source, setup_for(target), workers=2)
    assert dict(done.counts) == {"restored": 3, "no_face": 9, "poisoned": 1}
    check(source, target)
    start = time.monotonic()
    again = run(source, setup_for(target))
    assert dict(again.counts) == {"done": 12, "poisoned": 1}
    assert again.known == 13
    assert time.monotonic() - start < 60


def test_two_batches_into_one_target(tmp_path: Path) -> None:
    source, target = photos(tmp_path / "in", 60), tmp_path / "out"
    script = textwrap.dedent(
        """
        import sys
        from test_batch_run import run, setup_for

        if __name__ == "__main__":
            print(dict(run(sys.argv[1], setup_for(sys.argv[2])).counts))
        """
    )
    (tmp_path / "both.py").write_text(script)
    runs = [
        subprocess.Popen([sys.executable, tmp_path / "both.py", source, target], env=environment())
        for _ in range(2)
    ]
    assert [run.wait(120) for run in runs] == [0, 0]
    check(source, target)
    with ManifestIndex(manifest_place(str(target))) as index:
        assert sum(index.counts().values()) == 60
        assert index.counts()["restored"] == 15


def test_a_killed_driver_loses_nothing(tmp_path: Path) -> None:
    source, target = photos(tmp_path / "in", 60), tmp_path / "out"
    script = "from test_batch_run import *\nif __name__ == '__main__': run(sys.argv[1], setup_for(sys.argv[2]))"
    (tmp_path / "one.py").write_text(script)
    driver = subprocess.Popen(
        [sys.executable, tmp_path / "one.py", source, target],
        env={**environment(), "DEMASK_TEST_SLEEP_S": "0.05"},
    )
    deadline = time.monotonic() + 100
    while len(list(target.glob("*.jpg"))) < 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    driver.send_signal(signal.SIGKILL)
    assert driver.wait() == -signal.SIGKILL
    left = part_name(target / "001.jpg")
    left.with_name(left.name.replace(f"-{os.getpid()}-", f"-{driver.pid}-")).write_bytes(b"half")
    assert not run(source, setup_for(target)).failed
    check(source, target)
    with ManifestIndex(manifest_place(str(target))) as index:
        assert sum(index.counts().values()) == 60


def test_what_a_dead_worker_left_half_written_goes_with_its_photo(tmp_path: Path) -> None:
    source, target = photos(tmp_path / "in", 3), tmp_path / "out"
    worker = BatchWorker(setup_for(target))
    first, second, _ = (
        PhotoRef(name=path.name, place=str(source), file=path.name) for path in sorted(source.iterdir())
    )
    worker(Task(photos=[(first, None)]))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = part_name(target / second.name)
    left = left.with_name(left.name.replace(f"-{os.getpid()}-", f"-{dead.pid}-"))
    left.write_bytes(b"half")
    worker(Task(photos=[(second, None)], again=True))
    assert {path.name for path in target.iterdir()} == {first.name, second.name}


def test_an_interrupted_batch_says_what_it_did(tmp_path: Path) -> None:
    source, target = photos(tmp_path / "in", 60), tmp_path / "out"

    def stop(row: Row, summary: Summary) -> None:
        if summary.total == 3:
            raise KeyboardInterrupt

    done = run(source, setup_for(target), on_row=stop)
    assert done.interrupted
    assert 3 <= done.total < 60
    assert len(list(target.glob("*.jpg"))) == done.total


def test_a_full_disk_stops_the_batch_and_loses_nothing(tmp_path: Path) -> None:
    source, target = photos(tmp_path / "in", 0), tmp_path / "out"
    for index in range(30):
        (source / f"{index:03}.jpg").write_bytes(b"plain" + bytes(8000))
    target.mkdir()
    small = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", target]
    if shutil.which("mount") is None or subprocess.run(small, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be made")
    try:
        with pytest.raises(OutputError, match="No space left on device"):
            run(source, setup_for(target), manifest=str(tmp_path / "manifest"))
        assert 3 < len(list(target.iterdir())) < 30
        assert {path.stat().st_size for path in target.iterdir()} == {8005}
        subprocess.run(["mount", "-o", "remount,size=1m", target], check=True)
        again = run(source, setup_for(target), manifest=str(tmp_path / "manifest"))
        assert (again.total, again.failed) == (30, 0)
        assert len(list(target.iterdir())) == 30
    finally:
        subprocess.run(["umount", target], check=True)


def test_nothing_to_do_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="no photos"):
        run(tmp_path / "in", setup_for(tmp_path / "out"))


def test_a_photo_that_is_never_read_to_its_end(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        refs = [PhotoRef(name="a.jpg", place=url, file="a.jpg")]
        worker = BatchWorker(replace(setup_for(tmp_path / "out"), read_limit_s=0.5))
        (row,) = worker(Task(photos=[(ref, None) for ref in refs])).rows
    assert (row.status, row.reason) == (
        "failed",
        "a.jpg was not read within 0.5 s; is its disk or store there?",
    )


def broken_opener(setup: Setup) -> Callable[..., Any]:
    raise DemaskError("the network is damaged")


def suicidal_opener(setup: Setup) -> Callable[..., Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@pytest.mark.parametrize(
    ("opener", "said"), [(broken_opener, "network is damaged"), (suicidal_opener, "none has answered")]
)
def test_workers_that_cannot_start_end_the_batch(tmp_path: Path, opener: Any, said: str) -> None:
    source = photos(tmp_path / "in", 9)
    with pytest.raises(DemaskError, match=said):
        run(source, replace(setup_for(tmp_path / "out"), opener=opener))


def environment() -> dict[str, str]:
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2]), *sys.path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
