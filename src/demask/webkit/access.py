"""Who may ask: every route wants a key unless it is marked, and none answers a page of another address."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from starlette.routing import BaseRoute, Match

from demask.errors import UsageError
from demask.webkit.responses import Refusal

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
MIN_KEY_LENGTH = 16

Lock = Callable[[str], Awaitable[None]]
"""Takes what stands after `Bearer`; raises a `DemaskError` when that does not open."""
Endpoint = TypeVar("Endpoint")

_PUBLIC, _KEY = "public", "key"
_MARK = "demask_lock"


def public(endpoint: Endpoint) -> Endpoint:
    """Mark a handler, or an application to be mounted, as answering without a key."""
    setattr(endpoint, _MARK, _PUBLIC)
    return endpoint


def locked_by(name: str) -> Callable[[Endpoint], Endpoint]:
    """Mark a handler as opened by another lock than the one that all unmarked routes have."""

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _MARK, name)
        return endpoint

    return mark


def lock_of(route: BaseRoute | None) -> str:
    """`public`, or the name of the lock of a route; what is unmarked or unknown has `key`."""
    endpoint = getattr(route, "endpoint", None) or getattr(route, "app", None)
    return str(getattr(endpoint, _MARK, _KEY))


def is_public(route: BaseRoute | None) -> bool:
    """Whether a route answers without a key."""
    return lock_of(route) == _PUBLIC


def route_of(routes: Iterable[BaseRoute], scope: Any) -> BaseRoute | None:
    """The route that will answer, as the router chooses it; None where there is none."""
    partial = None
    for route in routes:
        match, _ = route.matches(scope)
        if match is Match.FULL:
            return route
        if match is Match.PARTIAL and partial is None:  # The path is right, the method is not.
            partial = route
    return partial


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Doors:
    """Whom a server lets in.

    Attributes:
        locks: By name; `key` is that of every route that is not marked. None: nobody needs a key, which is
            for the loopback interface only, see `checked_key`.
        hosts: Names that the `Host` header may have beside those of the loopback interface.
        any_host: Take any `Host`: a key stops a page that makes its own name point here (DNS rebinding).
        any_origin: Take what a browser sends for any page: for servers that know nobody without a key, and
            that may stand behind a proxy which puts its own name into `Host`.
    """

    locks: Mapping[str, Lock] | None
    hosts: frozenset[str] = frozenset()
    any_host: bool = False
    any_origin: bool = False

    def require_friend(self, method: str, headers: Mapping[str, str]) -> None:
        """Turn away pages of other addresses.

        Args:
            method: The request's.
            headers: Names in lower case.

        Raises:
            Refusal: 421, the `Host` is not ours; 403, a browser sends this for a page of another origin.
        """
        host = headers.get("host", "")
        if not self.any_host and _name_of(host) not in LOOPBACK_NAMES | self.hosts:
            message = "the Host header names an address that this server does not know; see --allow-host"
            raise Refusal(421, "wrong_host", message)
        harmless = self.any_origin or method in ("GET", "HEAD", "OPTIONS")
        if not harmless and not self._same_origin(headers, host):
            raise Refusal(403, "cross_origin", "a page of another address may not send requests here")

    async def unlock(self, route: BaseRoute | None, headers: Mapping[str, str]) -> str:
        """Ask for the key of a route.

        Returns:
            The key that was given; empty where none was asked for.

        Raises:
            Refusal: 401, there is none.
            DemaskError: Whatever the lock says of one that does not open.
        """
        name = lock_of(route)
        if self.locks is None or name == _PUBLIC:
            return ""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        given = given.strip()
        if scheme.lower() != "bearer" or not given:
            raise no_entry("this needs a key; send the header Authorization: Bearer KEY")
        await self.locks[name](given)
        return given

    def _same_origin(self, headers: Mapping[str, str], host: str) -> bool:
        """Whether a browser, if it is one, sends this from one of our own pages."""
        if headers.get("sec-fetch-site") == "cross-site":
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        try:
            place = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return place == host.strip().lower() or _name_of(place) in self.hosts


def no_entry(message: str) -> Refusal:
    """401, with the header that says how to do better."""
    return Refusal(401, "key_required", message, headers={"WWW-Authenticate": "Bearer"})


def key_lock(key: str, *, message: str) -> Lock:
    """A lock that one key opens, compared in the same time wherever it differs.

    Args:
        key: The right one.
        message: Said of a wrong one.
    """

    async def opens(given: str) -> None:
        # As bytes: what comes may hold any character.
        if not hmac.compare_digest(given.encode(), key.encode()):
            raise no_entry(message)

    return opens


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_key(host: str, key: str | None, *, how: str) -> None:
    """Let no server open to others go without a key worth the name.

    Args:
        host: The address to be bound.
        key: The key, or None.
        how: How to set one, such as `set DEMASK_KEY`.

    Raises:
        UsageError: Others can reach the address and there is no key, or the key is short or not ASCII.
    """
    if key is None and not is_loopback(host):
        raise UsageError(f"{host} is open to other machines and there is no key; {how}, or bind 127.0.0.1")
    if key is not None and (len(key) < MIN_KEY_LENGTH or not key.isascii()):
        raise UsageError(
            f"the key has {len(key)} characters; it needs {MIN_KEY_LENGTH} or more, all ASCII, such as "
            'from: python -c "import secrets; print(secrets.token_urlsafe())"'
        )


def _name_of(host: str) -> str:
    """The name of a `Host` header: lower case, without port."""
    return re.sub(r":\d+$", "", host.strip().lower())
