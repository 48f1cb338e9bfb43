"""Multipart forms, whole and broken, however they are cut into pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import own_loop
from demask.server.form import Form, receive_form
from demask.webkit.responses import ClientGone, Refusal
from demask.webkit.upload import HeldBytes
from demask.webkit.wire import WireLimits

TYPE = "multipart/form-data; boundary=line"
LIMITS = WireLimits(max_body_bytes=5000, max_held_bytes=9000, body_s=0.2)


def form_of(*fields: tuple[str, bytes], boundary: str = "line") -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="x"\r\n\r\n'.encode() + value
        for name, value in fields
    ]
    return b"\r\n".join([*parts, f"--{boundary}--\r\n".encode()])


def receive(
    body: Sequence[bytes],
    *,
    kind: str = TYPE,
    ends: str = "whole",
    fields: tuple[str, ...] = ("photo", "hole"),
    held: HeldBytes | None = None,
    **headers: str,
) -> Form:
    """Give the pieces to `receive_form`, then be `whole`, `gone` or `silent`."""
    pieces = list(body)

    async def next_message() -> Any:
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces) or ends != "whole"}
        if ends == "gone":
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()

    async def inside() -> Form:
        with (held or HeldBytes(LIMITS.max_held_bytes)).share() as take:
            given = {"content-type": kind, **{name.replace("_", "-"): text for name, text in headers.items()}}
            return await receive_form(given, next_message, fields=fields, limits=LIMITS, take=take)

    return own_loop.run(inside())


def refusal(*given: Any, **more: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        receive(*given, **more)
    return caught.value


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600), st.binary(max_size=200), st.lists(st.integers(1, 90), max_size=12))
def test_fields_come_out_as_they_went_in_however_they_are_cut(
    photo: bytes, hole: bytes, lengths: list[int]
) -> None:
    if b"--line" in photo + hole:
        return
    body, pieces = form_of(("photo", photo), ("hole", hole)), []
    for length in lengths:
        pieces.append(body[:length])
        body = body[length:]
    assert receive([*pieces, body]) == {"photo": photo, "hole": hole}


def test_an_empty_form_has_no_fields() -> None:
    assert receive([form_of()]) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        form_of(("photo", b"x"))[:-6],
        form_of(("photo", b"x"), boundary="other"),
        form_of(("photo", b"x"))[3:],
    ],
)
def test_what_is_broken_or_cut_short_is_400(body: bytes) -> None:
    error = refusal([body])
    assert (error.status, error.code) == (400, "bad_multipart")


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/mixed; boundary=line", "text/plain"])
def test_anything_but_a_form_is_415(kind: str) -> None:
    error = refusal([form_of(("photo", b"x"))], kind=kind)
    assert (error.status, error.code) == (415, "wrong_content_type")
    assert "curl" in str(error)


def test_a_form_without_boundary_is_400() -> None:
    assert refusal([b""], kind="multipart/form-data").code == "bad_multipart"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ([("photos", b"x")], "photos"),
        ([("", b"x")], "''"),
        ([("photo", b"x"), ("photo", b"y")], "twice"),
        ([("p" * 3000, b"x")], "p" * 50),
    ],
)
def test_fields_that_nobody_knows_and_doubles_are_422(fields: list[tuple[str, bytes]], says: str) -> None:
    error = refusal([form_of(*fields)])
    assert (error.status, error.code) == (422, "bad_field")
    assert says in str(error)
    assert len(str(error)) < 200


def test_too_much_is_413_before_and_while_it_arrives() -> None:
    large = form_of(("photo", bytes(6000)))
    for more in ({"content_length": "6000"}, {}, {"content_length": "nonsense"}):
        error = refusal([large[:3000], large[3000:]], **more)
        assert (error.status, error.code) == (413, "body_too_large")
        assert error.details == {"max_body_bytes": 5000}


def test_a_body_that_stops_is_408() -> None:
    error = refusal([form_of(("photo", b"x"))[:40]], ends="silent")
    assert (error.status, error.code) == (408, "body_too_slow")
    assert "40 bytes" in str(error)


def test_a_client_that_leaves_gets_nothing() -> None:
    with pytest.raises(ClientGone):
        receive([form_of(("photo", b"x"))[:40]], ends="gone")


def test_what_all_hold_together_is_bounded_and_given_back() -> None:
    held = HeldBytes(1000)
    with held.share() as take:
        take(950)
        assert refusal([form_of(("photo", b"x"))], held=held).code == "busy"
        assert held.now == 950
    assert held.now == 0
    assert receive([form_of(("photo", b"x"))], held=held) == {"photo": b"x"}
    assert held.now == 0
