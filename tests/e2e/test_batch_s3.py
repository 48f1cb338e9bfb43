"""Batches from bucket to bucket, over a server on loopback that speaks S3 (moto's; `make s3-server`)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from batch_openers import DEADLY, open_fake
from demask.batch.batch_run import Summary, run_batch
from demask.batch.batch_worker import Setup
from demask.batch.manifest_row import Row
from demask.batch.manifest_store import ManifestIndex, manifest_place
from demask.batch.process_engine import ProcessEngine
from demask.batch.stores import Store, open_store
from demask.errors import InputError, OutputError, OutputExists

pytest.importorskip("obstore")
pytest.importorskip("pyarrow")
ROOT = Path(__file__).parents[2]
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Start a server; every one is ended after the module."""
    own = ROOT / ".venv-s3" / "bin" / "moto_server"
    command = os.environ.get("DEMASK_S3_SERVER") or (own if own.exists() else shutil.which("moto_server"))
    if not command:
        pytest.skip("no S3 server; `make s3-server` installs one into a venv of its own")
    started: list[subprocess.Popen[bytes]] = []

    def start(**variables: str) -> str:
        port = free_port()
        folder = tmp_path_factory.mktemp("moto")
        started.append(
            subprocess.Popen(
                [command, "-H", "127.0.0.1", "-p", str(port)],
                cwd=folder,
                env={**os.environ, **variables, "PYTHONPATH": ""},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with socket.socket() as line:
                if line.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        url = f"http://127.0.0.1:{port}"
        for bucket in ("source", "target"):
            urllib.request.urlopen(urllib.request.Request(f"{url}/{bucket}", method="PUT"), timeout=60).close()
        return url

    yield start
    for server in started:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def server(start_server: Callable[..., str]) -> str:
    return start_server()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A source and a target that no other test has."""
    use(monkeypatch, server)
    return f"s3://source/{request.node.name}", f"s3://target/{request.node.name}"


def use(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    for name, value in {**KEYS, "AWS_ENDPOINT": endpoint, "AWS_ALLOW_HTTP": "true"}.items():
        monkeypatch.setenv(name, value)


def run(source: str, target: str, rows: list[Row] | None = None, **options: Any) -> Summary:
    setup = Setup(target=target, made={"restorer": "network"}, opener=open_fake, read_limit_s=60, **options)
    take = (lambda row, _: rows.append(row)) if rows is not None else (lambda row, _: None)
    return run_batch(source, setup, lambda setup: ProcessEngine(setup, workers=1), on_row=take)


def filled(place: str, count: int) -> Store:
    store = open_store(place)
    for index in range(count):
        store.create(f"{index:04}.jpg", (b"covered" if index % 4 == 0 else b"plain") + str(index).encode())
    return store


def check(place: str, count: int) -> None:
    target = open_store(place)
    assert sorted(item.name for item in target.list()) == [f"{index:04}.jpg" for index in range(count)]
    for index in (0, 1, count - 1):
        word = b"network" if index % 4 == 0 else b""
        data = (b"covered" if index % 4 == 0 else b"plain") + str(index).encode() + word
        assert target.read(f"{index:04}.jpg") == data
    with ManifestIndex(manifest_place(place)) as index_of_rows:
        counts = index_of_rows.counts()
    assert counts["restored"] == -(-count // 4)
    assert counts["no_face"] == count - counts["restored"]


def test_an_object_is_created_once(s3: tuple[str, str]) -> None:
    store = open_store(s3[1])
    assert store.size("a/b.jpg") is None
    store.create("a/b.jpg", b"one")
    with pytest.raises(OutputExists, match=r"a/b\.jpg exists"):
        store.create("a/b.jpg", b"two")
    assert (store.read("a/b.jpg"), store.size("a/b.jpg")) == (b"one", 3)
    won: list[int] = []

    def race(number: int) -> None:
        try:
            store.create("race.jpg", bytes([number]))
            won.append(number)
        except OutputExists:
            pass

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read("race.jpg") == bytes(won)
    store.create("a/b.jpg", b"three", overwrite=True)
    assert store.read("a/b.jpg") == b"three"


def test_a_listing_goes_over_pages(s3: tuple[str, str]) -> None:
    store = filled(s3[0], 1003)
    assert len({item.name for item in store.list()}) == 1003


def test_from_bucket_to_bucket_with_what_can_be_wrong(s3: tuple[str, str]) -> None:
    source, target = s3
    store = filled(source, 20)
    for name, data in (("empty.jpg", b""), ("bad.jpg", b"bad"), ("deadly.jpg", DEADLY)):
        store.create(name, data)
    rows: list[Row] = []
    run(source, target, rows)
    reasons = {row.name: (row.status, row.reason) for row in rows if row.reason}
    assert reasons.keys() == {"empty.jpg", "bad.jpg", "deadly.jpg"}
    assert reasons["empty.jpg"] == ("failed", "it is empty")
    assert reasons["deadly.jpg"][0] == "poisoned"
    check(target, 20)
    again = run(source, target)
    assert (again.known, again.counts["done"]) == (23, 20)


def test_a_key_that_is_gone_when_its_turn_comes(s3: tuple[str, str]) -> None:
    source, target = s3
    store = filled(source, 3)
    lines = [{"url": f"{source}/{index:04}.jpg", "name": f"{index:04}.jpg"} for index in range(4)]
    store.create("list.jsonl", "\n".join(map(json.dumps, lines)).encode())
    rows: list[Row] = []
    run(f"{source}/list.jsonl", target, rows)
    assert [row.reason for row in rows if row.status == "failed"] == [
        f"cannot read {source}/0003.jpg: it is not there (any more)"
    ]
    check(target, 3)


def test_two_batches_into_one_bucket_at_once(s3: tuple[str, str], tmp_path: Path) -> None:
    source, target = s3
    filled(source, 40)
    script = (
        "import sys\nfrom test_batch_s3 import run\nif __name__ == '__main__': run(sys.argv[1], sys.argv[2])\n"
    )
    (tmp_path / "both.py").write_text(script)
    paths = os.pathsep.join([str(Path(__file__).parent), str(ROOT / "tests"), *sys.path])
    both = [
        subprocess.Popen(
            [sys.executable, tmp_path / "both.py", source, target], env={**os.environ, "PYTHONPATH": paths}
        )
        for _ in range(2)
    ]
    assert [one.wait(240) for one in both] == [0, 0]
    check(target, 40)


def test_a_bucket_that_denies(start_server: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    use(
        monkeypatch, start_server(INITIAL_NO_AUTH_ACTION_COUNT="2")
    )  # The two buckets; then nobody may do anything.
    with pytest.raises((InputError, OutputError), match="denied"):
        run("s3://source/photos", "s3://target/bare")
    with pytest.raises(
        InputError, match=r"cannot list s3://source/photos: access is denied; check the credentials"
    ):
        list(open_store("s3://source/photos").list())


def test_a_store_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("DEMASK_STORE_TIMEOUT_S", "0.5")
        with pytest.raises(InputError, match="does not answer in time"):
            open_store("s3://source/photos").read("a.jpg")
