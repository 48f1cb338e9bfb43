"""What is done with one upload in a worker thread: bytes in, an answer in bytes out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from demask.errors import PhotoUnreadable
from demask.photo.decode import Photo, read_photo
from demask.photo.encode import encode_photo
from demask.photo.formats import output_format
from demask.photo.hole_picture import hole_png, read_hole
from demask.remover import Remover
from demask.results import Clock, Faces, Result
from demask.server.pictures import MEDIA_TYPES, accepted_formats, require_format
from demask.server.workshop import Wanted
from demask.types import ImageU8

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
    clock = Clock()
    with clock("decode"):
        pixels = _read(photo, max_megapixels).pixels
    wanted.check()
    result = remover.find(pixels)
    wanted.check()
    with clock("encode"):
        hole = _hole_base64(result) if with_hole else None
    record = {**_common(result, request_id), "hole": hole}
    covered = any(face.covered for face in result.faces)
    return Answer(
        body=_json(record),
        media_type="application/json",
        status="covered" if covered else result.status,
        faces=tuple(face.status for face in result.faces),
        timings_ms={**clock.timings_ms, **result.timings_ms},
        megapixels=pixels.shape[0] * pixels.shape[1] / 1e6,
    )


def remove(remover: Remover, order: RemoveOrder, wanted: Wanted, *, max_megapixels: float) -> Answer:
    """Remove the face masks of a photo.

    Raises:
        InputError: The photo or the hole cannot be used.
        ShapeMismatch: They differ in size.
        UsageError: A face that is not there was asked for.
        Refusal: One is of a kind that the server does not take.
    """
    clock = Clock()
    with clock("decode"):
        photo = _read(order.photo, max_megapixels)
        hole = None
        if order.hole is not None:
            require_format(order.hole, field="hole", formats=("PNG",))
            hole = _named("hole", lambda data: read_hole(data, max_megapixels=max_megapixels), order.hole)
    wanted.check()
    result = remover(photo.pixels, faces=order.faces, hole=hole)
    wanted.check()
    with clock("encode"):
        # Nothing removed: the very bytes that came.
        picture, format = order.photo, photo.format
        if result.hole is not None:
            picture = encode_photo(photo, result.photo, changed=result.hole)
            format = output_format(photo.format)
        hole_base64 = _hole_base64(result) if order.as_json else None
    timings_ms = {**result.timings_ms, **clock.timings_ms}
    media_type = MEDIA_TYPES[format]
    if order.as_json:
        record = {
            "status": result.status,
            **_common(result, order.request_id),
            "timings_ms": {stage: round(spent, 1) for stage, spent in timings_ms.items()},
            "photo": {"media_type": media_type, "base64": base64.b64encode(picture).decode()},
            "hole": hole_base64,
        }
        picture, media_type = _json(record), "application/json"
    return Answer(
        body=picture,
        media_type=media_type,
        status=result.status,
        faces=tuple(face.status for face in result.faces),
        timings_ms=timings_ms,
        megapixels=photo.pixels.shape[0] * photo.pixels.shape[1] / 1e6,
    )


def _read(data: bytes, max_megapixels: float) -> Photo:
    require_format(data, field="photo", formats=accepted_formats())
    return _named("photo", lambda data: read_photo(data, max_megapixels=max_megapixels), data)


def _named(field: str, read: Callable[[bytes], Read], data: bytes) -> Read:
    """Say which upload cannot be read."""
    try:
        return read(data)
    except PhotoUnreadable as error:
        raise PhotoUnreadable(f"{field}: {error}") from error


def _common(result: Result[ImageU8], request_id: str) -> dict[str, Any]:
    height, width = result.photo.shape[:2]
    faces = [{"index": index, **face.as_json()} for index, face in enumerate(result.faces)]
    return {"width": width, "height": height, "faces": faces, "request_id": request_id, "notice": NOTICE}


def _hole_base64(result: Result[ImageU8]) -> str | None:
    return None if result.hole is None else base64.b64encode(hole_png(result.hole)).decode()


def _json(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()
