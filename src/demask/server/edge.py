"""The outermost layer: request ids, who may ask, security headers, the log line, the counters.

Plain ASGI, because it must see the body go by: what is sent in portions, and what is left unread.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from demask.errors import DemaskError
from demask.server.failures import ClientGone, Refusal, body_of, internal, refusal_of
from demask.server.form import linger
from demask.server.jobs import NOTICE
from demask.server.service import Service

App = Callable[..., Awaitable[Any]]
Message = Any
Scope = Any

NEEDS_KEY = frozenset({"/v1/find", "/v1/remove", "/metrics"})
PAGES = frozenset({"/", "/style.css", "/app.js", "/docs"})
PORTION_BYTES = 256 * 1024
"""An answer is handed to the connection in portions, so that one left unread does not stay in memory twice."""

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "media-src 'self' blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_LEFT = 499  # What access logs commonly note for a client that did not wait.
_log = logging.getLogger("demask.server")


@dataclass(kw_only=True, slots=True, eq=False)
class Exchange:
    """One request and its answer, as the log line tells of it.

    Attributes:
        request_id: The client's, if it is a harmless word, else our own.
        take: Counts bytes of the upload, see `HeldBytes.share`.
        note: More for the log line: outcome, faces, megapixels.
    """

    request_id: str
    take: Callable[[int], None]
    note: dict[str, Any] = field(default_factory=dict)
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    body_pending: bool = False


class Edge:
    """ASGI middleware.

    Args:
        app: What answers.
        service: Settings, counters, bytes held.
        routes: Paths that the log and the counters may name; others become `other`.
    """

    def __init__(self, app: App, *, service: Service, routes: frozenset[str]) -> None:
        self._app, self._service, self._routes = app, service, routes

    async def __call__(self, scope: Scope, receive: App, send: App) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with self._service.held.share() as take:
            exchange = Exchange(request_id=_request_id(headers), take=take)
            exchange.body_pending = "content-length" in headers or "transfer-encoding" in headers
            scope["state"] = {**scope.get("state", {}), "exchange": exchange, "headers": headers}
            try:
                await self._answer(exchange, scope, headers, receive, send)
            except ClientGone:
                exchange.status = _LEFT
            finally:
                self._tell(exchange, scope, time.perf_counter() - start)

    async def _answer(
        self, exchange: Exchange, scope: Scope, headers: dict[str, str], receive: App, send: App
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
                own = _headers_for(scope["path"], exchange)
                message["headers"] = [*message.get("headers", []), *own]
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
            self._require_friend(scope, headers)
            await self._app(scope, receive_counted, send_guarded)
        except ClientGone:
            raise
        except Exception as error:
            refusal = refusal_of(error) if isinstance(error, DemaskError) else internal()
            if refusal.status == 500:
                _log.error("failed", exc_info=error, extra={"request_id": exchange.request_id})
            if exchange.status:
                raise  # Half an answer is out: only closing the connection tells the client.
            await refuse(refusal, exchange, send_guarded)

    def _require_friend(self, scope: Scope, headers: dict[str, str]) -> None:
        """Turn away whom the settings do not let in.

        Raises:
            Refusal: 421, 403 or 401.
        """
        settings = self._service.settings
        host = headers.get("host", "")
        allowed = settings.allowed_hosts
        if allowed is not None and _name_of(host) not in allowed:
            message = "the Host header names an address that this server does not know; see --allow-host"
            raise Refusal(421, "wrong_host", message)
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and not _same_origin(
            headers, host, settings.hosts
        ):
            raise Refusal(403, "cross_origin", "a page of another address may not send requests here")
        if settings.key is not None and scope["path"] in NEEDS_KEY:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            right = hmac.compare_digest(given.strip().encode(), settings.key.encode())
            if scheme.lower() != "bearer" or not right:
                raise Refusal(
                    401,
                    "key_required",
                    "this server wants a key; send the header Authorization: Bearer KEY",
                    headers={"WWW-Authenticate": "Bearer"},
                )

    def _tell(self, exchange: Exchange, scope: Scope, spent_s: float) -> None:
        route = scope["path"] if scope["path"] in self._routes else "other"
        self._service.metrics.request(route, exchange.status, spent_s)
        _log.info(
            "request",
            extra={
                "request_id": exchange.request_id,
                "method": scope["method"][:16],
                "route": route,
                "status": exchange.status,
                "took_ms": round(spent_s * 1000, 1),
                "bytes_in": exchange.bytes_in,
                "bytes_out": exchange.bytes_out,
                **exchange.note,
            },
        )


async def refuse(refusal: Refusal, exchange: Exchange, send: App) -> None:
    """Send a refusal as JSON."""
    body = json.dumps(body_of(refusal, exchange.request_id)).encode()
    exchange.note["code"] = refusal.code
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **refusal.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _headers_for(path: str, exchange: Exchange) -> list[tuple[bytes, bytes]]:
    headers = dict(_HEADERS)
    headers["x-request-id"] = exchange.request_id
    headers["content-security-policy"] = _PAGE_POLICY if path in PAGES else _API_POLICY
    headers["cache-control"] = "no-cache" if path in PAGES else "no-store"
    if path in ("/v1/find", "/v1/remove"):
        headers["x-demask-notice"] = NOTICE
    if exchange.body_pending:  # What is left of the body would be taken for the next request.
        headers["connection"] = "close"
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _request_id(headers: dict[str, str]) -> str:
    given = headers.get("x-request-id", "")
    return given if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) else uuid.uuid4().hex


def _name_of(host: str) -> str:
    """The name of a `Host` header: lower case, without port."""
    return re.sub(r":\d+$", "", host.strip().lower())


def _same_origin(headers: dict[str, str], host: str, names: tuple[str, ...]) -> bool:
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
    return place == host.strip().lower() or (_name_of(place) in {name.lower() for name in names})
