"""The answers as the OpenAPI document describes them, with examples."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from demask.server.jobs import NOTICE

_FACE: dict[str, Any] = {
    "index": 0,
    "box": [120.1, 80.2, 260.0, 270.9],
    "points": [[156.0, 140.2], [222.4, 141.0], [189.3, 180.7], [162.8, 214.9], [217.0, 215.4]],
    "score": 0.98,
    "covered": True,
    "confidence": 0.99,
    "doubts": [],
}
_ID = "4f1c2ce0a3a24f0d9a5b6f0e8f7d1c2b"


class FaceModel(BaseModel):
    """One face, in pixels of the upright photo."""

    index: int
    box: list[float] = Field(description="x0, y0, x1, y1", min_length=4, max_length=4)
    points: list[list[float]] = Field(
        description="(x, y) of left eye, right eye, nose tip, left and right mouth corner",
        min_length=5,
        max_length=5,
    )
    score: float = Field(description="How sure the finder is of the face, 0 to 1.")
    covered: bool | None = Field(description="Wears a face mask; null where nobody looked.")
    status: Literal["restored", "bare", "skipped"]
    confidence: float = Field(description="How sure `covered` is, 0 to 1.")
    doubts: list[Literal["face_uncertain", "covering_uncertain", "turned", "runs_on", "eyes_covered"]] = Field(
        description="Why a person should look at the result; empty where nothing is known against it."
    )


class Found(BaseModel):
    """Answer of /v1/find."""

    width: int
    height: int
    faces: list[FaceModel]
    hole: str | None = Field(description="Base64 of a PNG of the photo's size, white = would be filled.")
    kept: str | None = Field(
        description="Stands for the photo in /v1/remove; null where it was not asked for or there is no room."
    )
    request_id: str
    notice: str

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "width": 640,
                "height": 480,
                "faces": [{**_FACE, "status": "skipped"}],
                "hole": None,
                "kept": None,
                "request_id": _ID,
                "notice": NOTICE,
            }
        }
    )


class PictureModel(BaseModel):
    """A picture inside JSON."""

    media_type: str
    base64: str


class Removed(BaseModel):
    """Answer of /v1/remove as JSON."""

    status: Literal["restored", "no_face", "no_covering"]
    width: int
    height: int
    faces: list[FaceModel]
    timings_ms: dict[str, float]
    photo: PictureModel
    hole: str | None = Field(description="Base64 of a PNG of the photo's size, white = has changed.")
    credentials: Literal["none", "untouched", "dropped", "signed"] = Field(
        description="What became of the photo's Content Credentials (C2PA): it had none; it is the very file "
        "that came; they were left out, since this server signs nothing; or the server signed anew, with the "
        "photo and its own manifest as what it was made from."
    )
    request_id: str
    notice: str

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "restored",
                "width": 640,
                "height": 480,
                "faces": [{**_FACE, "status": "restored"}],
                "timings_ms": {"decode": 4.1, "find": 7.2, "hole": 15.0, "restore": 27.9},
                "photo": {"media_type": "image/jpeg", "base64": "/9j/4AAQ..."},
                "hole": "iVBORw0KGgo...",
                "credentials": "none",
                "request_id": _ID,
                "notice": NOTICE,
            }
        }
    )


class Forgotten(BaseModel):
    """Answer of /v1/forget."""

    forgotten: bool = Field(description="Whether the photo was still kept.")


class Health(BaseModel):
    """Answer of /v1/health."""

    status: Literal["alive"]
    version: str


class Ready(BaseModel):
    """Answer of /v1/ready."""

    status: Literal["ready"]
    version: str
    restorer: str
    formats: list[str] = Field(description="Media types that `photo` may have.")
    max_samples: int
    max_body_bytes: int
    max_megapixels: float
    deadline_s: float
    key_required: bool


class ErrorModel(BaseModel):
    """What went wrong."""

    code: str = Field(description="What programs branch on.")
    message: str = Field(description="A sentence for people.")
    details: dict[str, Any]


class ErrorBody(BaseModel):
    """Every answer that is no success."""

    error: ErrorModel
    request_id: str

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "error": {
                    "code": "photo_unreadable",
                    "message": "photo: the picture is broken or cut short; get a whole copy",
                    "details": {},
                },
                "request_id": _ID,
            }
        }
    )


_PHOTO = {"type": "string", "format": "binary", "description": "The bytes of a JPEG, PNG or WebP."}
_KEPT = {"type": "string", "description": "The photo that /v1/find kept, by the token that it told."}
_FORM_OF_REMOVE = {
    "type": "object",
    "anyOf": [{"required": ["photo"]}, {"required": ["kept"]}],
    "properties": {
        "photo": _PHOTO,
        "kept": _KEPT,
        "found": {
            "type": "string",
            "description": "The JSON of /v1/find; together with hole: then nothing is looked for again.",
        },
        "hole": {
            "type": "string",
            "format": "binary",
            "description": "A PNG of the upright photo's size, white = fill; what lies apart marks a face.",
        },
        "faces": {
            "type": "string",
            "pattern": "^(all|largest|none|[0-9]{1,6}(,[0-9]{1,6})*)$",
            "default": "all",
            "description": "all, largest, none, or numbers as /v1/find lists them, such as 0,2.",
        },
        "samples": {"type": "integer", "minimum": 1, "maximum": 1, "default": 1},
    },
    "additionalProperties": False,
}


def form_body(field: Literal["photo", "kept"]) -> dict[str, Any]:
    """A form of one field, for FastAPI's `openapi_extra`: the handlers read forms on their own."""
    known = {"photo": _PHOTO, "kept": _KEPT}
    schema = {
        "type": "object",
        "required": [field],
        "properties": {field: known[field]},
        "additionalProperties": False,
    }
    return _body(schema)


def remove_form_body() -> dict[str, Any]:
    """The form of /v1/remove."""
    return _body(_FORM_OF_REMOVE)


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Documented refusals for FastAPI's `responses`."""
    return {status: {"model": ErrorBody} for status in statuses}
