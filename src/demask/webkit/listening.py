"""Uvicorn as we run it: quiet, and less patient with clients that say nothing or do not listen."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from demask.webkit.responses import Refusal, body_of
from demask.webkit.wire import WireLimits

STATE = "demask_connection"
"""Where `Edge` finds the connection of a request."""
_log = logging.getLogger(__name__)


def quiet_config(app: Any, limits: WireLimits, *, grace_s: float, lifespan: bool = False) -> uvicorn.Config:
    """Settings of uvicorn for a server that names neither itself nor anybody who calls.

    Args:
        app: An ASGI application behind `demask.webkit.edge.Edge`.
        limits: For each connection.
        grace_s: Seconds that requests have to be finished once the server is told to stop.
        lifespan: Whether the application wants to be told when the server starts and ends.
    """
    # `access_log=False` alone can be undone by who sets up logging later; a line would hold an address.
    logging.getLogger("uvicorn.access").disabled = True
    return uvicorn.Config(
        app,
        http=protocol_for(limits),
        ws="none",
        lifespan="on" if lifespan else "off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_graceful_shutdown=round(grace_s),
    )


class Server(uvicorn.Server):
    """Tells when it listens, when it is told to stop, and when it has stopped.

    Args:
        config: As from `quiet_config`.
        on_listening: Called once requests are answered.
        on_signal: Called as soon as a signal comes, between any two steps of the program.
        on_stopping: Called when it takes no more connections.
        on_stopped: Called after the last answer.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_listening: Callable[[], None],
        on_signal: Callable[[], None] = lambda: None,
        on_stopping: Callable[[], None] = lambda: None,
        on_stopped: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._on_listening, self._on_signal = on_listening, on_signal
        self._on_stopping, self._on_stopped = on_stopping, on_stopped

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        if self.started:
            self._on_listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Obey a signal."""
        self._on_signal()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what runs."""
        self._on_stopping()
        await super().shutdown(sockets)
        self._on_stopped()


def protocol_for(limits: WireLimits) -> type[asyncio.Protocol]:
    """The class of all connections of one server, for uvicorn's `http=`."""
    open_now: set[WatchedConnection] = set()

    class Connection(WatchedConnection):
        def __init__(self, **given: Any) -> None:
            super().__init__(limits, open_now, **given)

    return Connection


class WatchedConnection(asyncio.Protocol):
    """One connection with a watch over its head and over its unread answer.

    Args:
        limits: Seconds, and how many connections there may be.
        open_now: All connections of the server.
        given: What uvicorn gives to a connection.
    """

    def __init__(self, limits: WireLimits, open_now: set[WatchedConnection], **given: Any) -> None:
        self._limits, self._open_now = limits, open_now
        self._inner = _Speaker(**{**given, "app_state": {**given["app_state"], STATE: self}})
        self._inner.on_broken = self._say_broken
        self._loop = asyncio.get_running_loop()
        self._under_way = 0
        self._head_watch: asyncio.TimerHandle | None = None
        self._answer_watch: asyncio.TimerHandle | None = None

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While the block runs a request is answered; then the head of the next one is awaited."""
        self._under_way += 1
        self._stop_head_watch()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way and not self._transport.is_closing():
                self._await_head()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first head."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open_now.add(self)
        self._inner.connection_made(transport)
        if len(self._open_now) > self._limits.max_connections:
            transport.abort()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Hand on what came."""
        self._inner.data_received(data)

    def eof_received(self) -> None:
        """Hand on that no more will come."""
        self._inner.eof_received()

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        self._inner.pause_writing()
        self._answer_watch = self._loop.call_later(self._limits.stalled_s, self._give_up, "unread answer")

    def resume_writing(self) -> None:
        """It reads."""
        self._inner.resume_writing()
        self._stop_answer_watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._open_now.discard(self)
        self._stop_head_watch()
        self._stop_answer_watch()
        self._inner.connection_lost(exc)

    def _await_head(self) -> None:
        if self._head_watch is None:
            self._head_watch = self._loop.call_later(self._limits.head_s, self._give_up, "slow head")

    def _stop_head_watch(self) -> None:
        if self._head_watch is not None:
            self._head_watch.cancel()
            self._head_watch = None

    def _stop_answer_watch(self) -> None:
        if self._answer_watch is not None:
            self._answer_watch.cancel()
            self._answer_watch = None

    def _give_up(self, why: str) -> None:
        if not self._transport.is_closing() or why == "unread answer":
            _log.info("closed", extra={"why": why})
            self._transport.abort()

    def _say_broken(self, message: str) -> None:
        """Broken HTTP, answered in the shape of all our errors."""
        if not self._under_way:  # Else an answer is on its way already: only closing is left.
            body = json.dumps(
                body_of(Refusal(400, "bad_request", f"{message} Use an HTTP library."), "")
            ).encode()
            head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
            self._transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        self._transport.close()


class _Speaker(H11Protocol):
    """uvicorn's protocol; that it asks us how to answer broken HTTP is the one internal that we use.

    Should a later uvicorn no longer call `send_400_response`, broken HTTP is answered in its words, and
    `tests/unit/webkit/test_connection.py` says so.
    """

    on_broken: Callable[[str], None]

    def send_400_response(self, msg: str) -> None:
        """Say that what came is no HTTP."""
        self.on_broken(msg)
