"""A multipart form received into memory: counted while it arrives, and never on a disk.

Starlette's own form parser writes every part of more than 1 MiB to a temporary file, so it is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from demask.webkit.failures import Refusal
from demask.webkit.limits import WireLimits
from demask.webkit.upload import Receive, Take, body_chunks

Form = dict[str, bytes]


async def receive_form(
    headers: Mapping[str, str],
    receive: Receive,
    *,
    fields: tuple[str, ...],
    limits: WireLimits,
    take: Take,
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
    parts = _Parts(fields)
    try:
        parser = MultipartParser(_boundary(headers), parts.callbacks())  # type: ignore[arg-type]
        async for chunk in body_chunks(headers, receive, limits, take):
            parser.write(chunk)
        parser.finalize()
    except (FormParserError, UnicodeDecodeError) as error:
        raise _broken() from error
    if not parts.complete:
        raise _broken()
    return {name: bytes(data) for name, data in parts.done.items()}


def _boundary(headers: Mapping[str, str]) -> bytes:
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
