"""How often somebody may ask: a bucket of tokens for each key, and wrong keys counted by their address."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from demask.errors import UsageError
from demask.webkit.access import is_loopback
from demask.webkit.responses import Refusal

MOST_WRONG = 20
"""Wrong keys from one address before no key of it is looked at any more."""
EVERY_S = 3.0
"""After so many seconds one of them is forgiven."""
_MOST_ADDRESSES = 10_000


class WrongKeys:
    """A bucket of wrong keys for each address; it leaks.

    Args:
        now: The clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._empty_at: OrderedDict[str, float] = (
            OrderedDict()
        )  # When nothing is left to forgive; oldest first.

    def count(self, address: str) -> None:
        """Note a wrong key."""
        start = max(self._now(), self._empty_at.pop(address, 0.0))
        self._empty_at[address] = start + EVERY_S
        while len(self._empty_at) > _MOST_ADDRESSES:
            self._empty_at.popitem(last=False)

    def refuse_if_many(self, address: str) -> None:
        """Look at no key of an address that has sent many wrong ones, not even at the right one.

        Raises:
            Refusal: 429, with the seconds after which one more is looked at.
        """
        wait_s = self._empty_at.get(address, 0.0) - self._now() - (MOST_WRONG - 1) * EVERY_S
        if wait_s > 0:
            after = math.ceil(wait_s)
            raise Refusal(
                429,
                "too_many_keys",
                f"too many wrong keys came from this address; try again in {after} s",
                headers={"Retry-After": str(after)},
            )


def address_of(client: tuple[str, int] | None, headers: Mapping[str, str]) -> str:
    """Whom to count wrong keys for.

    Behind a proxy on this machine everybody comes from the loopback interface; the last address in
    `X-Forwarded-For` is the one that the proxy itself saw. From elsewhere that header proves nothing.

    Args:
        client: ASGI's: address and port.
        headers: The request's, names in lower case.

    Returns:
        An IPv4 address, the /64 network of an IPv6 one, or `unknown`.
    """
    address = client[0] if client else ""
    if is_loopback(address):
        address = headers.get("x-forwarded-for", address).rpartition(",")[2].strip()
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if known.version == 6 and not known.is_loopback:
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """How often one key may ask.

    Attributes:
        per_s: Requests per second in the long run.
        burst: Requests at once after a silence.
    """

    per_s: float
    burst: int

    def __post_init__(self) -> None:
        if self.per_s <= 0 or self.burst < 1:
            raise UsageError(f"a rate is {self.per_s} per second, {self.burst} at once; both must be above 0")


class Rates:
    """Counts requests by key; the longest silent keys are forgotten first.

    Args:
        rate: Of every key.
        most_keys: Remembered at one time.
        clock: Seconds that only grow.
    """

    def __init__(
        self, rate: Rate, *, most_keys: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._most, self._clock = rate, most_keys, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # Tokens left, and when.

    def take(self, key: str) -> None:
        """Count one request.

        Raises:
            Refusal: 429, the key has asked too often; the answer says when to come back.
        """
        now = self._clock()
        tokens, since = self._buckets.pop(key, (float(self._rate.burst), now))
        tokens = min(float(self._rate.burst), tokens + (now - since) * self._rate.per_s)
        enough = tokens >= 1
        self._buckets[key] = (tokens - 1 if enough else tokens, now)
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        if not enough:
            wait = math.ceil((1 - tokens) / self._rate.per_s)
            raise Refusal(
                429,
                "too_often",
                f"too many requests; try again in {wait} s",
                headers={"Retry-After": str(wait)},
            )
