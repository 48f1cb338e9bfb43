"""A multipart form received into memory: counted while it arrives, and never on a disk.

Starlette's own form parser writes every part of more than 1 MiB to a temporary file, so it is not used.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from demask.server.failures import ClientGone, Refusal
from demask.server.settings import Limits

Receive = Callable[[], Awaitable[Any]]
Form = dict[str, bytes]

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
    def share(self) -> Iterator[Callable[[int], None]]:
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


async def receive_form(
    headers: dict[str, str],
    receive: Receive,
    *,
    fields: tuple[str, ...],
    limits: Limits,
    take: Callable[[int], None],
) -> Form:
    """Receive a form.

    Args:
        headers: The request's, names in lower case.
        receive: ASGI's.
        fields: The names that may come, each once.
        limits: Bytes and seconds.
        take: Called with every number of bytes before they are kept; may refuse.

    Returns:
        The fields' bytes. File names and types that the client gave are ignored.

    Raises:
        Refusal: No form, broken, cut short, too large, too slow, or with fields that nobody knows.
        ClientGone: The client left.
    """
    boundary = _boundary(headers)
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.max_body_bytes:
        raise _too_large(limits)
    parts = _Parts(fields)
    received = 0
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]
        async with asyncio.timeout(limits.body_s):
            async for chunk in _chunks(receive):
                received += len(chunk)
                if received > limits.max_body_bytes:
                    raise _too_large(limits)
                take(len(chunk))
                parser.write(chunk)
        parser.finalize()
    except TimeoutError:
        message = f"the body did not arrive within {limits.body_s:g} s ({received} bytes did); send it faster"
        raise Refusal(408, "body_too_slow", message) from None
    except (FormParserError, UnicodeDecodeError) as error:
        raise _broken() from error
    if not parts.complete:
        raise _broken()
    return {name: bytes(data) for name, data in parts.done.items()}


async def linger(receive: Receive) -> None:
    """Read on and throw away, until the body ends, the client leaves or `LINGER_S` have passed."""
    try:
        async with asyncio.timeout(LINGER_S):
            async for _ in _chunks(receive):
                pass
    except (TimeoutError, ClientGone):
        pass


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        more = message.get("more_body", False)
        yield message.get("body", b"")


def _boundary(headers: dict[str, str]) -> bytes:
    kind, options = parse_options_header(headers.get("content-type", ""))
    if kind.lower() != b"multipart/form-data":
        got = kind.decode("latin-1")[:100] or "nothing"
        raise Refusal(
            415,
            "wrong_content_type",
            f"the content type is {got!r}; send multipart/form-data with the photo in the field `photo`, "
            "as in: curl -F photo=@photo.jpg",
        )
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise Refusal(
            400, "bad_multipart", "the content type names no boundary; let an HTTP library make the form"
        )
    return boundary


def _too_large(limits: Limits) -> Refusal:
    return Refusal(
        413,
        "body_too_large",
        f"the request has more than {limits.max_body_bytes} bytes, the limit here; send a smaller file",
        details={"max_body_bytes": limits.max_body_bytes},
        headers={"Connection": "close"},
    )


def _broken() -> Refusal:
    return Refusal(400, "bad_multipart", "the form is broken or cut short; send it again, whole")


class _Parts:
    """Collects what the parser finds."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self.done: dict[str, bytearray] = {}
        self.complete = False
        self._fields = fields
        self._header, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._now: bytearray | None = None

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._disposition, self._now = b"", None

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        known = ", ".join(self._fields)
        if name not in self._fields:
            message = f"the form has a field {name[:50]!r}; the fields here are {known}"
            raise Refusal(422, "bad_field", message, details={"fields": list(self._fields)})
        if name in self.done:
            raise Refusal(
                422, "bad_field", f"the field {name} comes twice; send it once", details={"field": name}
            )
        self._now = self.done[name] = bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._now is not None:
            self._now += memoryview(data)[start:end]

    def _end(self) -> None:
        self.complete = True
