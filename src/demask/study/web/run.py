"""Run the study's server: where it listens, what it prints, how it stops."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import uvicorn
from starlette.types import ASGIApp

from demask.errors import UsageError
from demask.study.folder import StudyFolder
from demask.study.store import Store
from demask.study.web.app import WebConfig, create_app

_SHORTEST_KEY = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeConfig:
    """Where the study is served.

    Attributes:
        host: Address to listen on.
        port: TCP port; 0 = any free one.
        web: How the study is offered; without an admin key one is drawn, on loopback only.
    """

    host: str = "127.0.0.1"
    port: int = 8190
    web: WebConfig = field(default_factory=WebConfig)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_key(host: str, key: str | None) -> str:
    """The admin key to use: the given one, or on loopback a new one.

    Raises:
        UsageError: Others can reach the address and there is no key, or the key is short or not ASCII.
    """
    if key is None:
        if not is_loopback(host):
            raise UsageError(
                f"others can reach the admin page on {host}; set DEMASK_STUDY_ADMIN_KEY to a secret of "
                f"{_SHORTEST_KEY} characters or more"
            )
        return secrets.token_urlsafe(_SHORTEST_KEY)
    if len(key) < _SHORTEST_KEY or not key.isascii():
        raise UsageError(
            f"the admin key has {len(key)} characters; it needs {_SHORTEST_KEY} or more, all ASCII, such as "
            "`openssl rand -hex 16` prints"
        )
    return key


def serve(folder: StudyFolder, store: Store, config: ServeConfig, say: Callable[[str], None]) -> None:
    """Serve a study until the process is told to stop; requests that run are finished first.

    No request is logged: an address would be personal data.

    Args:
        folder: Plan and pictures.
        store: People and answers.
        config: Where.
        say: Told the addresses once the server answers.

    Raises:
        UsageError: The address is taken or not this machine's, or the admin key will not do.
    """
    given = config.web.admin_key
    key = checked_key(config.host, given)
    listener = _listen(config.host, config.port)
    host = f"[{config.host}]" if ":" in config.host else config.host
    address = f"http://{host}:{listener.getsockname()[1]}/"
    by_links = "" if config.web.enrolment == "open" else "  (by personal links only)"
    # A key that was given is known already, and a log is no place for it.
    lines = [f"study:  {address}{by_links}", f"admin:  {address}admin" + ("" if given else f"#{key}")]
    settings = quiet_settings(create_app(folder, store, dataclasses.replace(config.web, admin_key=key)))
    try:
        _Server(settings, lambda: say("\n".join(lines))).run(sockets=[listener])
    finally:
        listener.close()


def quiet_settings(app: ASGIApp) -> uvicorn.Config:
    """Uvicorn's settings for a study: it names neither itself nor anybody who calls."""
    # `access_log=False` alone can be undone by who sets up logging later; a line would hold an address.
    logging.getLogger("uvicorn.access").disabled = True
    return uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        lifespan="off",
    )


class _Server(uvicorn.Server):
    """A server that tells when it answers."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets=list(sockets) if sockets else None)
        if self.started:
            self._on_ready()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, number, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with ExitStack() as on_failure:
            listener = on_failure.enter_context(socket.socket(family, kind, number))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen()
            on_failure.pop_all()
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another --host or --port"
        ) from error
    return listener
