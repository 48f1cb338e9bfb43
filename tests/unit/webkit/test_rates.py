"""A key that asks too often is told when to come back; others are not held up."""

from __future__ import annotations

import pytest

from demask.errors import UsageError
from demask.webkit.responses import Refusal
from demask.webkit.throttle import Rate, Rates


def test_a_bucket_empties_and_fills() -> None:
    now = [0.0]
    rates = Rates(Rate(per_s=2, burst=3), clock=lambda: now[0])
    for _ in range(3):
        rates.take("a")
    with pytest.raises(Refusal, match="try again in 1 s") as caught:
        rates.take("a")
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "1")
    rates.take("b")
    now[0] = 0.5
    rates.take("a")
    with pytest.raises(Refusal):
        rates.take("a")
    now[0] = 100.0
    for _ in range(3):
        rates.take("a")
    with pytest.raises(Refusal):
        rates.take("a")


def test_the_longest_silent_key_is_forgotten() -> None:
    rates = Rates(Rate(per_s=1, burst=1), most_keys=2, clock=lambda: 0.0)
    for key in ("a", "b", "c"):
        rates.take(key)
    rates.take("a")
    with pytest.raises(Refusal):
        rates.take("c")


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="above 0"):
        Rate(per_s=0, burst=1)
