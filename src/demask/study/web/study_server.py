"""Run the study's server: where it listens, what it prints, how it stops."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from demask.study.folder import StudyFolder
from demask.study.store import Store
from demask.study.web.study_app import WebConfig, create_app
from demask.webkit.access import MIN_KEY_LENGTH, check_key
from demask.webkit.listening import Server, quiet_config
from demask.webkit.wire import address_of, bound_socket


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


def checked_key(host: str, key: str | None) -> str:
    """The admin key to use: the given one, or on loopback a new one.

    Raises:
        UsageError: Others can reach the address and there is no key, or the key is short or not ASCII.
    """
    check_key(host, key, how="set DEMASK_STUDY_ADMIN_KEY, which opens the admin page")
    return secrets.token_urlsafe(MIN_KEY_LENGTH) if key is None else key


def serve(folder: StudyFolder, store: Store, config: ServeConfig, say: Callable[[str], None]) -> None:
    """Serve a study until the process is told to stop; requests that run are finished first.

    No request is logged: an address would be personal data.

    Args:
        folder: Plan and pictures.
        store: People and answers.
        config: Where.
        say: Told each address, as a line, once the server answers.

    Raises:
        UsageError: The address is taken or not this machine's, or the admin key will not do.
    """
    given = config.web.admin_key
    key = checked_key(config.host, given)
    listener = bound_socket(config.host, config.port)
    address = address_of(listener)
    by_links = "" if config.web.enrolment == "open" else "  (by personal links only)"
    # A key that was given is known already, and a log is no place for it.
    lines = [f"study:  {address}{by_links}", f"admin:  {address}admin" + ("" if given else f"#{key}")]
    app = create_app(folder, store, dataclasses.replace(config.web, admin_key=key))

    def tell() -> None:
        for line in lines:
            say(line)

    try:
        settings = quiet_config(app, config.web.limits, grace_s=10)
        Server(settings, on_listening=tell).run(sockets=[listener])
    finally:
        listener.close()
