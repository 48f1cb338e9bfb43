"""A multipart form: received into memory, never onto a disk, and read for what was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from demask.faces.choice import Faces, faces_from_text
from demask.types import Face
from demask.webkit.responses import Refusal
from demask.webkit.upload import Receive, Take, body_chunks
from demask.webkit.wire import WireLimits

Form = dict[str, bytes]
MAX_SAMPLES = 1
"""Faces per hole that the restorers can draw: each of them draws one."""
MAX_FOUND = 1000
_FAR = 1e6  # Pixels; no photo that is taken is as wide.


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


class _FoundFace(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)

    box: tuple[float, float, float, float]
    points: list[tuple[float, float]] = Field(min_length=5, max_length=5)
    score: float = Field(default=1, ge=0, le=1)


class _FoundBefore(BaseModel):
    faces: list[_FoundFace] = Field(max_length=MAX_FOUND)


def text_of(form: Form, name: str, default: str) -> str:
    """A field as text; bytes that are none become question marks."""
    return form[name].decode("utf-8", "replace") if name in form else default


def chosen_faces(form: Form) -> Faces:
    """The field `faces`.

    Raises:
        UsageError: It is neither all, nor largest, nor none, nor numbers.
    """
    return faces_from_text(text_of(form, "faces", "all"))


def require_samples(form: Form) -> None:
    """Refuse a number of samples that the restorers do not draw.

    Raises:
        Refusal: 422.
    """
    text = text_of(form, "samples", "1")
    if not text.isdecimal() or len(text) > 6 or int(text) < 1:
        message = f"samples is {text[:20]!r}; it is a whole number from 1"
        raise Refusal(422, "bad_field", message, details={"field": "samples"})
    if int(text) > MAX_SAMPLES:
        raise Refusal(
            422,
            "samples_unsupported",
            f"samples is {text}, but this restorer draws {MAX_SAMPLES} face per hole; leave the field out",
            details={"max_samples": MAX_SAMPLES},
        )


def found_before(form: Form) -> tuple[Face, ...] | None:
    """The field `found`: faces as `/v1/find` or `/v1/remove` told them; the rest of its JSON is not looked at.

    Returns:
        All faces, in the order of the JSON; None where the field is not there.

    Raises:
        Refusal: 422, it is no such JSON, or it comes without a hole.
    """
    if "found" not in form:
        return None
    if "hole" not in form:
        raise _bad_found("it comes without the field hole; send the hole as well, or leave found out")
    try:
        told = _FoundBefore.model_validate_json(form["found"])
    except ValidationError as error:
        # Neither the value nor the validator's own text is repeated: both may be anything.
        place = ".".join(str(part) for part in error.errors()[0]["loc"]) or "its JSON"
        raise _bad_found(f"{place[:60]} is not as /v1/find tells it; send its whole answer") from None
    for face in told.faces:
        x0, y0, x1, y1 = face.box
        far = max(map(abs, [*face.box, *(value for point in face.points for value in point)]))
        if not (x0 < x1 and y0 < y1) or far > _FAR:
            raise _bad_found("a box is empty, or a point lies nowhere; send the answer of /v1/find as it came")
    return tuple(
        Face(box=face.box, points=np.array(face.points, np.float32), score=face.score) for face in told.faces
    )


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


def _bad_found(what: str) -> Refusal:
    return Refusal(422, "bad_field", f"found: {what}", details={"field": "found"})
