"""The outermost layer of a server: request ids, who may ask, security headers, errors, time-outs.

Plain ASGI, because it must see the body go by: what is sent in portions, and what is left unread.
"""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from demask.errors import DemaskError
from demask.webkit.access import Doors, is_public, route_of
from demask.webkit.listening import STATE
from demask.webkit.responses import ALWAYS, ClientGone, Refusal, Statuses, body_of, internal, refusal_of
from demask.webkit.throttle import WrongKeys, address_of
from demask.webkit.upload import HeldBytes, Take, linger

App = Callable[..., Awaitable[Any]]
Message = Any
Scope = Any

PORTION_BYTES = 256 * 1024
"""An answer is handed to the connection in portions, so that one left unread does not stay in memory twice."""

_LEFT = 499  # What access logs commonly note for a client that did not wait.
_CODES = {404: "not_found", 405: "method_not_allowed"}
_log = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True, eq=False)
class Exchange:
    """One request and its answer.

    Attributes:
        request_id: The client's, if it is a harmless word, else our own.
        method: The request's.
        headers: The request's, names in lower case.
        address: Whose wrong keys are counted, see `throttle.address_of`.
        route: Path of the route that answers, with its parameters by name; `other` where there is none.
        take: Counts bytes of the upload, see `HeldBytes.share`.
        secret: The key by which the route was opened.
        note: More for a log line: outcome, faces, megapixels, code of an error.
        status: Of the answer; 0 before there is one, 499 where the client left.
        bytes_in: Received of the body.
        bytes_out: Sent of the answer's body.
        spent_s: From head to last byte.
        body_pending: Whether there is more of the body to come.
    """

    request_id: str
    method: str
    headers: dict[str, str]
    address: str
    route: str
    take: Take
    secret: str = ""
    note: dict[str, Any] = field(default_factory=dict)
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    spent_s: float = 0
    body_pending: bool = False


class Edge:
    """ASGI middleware; the handlers find their `Exchange` as `request.state.exchange`.

    Args:
        app: What answers.
        routes: Asked for the routes of the application, to tell which one will answer.
        doors: Whom to let in.
        held: Bytes of bodies in memory.
        headers: Of every answer that has none of the same name, beside `headers.ALWAYS`.
        statuses: Of errors that only this application knows.
        on_done: Told of every exchange when it is over.
    """

    def __init__(
        self,
        app: App,
        *,
        routes: Callable[[], list[BaseRoute]],
        doors: Doors,
        held: HeldBytes,
        headers: Mapping[str, str],
        statuses: Statuses,
        on_done: Callable[[Exchange], None],
    ) -> None:
        self._app, self._routes, self._doors, self._held = app, routes, doors, held
        self._headers, self._statuses, self._on_done = {**ALWAYS, **headers}, statuses, on_done
        self._wrong_keys = WrongKeys()

    async def __call__(self, scope: Scope, receive: App, send: App) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # Nothing here speaks WebSocket, and no lock would be asked.
            await send({"type": "websocket.close", "code": 1008})
            return
        start = time.perf_counter()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        connection = scope.get("state", {}).get(STATE)
        method = scope["method"]
        if method == "HEAD":  # Answered as GET; the connection leaves the body out.
            scope = {**scope, "method": "GET"}
        route = route_of(self._routes(), scope)
        with self._held.share() as take, nullcontext() if connection is None else connection.busy():
            exchange = Exchange(
                request_id=_request_id(headers),
                method=method,
                headers=headers,
                address=address_of(scope.get("client"), headers),
                route=getattr(route, "path", "other"),
                take=take,
                body_pending="content-length" in headers or "transfer-encoding" in headers,
            )
            scope["state"] = {**scope.get("state", {}), "exchange": exchange}
            try:
                await self._answer(exchange, route, scope, receive, send)
            except ClientGone:
                exchange.status = _LEFT
            finally:
                exchange.spent_s = time.perf_counter() - start
                self._on_done(exchange)

    async def _answer(
        self, exchange: Exchange, route: BaseRoute | None, scope: Scope, receive: App, send: App
    ) -> None:
        async def receive_counted() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                exchange.bytes_in += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                exchange.body_pending = False
            return message

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", []), *self._more_headers(message, exchange)]
                await send(message)
                return
            body, more = message.get("body", b""), message.get("more_body", False)
            exchange.bytes_out += len(body)
            for begin in range(0, max(1, len(body)), PORTION_BYTES):
                last = begin + PORTION_BYTES >= len(body) and not more and not exchange.body_pending
                portion = body[begin : begin + PORTION_BYTES]
                await send({"type": "http.response.body", "body": portion, "more_body": not last})
            if exchange.body_pending and not more:
                await linger(receive_counted)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        try:
            _require_one_length(exchange.headers)
            self._doors.require_friend(exchange.method, exchange.headers)
            exchange.secret = await self._unlocked(route, exchange)
            await self._app(scope, receive_counted, send_guarded)
        except ClientGone:
            raise
        except Exception as error:
            refusal = refusal_of(error, self._statuses) if isinstance(error, DemaskError) else internal()
            if refusal.status == 500:
                _log.error(
                    "request %s failed",
                    exchange.request_id,
                    exc_info=error,
                    extra={"request_id": exchange.request_id},
                )
            if exchange.status:
                raise  # Half an answer is out: only closing the connection tells the client.
            await _refuse(refusal, exchange, send_guarded)

    async def _unlocked(self, route: BaseRoute | None, exchange: Exchange) -> str:
        """The key of a route; wrong ones are counted."""
        if "authorization" in exchange.headers and not is_public(route):
            self._wrong_keys.refuse_if_many(exchange.address)
        try:
            return await self._doors.unlock(route, exchange.headers)
        except Refusal as refusal:
            if refusal.status == 401 and "authorization" in exchange.headers:
                self._wrong_keys.count(exchange.address)
            raise

    def _more_headers(self, message: Message, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        there = {name.decode("latin-1").lower() for name, _ in message.get("headers", [])}
        headers = {name: value for name, value in self._headers.items() if name not in there}
        headers["x-request-id"] = exchange.request_id
        if (
            exchange.body_pending and "connection" not in there
        ):  # What is left of the body would be taken for the next request.
            headers["connection"] = "close"
        return [(name.encode(), value.encode()) for name, value in headers.items()]


def protect(
    app: FastAPI,
    *,
    doors: Doors,
    held: HeldBytes,
    headers: Mapping[str, str] | None = None,
    statuses: Statuses | None = None,
    on_done: Callable[[Exchange], None] = lambda exchange: None,
) -> None:
    """Put the edge around an application, as its last middleware; the arguments are those of `Edge`."""
    app.add_exception_handler(HTTPException, _say_no_route)
    app.add_exception_handler(RequestValidationError, _say_wrong_field)
    app.add_middleware(
        Edge,
        routes=lambda: app.routes,
        doors=doors,
        held=held,
        headers=headers or {},
        statuses=statuses or {},
        on_done=on_done,
    )


def _require_one_length(headers: Mapping[str, str]) -> None:
    """Refuse a request that says its length in two ways: a proxy before us may have read it in the other one.

    Raises:
        Refusal: 400, and the connection is closed (RFC 9112, section 6.1).
    """
    if "content-length" in headers and "transfer-encoding" in headers:
        message = "Content-Length and Transfer-Encoding both say how long the body is; send one of them"
        raise Refusal(400, "bad_request", message, headers={"Connection": "close"})


async def _refuse(refusal: Refusal, exchange: Exchange, send: App) -> None:
    body = json.dumps(body_of(refusal, exchange.request_id)).encode()
    exchange.note["code"] = refusal.code
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **refusal.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _say_no_route(request: Request, error: Any) -> Any:
    """What the router says, in our words; `Edge` sends it."""
    code = _CODES.get(error.status_code, "bad_request")
    message = f"there is no such address here ({error.detail})"
    if error.status_code == 405:
        message = "the address is right but not the method"
    raise Refusal(error.status_code, code, message, headers=error.headers)


async def _say_wrong_field(request: Request, error: Any) -> Any:
    # Neither the value nor the validator's own text is repeated: both may be anything.
    names = sorted({str(problem["loc"][-1]) for problem in error.errors()})
    message = f"{', '.join(names)}: a value that is not allowed here, or none"
    raise Refusal(422, "bad_field", message, details={"fields": names})


def _request_id(headers: Mapping[str, str]) -> str:
    given = headers.get("x-request-id", "")
    return given if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) else uuid.uuid4().hex
