"""Who may ask: what is not marked is locked, in both servers and in any that is still to be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from fastapi.staticfiles import StaticFiles
from open_doors import answered_without_a_key, ask, every_route
from starlette.responses import PlainTextResponse

import own_loop
from demask.errors import UsageError
from demask.server.factory import create_app as photo_app
from demask.server.factory import page_files
from demask.server.serve_settings import Settings
from demask.study.web.study_app import create_app as study_app
from demask.webkit.access import Doors, check_key, is_loopback, key_lock, locked_by, public
from demask.webkit.edge import protect
from demask.webkit.responses import Refusal
from demask.webkit.upload import HeldBytes

KEY = "a key of more than sixteen letters"


def protected(app: FastAPI, **locks: str) -> FastAPI:
    made = {name: key_lock(key, message=f"wrong {name}") for name, key in {"key": KEY, **locks}.items()}
    protect(app, doors=Doors(locks=made, any_host=True), held=HeldBytes(1000))
    return app


def test_the_photo_server_is_open_where_it_is_marked_only() -> None:
    app = photo_app(cast(Any, None), Settings(key=KEY))
    wanted = {*page_files(), "/engines.json", "/docs", "/openapi.json", "/v1/health", "/v1/ready"}
    assert answered_without_a_key(app) == wanted
    assert {path for _, path in every_route(app)} - wanted == {
        "/v1/find",
        "/v1/remove",
        "/v1/forget",
        "/metrics",
    }


def test_the_study_is_open_where_it_is_marked_only() -> None:
    app = study_app(_Nothing(), _Nothing())
    assert answered_without_a_key(app) == {"/", "/withdraw", "/admin", "/v1/health", "/static/x"}
    assert len({path for _, path in every_route(app)}) == 20


class _Nothing:
    """Stands for a study whose people nobody may see: any use of it is a failed request, never a 401."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for without a key")


def test_whatever_is_added_without_a_mark_is_locked(tmp_path: Path) -> None:
    app = FastAPI(openapi_url="/openapi.json")  # Even what the framework brings.
    nested = APIRouter()

    async def say() -> str:
        return "secret"

    async def plain(request: Any) -> PlainTextResponse:
        return PlainTextResponse("secret")

    app.get("/a")(say)
    app.post("/b")(say)
    app.add_route("/c", plain, methods=["GET", "PUT"])
    (tmp_path / "x").write_text("secret")
    app.mount("/d", StaticFiles(directory=tmp_path))
    nested.get("/e")(say)
    app.include_router(nested, prefix="/deep")
    app.get("/open")(public(_copy(say)))
    protected(app)
    assert answered_without_a_key(app) == {"/open"}
    right = {"authorization": f"Bearer {KEY}"}
    routes = [("GET", "/a"), ("POST", "/b"), ("PUT", "/c"), ("GET", "/d/x"), ("GET", "/deep/e")]
    assert ["secret" in answer.text for answer in ask(app, *routes, **right)] == [True] * 5
    # What is not there is locked as well: nobody learns without a key what is there.
    assert [answer.status_code for answer in ask(app, ("GET", "/nothing"))] == [401]
    assert [answer.status_code for answer in ask(app, ("GET", "/nothing"), **right)] == [404]


def _copy(handler: Any) -> Any:
    async def copied() -> Any:
        return await handler()

    return copied


@pytest.mark.parametrize(
    "given", ["", KEY, f"Basic {KEY}", "Bearer", "Bearer ", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", "Bearer é"]
)
def test_only_the_key_opens(given: str) -> None:
    app = FastAPI()
    app.get("/")(_copy(_hello))
    headers = {"authorization": given.encode()} if given else {}
    (answer,) = ask(protected(app), ("GET", "/"), **cast(Any, headers))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "key_required")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert KEY not in answer.text


async def _hello() -> str:
    return "hello"


def test_one_lock_does_not_open_another() -> None:
    app = FastAPI()
    app.get("/people")(_copy(_hello))
    app.get("/admin")(locked_by("admin")(_copy(_hello)))
    app.get("/typo")(locked_by("adnim")(_copy(_hello)))
    protected(app, admin="the admin's own key, long enough")
    for key, statuses in ((KEY, [200, 401, 500]), ("the admin's own key, long enough", [401, 200, 500])):
        paths = [("GET", path) for path in ("/people", "/admin", "/typo")]
        answers = ask(app, *paths, authorization=f"Bearer {key}")
        assert [answer.status_code for answer in answers] == statuses


def friend(method: str = "POST", *, any_host: bool = False, **headers: str) -> None:
    doors = Doors(locks=None, hosts=frozenset({"photos.example"}), any_host=any_host)
    doors.require_friend(method, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"host": "localhost:8000"}, ""),
        ({"host": "[::1]:8000"}, ""),
        ({"host": "Photos.Example"}, ""),
        ({"host": "photos.example.evil"}, "wrong_host"),
        ({}, "wrong_host"),
        ({"host": "localhost:8000", "origin": "http://localhost:8000"}, ""),
        ({"host": "localhost:8000", "origin": "http://localhost:9000"}, "cross_origin"),
        ({"host": "localhost", "origin": "https://photos.example"}, ""),
        ({"host": "localhost", "origin": "null"}, "cross_origin"),
        ({"host": "localhost", "origin": "http://[broken"}, "cross_origin"),
        ({"host": "localhost", "sec_fetch_site": "cross-site"}, "cross_origin"),
        ({"host": "localhost", "sec_fetch_site": "cross-site", "method": "GET"}, ""),
        ({"host": "elsewhere", "any_host": True}, ""),
    ],
)
def test_pages_of_other_addresses_are_turned_away(headers: dict[str, Any], code: str) -> None:
    if not code:
        friend(**headers)
        return
    with pytest.raises(Refusal) as caught:
        friend(**headers)
    assert caught.value.code == code


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    assert is_loopback(host)
    check_key(host, None, how="do")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "server.example", "", "localhost.example"])
def test_anything_else_needs_one(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(UsageError, match="set IT"):
        check_key(host, None, how="set IT")
    check_key(host, "k" * 16, how="set IT")


@pytest.mark.parametrize("key", ["", "k" * 15, "ä" * 16])
def test_a_weak_key_is_refused_even_on_loopback(key: str) -> None:
    with pytest.raises(UsageError, match="16 or more"):
        check_key("127.0.0.1", key, how="do")


def test_a_web_socket_gets_no_answer() -> None:
    app = FastAPI()

    async def talk(socket: WebSocket) -> None:
        raise AssertionError("somebody was let in without a key")

    app.add_api_websocket_route("/talk", talk)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/talk", "headers": [], "query_string": b"", "root_path": ""}
    own_loop.run(protected(app)(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]
