"""uvicorn's connection, less patient: with clients that say nothing, stop in mid-sentence or do not listen.

uvicorn closes a connection that is idle after an answer, but waits for ever for the first request, for
the rest of a request's head, and for a client to read.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from demask.server.settings import Limits

_log = logging.getLogger("demask.server")


def protocol_for(limits: Limits) -> type[asyncio.Protocol]:
    """The class of all connections of one server, for uvicorn's `http=`."""

    class Connection(H11Protocol):
        """One connection with a watch over its head and over its unread answer."""

        _head_watch: asyncio.TimerHandle | None = None
        _answer_watch: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > limits.max_connections:
                transport.abort()
                return
            self._watch_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch_head()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._watch_head()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._answer_watch = self.loop.call_later(limits.stalled_s, self._give_up, "unread answer")

        def resume_writing(self) -> None:
            super().resume_writing()
            _cancel(self._answer_watch)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            _cancel(self._head_watch)
            _cancel(self._answer_watch)

        def send_400_response(self, msg: str) -> None:
            """Broken HTTP, answered in the shape of all our errors."""
            error = {"code": "bad_request", "message": f"{msg} Use an HTTP library.", "details": {}}
            body = json.dumps({"error": error, "request_id": ""}).encode()
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            send: Callable[..., bytes | None] = self.conn.send
            try:
                for event in (
                    h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                    h11.Data(data=body),
                    h11.EndOfMessage(),
                ):
                    self.transport.write(send(event) or b"")
            except h11.LocalProtocolError:  # An answer is on its way already: only closing is left.
                pass
            self.transport.close()

        def _watch_head(self) -> None:
            """Run the watch while a head is awaited: none has come, or the last request is answered."""
            if self.cycle is None or self.cycle.response_complete:
                if self._head_watch is None:
                    self._head_watch = self.loop.call_later(limits.head_s, self._give_up, "slow head")
            else:
                _cancel(self._head_watch)
                self._head_watch = None

        def _give_up(self, why: str) -> None:
            self._head_watch = self._answer_watch = None
            if not self.transport.is_closing() or why == "unread answer":
                _log.info("closed", extra={"why": why})
                self.transport.abort()

    return Connection


def _cancel(watch: asyncio.TimerHandle | None) -> None:
    if watch is not None:
        watch.cancel()
