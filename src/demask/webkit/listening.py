"""Uvicorn as we run it: quiet, and with our time-outs."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from demask.webkit.connection import protocol_for
from demask.webkit.limits import WireLimits


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
