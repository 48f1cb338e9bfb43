"""What is done with one upload in a worker thread: bytes in, an answer in bytes out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from demask.errors import PhotoUnreadable
from demask.faces.choice import Faces
from demask.photo.hole_picture import hole_png, read_hole
from demask.remover import Remover
from demask.results import Result
from demask.server.media_types import MEDIA_TYPES, accepted_formats, require_format
from demask.server.workshop import Wanted

Read = TypeVar("Read")

NOTICE = (
    "The lower part of a restored face is invented. It is not the person's. Never use it to identify anyone."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a job made.

    Attributes:
        body: The response's body.
        media_type: Its type.
        status: `restored`, `no_covering`, `no_face`, or `covered` where only looking was asked.
        faces: `FaceResult.status` of each face, for the metrics.
        timings_ms: Milliseconds per stage.
        megapixels: Of the photo.
    """

    body: bytes
    media_type: str
    status: str
    faces: tuple[str, ...]
    timings_ms: dict[str, float] = field(default_factory=dict)
    megapixels: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RemoveOrder:
    """What a client of `/v1/remove` asked for.

    Attributes:
        photo: The uploaded file.
        hole: The uploaded PNG, or None.
        faces: Which faces.
        as_json: JSON instead of the picture.
        request_id: Goes into the JSON.
    """

    photo: bytes
    hole: bytes | None
    faces: Faces
    as_json: bool
    request_id: str


def find(
    remover: Remover, photo: bytes, wanted: Wanted, *, max_megapixels: float, with_hole: bool, request_id: str
) -> Answer:
    """Find faces and holes.

    Raises:
        InputError: The photo cannot be used.
        Refusal: It is of a kind that the server does not take.
    """
    require_format(photo, field="photo", formats=accepted_formats())
    wanted.check()
    result = _named("photo", lambda: remover.find(photo, max_megapixels=max_megapixels))
    wanted.check()
    record = {**_common(result, request_id), "hole": _hole_base64(result) if with_hole else None}
    return _answer(result, _json(record), "application/json")


def remove(remover: Remover, order: RemoveOrder, wanted: Wanted, *, max_megapixels: float) -> Answer:
    """Remove the face masks of a photo.

    Raises:
        InputError: The photo or the hole cannot be used.
        ShapeMismatch: They differ in size.
        UsageError: A face that is not there was asked for.
        Refusal: One is of a kind that the server does not take.
    """
    require_format(order.photo, field="photo", formats=accepted_formats())
    hole = None
    if order.hole is not None:
        png = order.hole
        require_format(png, field="hole", formats=("PNG",))
        hole = _named("hole", lambda: read_hole(png, max_megapixels=max_megapixels))
    result = _named(
        "photo",
        lambda: remover(
            order.photo,
            faces=order.faces,
            hole=hole,
            max_megapixels=max_megapixels,
            on_stage=lambda stage: wanted.check(),
        ),
    )
    wanted.check()
    assert result.format is not None
    media_type = MEDIA_TYPES[result.format]
    if not order.as_json:
        return _answer(result, result.photo, media_type)
    record = {
        "status": result.status,
        **_common(result, order.request_id),
        "timings_ms": {stage: round(spent, 1) for stage, spent in result.timings_ms.items()},
        "photo": {"media_type": media_type, "base64": base64.b64encode(result.photo).decode()},
        "hole": _hole_base64(result),
    }
    return _answer(result, _json(record), "application/json")


def _answer(result: Result[bytes], body: bytes, media_type: str) -> Answer:
    height, width = result.size
    return Answer(
        body=body,
        media_type=media_type,
        status=result.status,
        faces=tuple(face.status for face in result.faces),
        timings_ms=result.timings_ms,
        megapixels=height * width / 1e6,
    )


def _named(field: str, read: Callable[[], Read]) -> Read:
    """Say which upload cannot be read."""
    try:
        return read()
    except PhotoUnreadable as error:
        raise PhotoUnreadable(f"{field}: {error}") from error


def _common(result: Result[bytes], request_id: str) -> dict[str, Any]:
    height, width = result.size
    faces = [{"index": index, **face.as_json()} for index, face in enumerate(result.faces)]
    return {"width": width, "height": height, "faces": faces, "request_id": request_id, "notice": NOTICE}


def _hole_base64(result: Result[bytes]) -> str | None:
    return None if result.hole is None else base64.b64encode(hole_png(result.hole)).decode()


def _json(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()
