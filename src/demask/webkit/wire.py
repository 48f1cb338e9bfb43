"""The socket that a server listens on, and how long and how much a client may take; imports nothing heavy."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass

from demask.errors import UsageError


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket that has its address; uvicorn makes it listen.

    Args:
        host: Address or name.
        port: 0 takes a free one.

    Raises:
        UsageError: The address is taken or not this machine's.
    """
    try:
        family, kind, number, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with ExitStack() as on_failure:
            listener = on_failure.enter_context(socket.socket(family, kind, number))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            on_failure.pop_all()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"cannot listen on {host} port {port}: {reason}; choose another --host or --port"
        ) from error
    return listener


def address_of(listener: socket.socket) -> str:
    """The URL of what listens there, with a slash at the end."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@dataclass(frozen=True, kw_only=True, slots=True)
class WireLimits:
    """What one client, and all of them together, may ask of the wire.

    Attributes:
        max_body_bytes: Bytes of one request's body; counted as they arrive.
        max_held_bytes: Bytes of all bodies held at one time; a request that goes beyond is told to come back.
        max_connections: Open connections; more are closed at once.
        head_s: Seconds that a request's head may take to arrive, from connecting on.
        body_s: Seconds that a body may take to arrive.
        stalled_s: Seconds that a client may leave an answer unread.
    """

    max_body_bytes: int
    max_held_bytes: int
    max_connections: int = 2000
    head_s: float = 10
    body_s: float = 60
    stalled_s: float = 60

    def __post_init__(self) -> None:
        for name in ("max_body_bytes", "max_connections", "head_s", "body_s", "stalled_s"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be above 0")
        if self.max_held_bytes < self.max_body_bytes:
            raise UsageError(
                f"max_held_bytes is {self.max_held_bytes} but one body may have {self.max_body_bytes}; raise it"
            )
