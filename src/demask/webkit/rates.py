"""How often somebody may ask: a bucket of tokens for each key, which fills up again with time."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from demask.errors import UsageError
from demask.webkit.failures import Refusal


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
