"""What is done with one upload in a worker thread: bytes in, an answer in bytes out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from demask.errors import PhotoUnreadable
from demask.faces.choice import Faces
from demask.faces.looker import Looked
from demask.photo.handed_in import AS_IT_CAME, Output
from demask.photo.plain_pictures import hole_png, read_hole
from demask.remover import Remover
from demask.results import Result
from demask.server.kept import KeptPhoto
from demask.server.serve_settings import MEDIA_TYPES, accepted_formats, require_format
from demask.server.workshop import Wanted
from demask.types import Face

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
        keep: A photo that is to be kept, and the token that the body tells.
    """

    body: bytes
    media_type: str
    status: str
    faces: tuple[str, ...]
    timings_ms: dict[str, float] = field(default_factory=dict)
    megapixels: float
    keep: tuple[str, KeptPhoto] | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FindOrder:
    """What a client of `/v1/find` asked for.

    Attributes:
        photo: The uploaded file.
        with_hole: Give the hole as well.
        token_for: Asked for the token under which the photo is to be kept; None: not to be kept.
        request_id: Goes into the JSON.
    """

    photo: bytes
    with_hole: bool
    token_for: Callable[[KeptPhoto], str | None] | None = None
    request_id: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RemoveOrder:
    """What a client of `/v1/remove` asked for.

    Attributes:
        photo: The uploaded file.
        hole: The uploaded PNG, or None.
        looked: What was found in a kept photo: nothing is looked for again.
        found: All faces of the photo, as found before; with `hole`, nothing is looked for again.
        faces: Which faces.
        as_json: JSON instead of the picture.
        request_id: Goes into the JSON.
    """

    photo: bytes
    hole: bytes | None = None
    looked: Looked | None = None
    found: tuple[Face, ...] | None = None
    faces: Faces = "all"
    as_json: bool
    request_id: str


def find(remover: Remover, order: FindOrder, wanted: Wanted, *, max_megapixels: float) -> Answer:
    """Find faces and holes.

    Raises:
        InputError: The photo cannot be used.
        Refusal: It is of a kind that the server does not take.
    """
    require_format(order.photo, field="photo", formats=accepted_formats())
    wanted.check()
    result = _named("photo", lambda: remover.find(order.photo, max_megapixels=max_megapixels))
    wanted.check()
    token, kept = None, None
    if order.token_for is not None and result.looked is not None:
        kept = KeptPhoto(photo=order.photo, looked=result.looked)
        token = order.token_for(kept)
    hole = _hole_base64(result) if order.with_hole else None
    record = {**_common(result, order.request_id), "hole": hole, "kept": token}
    answer = _answer(result, _json(record), "application/json")
    return answer if token is None or kept is None else replace(answer, keep=(token, kept))


def remove(
    remover: Remover,
    order: RemoveOrder,
    wanted: Wanted,
    *,
    max_megapixels: float,
    output: Output = AS_IT_CAME,
) -> Answer:
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
            looked=None if order.looked is None else order.looked.only(order.faces),
            found=order.found,
            output=output,
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
        "credentials": result.credentials,
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
