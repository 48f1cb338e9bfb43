"""A server's beginning, its rest, its end, and its papers: SIGTERM, idling, OpenAPI, the documentation."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("fastapi")

from serving import RunningServer
from test_server_abuse import CLOSING, LARGE, OPENING, PHOTO, head, read_all

REPOSITORY = Path(__file__).parents[2]
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)


@pytest.fixture
def server(tmp_path: Path, tiny_weights: Path) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path / "server", tiny_weights)
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path) -> Iterator[RunningServer]:
    """One for all the tests that leave it running and ask for nothing that is refused."""
    running = RunningServer(tmp_path_factory.mktemp("steady") / "server", tiny_weights)
    yield running
    assert running.stop() == 0


def cpu_s(server: RunningServer) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_idles(steady: RunningServer) -> None:
    steady.http.post("/v1/remove", files={"photo": PHOTO})
    time.sleep(0.5)
    before = cpu_s(steady)
    time.sleep(4)
    assert cpu_s(steady) - before <= 0.04  # 1 % of one core.


@pytest.mark.parametrize("moment", ["uploading", "working"])
def test_sigterm_finishes_what_was_accepted(server: RunningServer, moment: str) -> None:
    whole = OPENING + LARGE + CLOSING
    with server.connect() as connection, server.connect() as idle:
        sent = len(whole) // 2 if moment == "uploading" else len(whole)
        connection.sendall(head(length=len(whole)) + whole[:sent])
        if moment == "working":
            while server.metric("demask_under_way") == 0:
                assert not server.logged(route="/v1/remove")
        else:
            while server.metric("demask_held_bytes") < 1e6:
                time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for(message="stopping")
        with pytest.raises(OSError, match="refused"):
            server.connect()
        assert idle.recv(1) == b""
        connection.sendall(whole[sent:])
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"IEND" in answer
    assert server.stop(None) == 0
    assert server.logged(message="stopped")


def test_ctrl_c_is_130(server: RunningServer) -> None:
    assert server.stop(signal.SIGINT) == 130


def test_schemathesis_finds_no_fault(server: RunningServer) -> None:
    pytest.importorskip("schemathesis")
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"]
    options = [
        "--max-examples=25",
        "--generation-deterministic",
        f"--checks={','.join(CHECKS)}",
    ]
    done = subprocess.run(
        [*command, server.url + "openapi.json", *options],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=server.home,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert server.logged(status=500) == []
    assert len(server.logged(message="request")) > 50


def blocks(language: str) -> list[str]:
    text = (REPOSITORY / "docs/server.md").read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("language", ["sh", "python"])
def test_the_lines_in_the_docs_work(steady: RunningServer, tmp_path: Path, language: str) -> None:
    place = tmp_path / "reader"
    place.mkdir()
    (place / "photo.png").write_bytes(PHOTO)
    found = [block.replace("http://127.0.0.1:8000/", steady.url) for block in blocks(language)]
    found = [block for block in found if steady.url in block]
    assert found
    for block in found:
        assert "8000" not in block
        command = ["sh", "-eu", "-c", block] if language == "sh" else [sys.executable, "-c", block]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    assert (place / "bare.png").read_bytes().startswith(b"\x89PNG")
    assert steady.logged(outcome="restored")
    assert not [line for line in steady.logged(message="request") if line["status"] >= 400]


def test_many_at_once_all_get_the_same(steady: RunningServer) -> None:
    alone = steady.http.post("/v1/remove", files={"photo": PHOTO}).content
    answers: list[bytes] = []

    def ask() -> None:
        answers.append(httpx.post(steady.url + "v1/remove", files={"photo": PHOTO}, timeout=60).content)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [alone] * 12
