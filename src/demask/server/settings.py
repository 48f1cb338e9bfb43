"""What the server allows, and how it is set up."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from demask.errors import UsageError

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
MIN_KEY_LENGTH = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one client, and all of them together, may ask for.

    Attributes:
        max_body_bytes: Bytes of one request's body; counted as they arrive.
        max_megapixels: Width times height of a photo, checked before it is decoded.
        max_held_bytes: Bytes of all bodies held at one time; a request that goes beyond is told to come back.
        max_waiting: Photos that may wait while all workers are busy.
        max_connections: Open connections; more are closed at once.
        head_s: Seconds that a request's head may take to arrive, from connecting on.
        body_s: Seconds that a body may take to arrive.
        deadline_s: Seconds from the body's last byte to the answer.
        stalled_s: Seconds that a client may leave an answer unread.
    """

    max_body_bytes: int = 64 * 2**20
    max_megapixels: float = 50
    max_held_bytes: int = 512 * 2**20
    max_waiting: int = 16
    max_connections: int = 2000
    head_s: float = 10
    body_s: float = 60
    deadline_s: float = 60
    stalled_s: float = 60

    def __post_init__(self) -> None:
        for name in ("max_body_bytes", "max_megapixels", "max_connections", "head_s", "body_s", "deadline_s"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be above 0")
        if self.max_waiting < 0:
            raise UsageError(f"max_waiting is {self.max_waiting}; it must be 0 or more")
        if self.max_held_bytes < self.max_body_bytes:
            raise UsageError(
                f"max_held_bytes is {self.max_held_bytes} but one body may have {self.max_body_bytes}; raise it"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the server is set up.

    Attributes:
        host: Address to bind.
        port: Port to bind; 0 takes a free one.
        key: What clients must send; needed to bind anything but loopback.
        hosts: Names that the `Host` header may have beside those of the loopback interface. With a key
            and no names, any: the key stops a page of another address that makes its name point here.
        workers: Photos worked on at the same time.
        threads: Threads of each network.
        device: Where the networks run.
        restorer: Name of the restorer.
        limits: See `Limits`.

    Raises:
        UsageError: The address is open to others and there is no key, or a setting makes no sense.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    key: str | None = None
    hosts: tuple[str, ...] = ()
    workers: int = 1
    threads: int = 1
    device: str = "auto"
    restorer: str = "network"
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if self.key is not None and (len(self.key) < MIN_KEY_LENGTH or not self.key.isascii()):
            raise UsageError(
                f"the key has {len(self.key)} characters; it needs at least {MIN_KEY_LENGTH} of ASCII, such as "
                'from: python -c "import secrets; print(secrets.token_urlsafe())"'
            )
        if self.key is None and not is_loopback(self.host):
            raise UsageError(
                f"{self.host} is open to other machines and there is no key; set DEMASK_KEY or --key-file, "
                "or bind 127.0.0.1"
            )
        if self.workers < 1 or self.threads < 1:
            raise UsageError(f"workers is {self.workers} and threads {self.threads}; both must be 1 or more")

    @property
    def allowed_hosts(self) -> frozenset[str] | None:
        """Names that the `Host` header may have, lower case and without port; None allows any."""
        if self.key is not None and not self.hosts:
            return None
        return LOOPBACK_NAMES | {name.lower() for name in self.hosts}


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
