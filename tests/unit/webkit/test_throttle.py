"""Whoever sends many wrong keys is not listened to for a while; nobody else notices."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from open_doors import ask

from demask.webkit.access import Doors, key_lock
from demask.webkit.edge import protect
from demask.webkit.responses import Refusal
from demask.webkit.throttle import EVERY_S, MOST_WRONG, WrongKeys, address_of
from demask.webkit.upload import HeldBytes

KEY = "a key of more than sixteen letters"


def test_many_wrong_keys_are_refused_until_time_has_passed() -> None:
    time_s = 100.0
    keys = WrongKeys(now=lambda: time_s)
    for _ in range(MOST_WRONG):
        keys.refuse_if_many("here")
        keys.count("here")
    with pytest.raises(Refusal) as refused:
        keys.refuse_if_many("here")
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": str(round(EVERY_S))})
    keys.refuse_if_many("elsewhere")
    time_s += EVERY_S
    keys.refuse_if_many("here")
    keys.count("here")
    with pytest.raises(Refusal):
        keys.refuse_if_many("here")
    time_s += EVERY_S * (MOST_WRONG + 1)
    for _ in range(MOST_WRONG):
        keys.refuse_if_many("here")
        keys.count("here")


def test_addresses_are_forgotten_when_there_are_many() -> None:
    keys = WrongKeys(now=lambda: 0.0)
    for number in range(20_000):
        keys.count(str(number))
    assert len(keys._empty_at) == 10_000


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        (("203.0.113.9", 5), "", "203.0.113.9"),
        (("203.0.113.9", 5), "198.51.100.1", "203.0.113.9"),  # Anybody may write such a header.
        (("127.0.0.1", 5), "", "127.0.0.1"),
        (
            ("127.0.0.1", 5),
            "10.9.9.9, 198.51.100.1",
            "198.51.100.1",
        ),  # The proxy on this machine wrote the last.
        (("2001:db8::1:2:3:4", 5), "", "2001:db8::/64"),
        (("127.0.0.1", 5), "<script>", "unknown"),
        (None, "", "unknown"),
    ],
)
def test_whom_a_wrong_key_is_counted_for(client: tuple[str, int] | None, forwarded: str, address: str) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert address_of(client, headers) == address


def test_at_the_door() -> None:
    app = FastAPI()

    async def say() -> str:
        return "secret"

    app.get("/it")(say)
    protect(
        app,
        doors=Doors(locks={"key": key_lock(KEY, message="wrong")}, any_host=True),
        held=HeldBytes(1000),
    )
    one = ("GET", "/it")
    assert {answer.status_code for answer in ask(app, *[one] * 40)} == {401}  # No key is no wrong key.
    wrong = ask(app, *[one] * (MOST_WRONG + 1), authorization="Bearer guess")
    assert [answer.status_code for answer in wrong] == [401] * MOST_WRONG + [429]
    assert wrong[-1].json()["error"]["code"] == "too_many_keys"
    assert int(wrong[-1].headers["retry-after"]) > 0
    # The right one is not looked at either: else a guess would be told from the others at any speed.
    assert ask(app, one, authorization=f"Bearer {KEY}")[0].status_code == 429
    elsewhere = {"authorization": f"Bearer {KEY}", "x-forwarded-for": "198.51.100.7"}
    assert ask(app, one, **elsewhere)[0].status_code == 200
