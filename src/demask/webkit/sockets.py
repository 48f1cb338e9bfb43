"""The socket that a server will listen on; nothing is imported for it, so a taken port is told at once."""

from __future__ import annotations

import socket
from contextlib import ExitStack

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
