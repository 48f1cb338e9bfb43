"""A real uvicorn on a real socket: clients that are silent, half done or deaf are hung up on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool
from uvicorn.protocols.http.h11_impl import H11Protocol

from demask.webkit.access import Doors
from demask.webkit.edge import protect
from demask.webkit.listening import Server, quiet_config
from demask.webkit.upload import HeldBytes, WholeBody
from demask.webkit.wire import WireLimits, address_of, bound_socket

LIMITS = WireLimits(
    max_body_bytes=1000, max_held_bytes=4000, max_connections=6, head_s=1, body_s=1, stalled_s=1
)


class Running:
    """A server in a thread; what a handler of it counted, and how its connections ended."""

    def __init__(self, app: FastAPI) -> None:
        self._listener = bound_socket("127.0.0.1", 0)
        self.url = address_of(self._listener)
        ready = threading.Event()
        config = quiet_config(app, LIMITS, grace_s=5)
        self.server = Server(config, on_listening=ready.set)
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self._listener]})
        self._thread.start()
        assert ready.wait(30)

    def connect(self) -> socket.socket:
        return socket.create_connection(self._listener.getsockname()[:2], timeout=20)

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(20)
        self._listener.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    app = FastAPI()

    async def length(request: Request) -> int:
        return len(await request.body())

    async def slow() -> str:
        await run_in_threadpool(time.sleep, 2.5)
        return "at last"

    async def large() -> Response:
        return Response(bytes(64 * 2**20))

    app.post("/length")(length)
    app.get("/slow")(slow)
    app.get("/large")(large)
    app.add_middleware(WholeBody, limits=LIMITS)
    protect(app, doors=Doors(locks=None), held=HeldBytes(LIMITS.max_held_bytes))
    started = Running(app)
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def still_serving(running: Running) -> Iterator[None]:
    yield
    assert running.server.started
    with running.connect() as connection:
        connection.sendall(post(b"1234", close=True))
        assert body_of(read_all(connection)) == 4


def post(body: bytes, *, length: int | None = None, close: bool = False) -> bytes:
    end = "Connection: close\r\n" if close else ""
    announced = len(body) if length is None else length
    return (
        f"POST /length HTTP/1.1\r\nHost: localhost\r\n{end}Content-Length: {announced}\r\n\r\n".encode() + body
    )


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


def read_all(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def body_of(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def seconds_until_hung_up(connection: socket.socket) -> float:
    start = time.perf_counter()
    assert read_all(connection) == b""
    return time.perf_counter() - start


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: loc"])
def test_silence_and_half_a_head_are_hung_up_on(running: Running, sent: bytes) -> None:
    with running.connect() as connection:
        connection.sendall(sent)
        assert 0.8 < seconds_until_hung_up(connection) < 10


def test_a_head_that_drips_is_hung_up_on(running: Running) -> None:
    start = time.perf_counter()
    with running.connect() as connection, contextlib.suppress(OSError):
        while time.perf_counter() - start < 15:
            connection.sendall(b"X")
            time.sleep(0.1)
    assert 0.8 < time.perf_counter() - start < 10


def test_half_a_second_head_is_hung_up_on_too(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(post(b"12"))
        assert b" 200 " in connection.recv(65536)
        connection.sendall(b"POST /le")
        start = time.perf_counter()
        read_all(connection)
        assert 0.8 < time.perf_counter() - start < 10


def test_half_a_body_is_408(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(post(b"12", length=10))
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert body_of(answer)["error"]["code"] == "body_too_slow"


@pytest.mark.parametrize("sent", [post(b"x" * 1001), post(b"", length=10**9)])
def test_too_much_is_413(running: Running, sent: bytes) -> None:
    with running.connect() as connection:
        connection.sendall(sent)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413")


def test_an_answer_that_takes_longer_than_a_head_may_arrives(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(get("/slow"))
        assert body_of(read_all(connection)) == "at last"


def test_requests_one_after_the_other_and_at_once_share_a_connection(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(post(b"1") + post(b"22") + post(b"333", close=True))
        answers = read_all(connection).split(b"HTTP/1.1 ")[1:]
    assert [body_of(answer) for answer in answers] == [1, 2, 3]


def test_an_answer_that_nobody_reads_is_dropped(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "demask.webkit")
    with running.connect() as connection:
        connection.sendall(get("/large"))
        for _ in range(200):
            if any(getattr(record, "why", "") == "unread answer" for record in caplog.records):
                return
            time.sleep(0.05)
    raise AssertionError("the answer is still kept")


def test_one_connection_too_many_is_closed(running: Running) -> None:
    with contextlib.ExitStack() as stack:
        most = [stack.enter_context(running.connect()) for _ in range(LIMITS.max_connections)]
        time.sleep(0.2)
        start = time.perf_counter()
        with running.connect() as one_more:
            assert read_all(one_more) == b""
        assert time.perf_counter() - start < 0.7
        for connection in most:
            assert read_all(connection) == b""


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
def test_broken_http_is_answered_in_our_words(running: Running, sent: bytes) -> None:
    """Fails when a later uvicorn does not ask `send_400_response` any more: see `webkit.connection`."""
    assert "send_400_response" in vars(H11Protocol)
    with running.connect() as connection:
        connection.sendall(sent)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert body_of(answer)["error"]["code"] == "bad_request"


def test_a_body_of_two_lengths_is_refused_and_the_connection_closed(running: Running) -> None:
    both = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    smuggled = b"0\r\n\r\nGET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with running.connect() as connection:
        connection.sendall(b"POST /length HTTP/1.1\r\nHost: localhost\r\n" + both + smuggled)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.lower().count(b"connection: close") == 1
    assert b"at last" not in answer


def test_broken_http_after_a_request_breaks_no_answer(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(get("/slow").replace(b"Connection: close\r\n", b"") + b"\x00nonsense\r\n\r\n")
        answer = read_all(connection)
    assert answer.count(b"HTTP/1.1 ") <= 2
    assert b"at last" in answer or answer == b""


def test_what_uvicorn_gives_to_a_connection_is_what_we_hand_on() -> None:
    """The whole contract with uvicorn, beside `send_400_response`; a change of it shows here first."""
    import inspect

    wanted = ["config", "server_state", "app_state", "_loop"]
    assert list(inspect.signature(H11Protocol).parameters) == wanted
    assert issubclass(H11Protocol, asyncio.Protocol)
