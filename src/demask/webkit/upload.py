"""A request's body as it arrives: counted, timed, and never on a disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from demask.webkit.responses import ClientGone, Refusal
from demask.webkit.wire import WireLimits

Receive = Callable[[], Awaitable[Any]]
Take = Callable[[int], None]

LINGER_S = 2.0
"""A client that is refused in the middle of its body is listened to so much longer: to close a connection
with unread bytes in it may destroy the answer on its way."""


class HeldBytes:
    """Counts the bytes of all bodies that are in memory.

    Args:
        most: How many there may be.
    """

    def __init__(self, most: int) -> None:
        self.now, self._most = 0, most

    @contextmanager
    def share(self) -> Iterator[Take]:
        """Hold bytes until the block ends; the function takes some more.

        Raises:
            Refusal: 503, all together hold too many.
        """
        mine = 0

        def take(number: int) -> None:
            nonlocal mine
            if self.now + number > self._most:
                raise Refusal(
                    503,
                    "busy",
                    "the server holds as many uploads as it may; come back in a few seconds",
                    headers={"Retry-After": "5"},
                )
            self.now += number
            mine += number

        try:
            yield take
        finally:
            self.now -= mine


async def body_chunks(
    headers: Mapping[str, str], receive: Receive, limits: WireLimits, take: Take
) -> AsyncIterator[bytes]:
    """The body in pieces.

    Args:
        headers: The request's, names in lower case.
        receive: ASGI's.
        limits: Bytes and seconds.
        take: Called with the bytes of every piece before it is given; may refuse.

    Raises:
        Refusal: 413, more bytes than allowed, announced or sent; 408, too slow.
        ClientGone: The client left.
    """
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.max_body_bytes:
        raise _too_large(limits)
    deadline = asyncio.get_running_loop().time() + limits.body_s
    received, more = 0, True
    while more:
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise Refusal(
                408,
                "body_too_slow",
                f"the body did not arrive within {limits.body_s:g} s ({received} bytes did); send it faster",
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk, more = message.get("body", b""), message.get("more_body", False)
        received += len(chunk)
        if received > limits.max_body_bytes:
            raise _too_large(limits)
        take(len(chunk))
        yield chunk


async def linger(receive: Receive) -> None:
    """Read on and throw away, until the body ends, the client leaves or `LINGER_S` have passed."""
    try:
        async with asyncio.timeout(LINGER_S):
            while (message := await receive())["type"] != "http.disconnect" and message.get("more_body"):
                pass
    except TimeoutError:
        pass


class WholeBody:
    """ASGI middleware inside `Edge`: the body is received whole before the application is asked.

    For applications whose requests are small, and whose framework would read without a limit.

    Args:
        app: What answers.
        limits: Bytes and seconds.
    """

    def __init__(self, app: Any, *, limits: WireLimits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = scope["state"]["exchange"]
        pieces = [chunk async for chunk in body_chunks(exchange.headers, receive, self._limits, exchange.take)]
        body: bytes | None = b"".join(pieces)

        async def replay() -> Any:
            nonlocal body
            if body is None:
                return await receive()
            given, body = body, None
            return {"type": "http.request", "body": given, "more_body": False}

        await self._app(scope, replay, send)


def _too_large(limits: WireLimits) -> Refusal:
    return Refusal(
        413,
        "body_too_large",
        f"the request has more than {limits.max_body_bytes} bytes, the limit here; send a smaller file",
        details={"max_body_bytes": limits.max_body_bytes},
        headers={"Connection": "close"},
    )
