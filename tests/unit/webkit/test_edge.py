"""What every answer has, whatever happened inside: a request id, our headers, one shape of errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from open_doors import ask

import own_loop
from demask.errors import ConfigError, DemaskError, InputError, PhotoTooLarge, UsageError, WeightsError
from demask.webkit.access import Doors
from demask.webkit.edge import PORTION_BYTES, Exchange, protect
from demask.webkit.responses import ALWAYS, PAGE, ClientGone, Refusal
from demask.webkit.upload import HeldBytes, WholeBody
from demask.webkit.wire import WireLimits

Handler = Callable[..., Any]


class Taken(InputError):
    """An error that only one application knows."""

    code = "taken"


def serving(handler: Handler, **more: Any) -> tuple[FastAPI, list[Exchange]]:
    """An application of one handler, and the exchanges that it told of."""
    app, done = FastAPI(), []
    app.add_api_route("/it/{name}", handler, methods=["GET", "POST"])
    app.add_middleware(WholeBody, limits=WireLimits(max_body_bytes=100, max_held_bytes=100, body_s=0.2))
    protect(app, doors=Doors(locks=None), held=HeldBytes(100), on_done=done.append, **more)
    return app, done


def raising(error: Exception) -> Handler:
    async def handler() -> None:
        raise error

    return handler


async def hello() -> str:
    return "hello"


ERRORS: list[tuple[Exception, int, str]] = [
    (Refusal(418, "teapot", "no coffee here"), 418, "teapot"),
    (Taken("gone already"), 409, "taken"),
    (PhotoTooLarge(width=9000, height=9000, max_megapixels=50), 413, "photo_too_large"),
    (InputError("not that"), 422, "bad_input"),
    (UsageError("not so"), 422, "usage"),
    (ConfigError("in /etc/secret"), 500, "internal"),
    (WeightsError("in /etc/secret"), 500, "internal"),
    (DemaskError("in /etc/secret"), 500, "internal"),
    (ZeroDivisionError("in /etc/secret"), 500, "internal"),
]


@pytest.mark.parametrize(("error", "status", "code"), ERRORS, ids=lambda value: type(value).__name__)
def test_every_error_has_a_status_and_one_shape(
    error: Exception, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    app, done = serving(raising(error), statuses={Taken: 409})
    (answer,) = ask(app, ("GET", "/it/x"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json().keys() == {"error", "request_id"}
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text
    assert (done[0].status, done[0].note) == (status, {"code": code})
    logged = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(logged) == (status == 500)
    for record in logged:
        assert answer.json()["request_id"] in record.getMessage()
        assert record.exc_info
        assert record.exc_info[1] is error


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("DELETE", "/it/x", 405, "method_not_allowed"),
        ("GET", "/it/x?number=secret", 422, "bad_field"),
    ],
)
def test_what_the_framework_refuses_is_said_in_our_words(
    method: str, path: str, status: int, code: str
) -> None:
    async def counted(number: int = 0) -> int:
        return number

    app, done = serving(counted)
    (answer,) = ask(app, (method, path))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "secret" not in answer.text
    assert done[0].route == ("other" if status == 404 else "/it/{name}")


def test_headers_are_ours_but_for_those_that_a_handler_sets() -> None:
    async def page() -> Response:
        return Response("page", headers={**PAGE, "Cache-Control": "no-cache"})

    for handler, own in ((hello, {}), (page, {**PAGE, "cache-control": "no-cache"})):
        app, _ = serving(handler, headers={"x-robots-tag": "noindex"})
        (answer,) = ask(app, ("GET", "/it/x"))
        for name, value in {**ALWAYS, "x-robots-tag": "noindex", **own}.items():
            assert answer.headers.get_list(name) == [value]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("my-own.id_1", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("two words", False),
        ("é", False),
        ("", False),
    ],
)
def test_a_harmless_request_id_is_kept(given: str, kept: bool) -> None:
    app, done = serving(hello)
    (answer,) = ask(app, ("GET", "/it/x"), **{"x-request-id": given.encode()})  # type: ignore[arg-type]
    assert (answer.headers["x-request-id"] == given) == kept
    assert answer.headers["x-request-id"] == done[0].request_id
    assert len(done[0].request_id) >= 11


def test_the_exchange_tells_what_went_by() -> None:
    async def echo(request: Request, name: str) -> str:
        request.state.exchange.note["outcome"] = name
        return (await request.body()).decode()

    app, done = serving(echo)
    talk(app, {"type": "http.request", "body": b"four", "more_body": False}, path="/it/thing")
    (exchange,) = done
    assert (exchange.method, exchange.route, exchange.status) == ("POST", "/it/{name}", 200)
    assert (exchange.bytes_in, exchange.bytes_out) == (4, 6)
    assert exchange.note == {"outcome": "thing"}
    assert 0 < exchange.spent_s < 20


def talk(app: Any, *messages: dict[str, Any], path: str = "/it/x", **headers: str) -> list[dict[str, Any]]:
    """Speak ASGI by hand: what the application sent. After the messages the client is silent."""
    left, sent = list(messages), []

    async def receive() -> Any:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *((k.encode(), v.encode()) for k, v in headers.items())],
    }
    own_loop.run(app(scope, receive, send))
    return sent


def code_of(sent: list[dict[str, Any]]) -> tuple[int, str]:
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(body)["error"]["code"]


@pytest.mark.parametrize(
    ("messages", "headers", "wanted"),
    [
        ([{"type": "http.request", "body": b"half", "more_body": True}], {}, (408, "body_too_slow")),
        ([{"type": "http.request", "body": bytes(101)}], {}, (413, "body_too_large")),
        ([], {"content-length": "101"}, (413, "body_too_large")),
    ],
)
def test_bodies_that_are_slow_or_large_are_refused_and_the_connection_closed(
    messages: list[dict[str, Any]], headers: dict[str, str], wanted: tuple[int, str]
) -> None:
    app, done = serving(hello)
    sent = talk(app, *messages, **{"content-length": "50", **headers})
    assert code_of(sent) == wanted
    assert (b"connection", b"close") in [(name.lower(), value.lower()) for name, value in sent[0]["headers"]]
    assert sent[-1]["more_body"] is False
    assert done[0].status == wanted[0]


def test_a_client_that_leaves_is_noted_and_not_answered() -> None:
    app, done = serving(hello)
    half = {"type": "http.request", "body": b"half", "more_body": True}
    assert talk(app, half, {"type": "http.disconnect"}) == []
    assert done[0].status == 499


def test_bodies_of_all_together_are_bounded() -> None:
    held = HeldBytes(150)
    app = FastAPI()
    app.post("/it/{name}")(hello)
    app.add_middleware(WholeBody, limits=WireLimits(max_body_bytes=100, max_held_bytes=150))
    protect(app, doors=Doors(locks=None), held=held)
    message = {"type": "http.request", "body": bytes(100)}
    with held.share() as take:
        take(60)
        sent = talk(app, message)
    assert code_of(sent) == (503, "busy")
    assert (b"retry-after", b"5") in sent[0]["headers"]
    assert held.now == 0
    assert talk(app, message)[0]["status"] == 200


def test_a_large_answer_goes_out_in_portions() -> None:
    async def large() -> Response:
        return Response(bytes(3 * PORTION_BYTES + 5))

    app, _ = serving(large)
    bodies = [message for message in talk(app, {"type": "http.request", "body": b""})[1:] if message["body"]]
    assert [len(message["body"]) for message in bodies] == [PORTION_BYTES] * 3 + [5]
    assert [message["more_body"] for message in bodies] == [True, True, True, False]


def test_half_an_answer_is_never_completed_by_an_error() -> None:
    from starlette.responses import StreamingResponse

    async def breaks() -> StreamingResponse:
        async def parts() -> Any:
            yield b"half"
            raise ZeroDivisionError

        return StreamingResponse(parts())

    app, _ = serving(breaks)
    with pytest.raises(
        (ExceptionGroup, ZeroDivisionError)
    ) as caught:  # Upon any, uvicorn closes the connection.
        talk(app, {"type": "http.request", "body": b""})
    assert "ZeroDivisionError" in repr(caught.value)


def test_nobody_is_told_of_a_client_that_is_gone() -> None:
    app, done = serving(raising(ClientGone()))
    assert talk(app, {"type": "http.request", "body": b""}) == []
    assert done[0].status == 499


def test_head_is_answered_as_get_is() -> None:
    app, done = serving(hello)
    (head, get) = ask(app, ("HEAD", "/it/x"), ("GET", "/it/x"))
    assert head.status_code == get.status_code == 200
    assert head.headers["content-length"] == get.headers["content-length"]
    assert [exchange.method for exchange in done] == ["HEAD", "GET"]
    assert ask(app, ("HEAD", "/nothing"))[0].status_code == 404
    (refused,) = ask(app, ("DELETE", "/it/x"))
    assert (refused.status_code, set(refused.headers["allow"].split(", "))) == (405, {"GET", "POST"})
