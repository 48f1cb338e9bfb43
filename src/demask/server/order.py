"""From the text of a form's fields to what was asked for."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from demask.faces.choice import Faces, faces_from_text
from demask.server.form import Form
from demask.types import Face
from demask.webkit.failures import Refusal

MAX_SAMPLES = 1
"""Faces per hole that the restorers can draw: each of them draws one."""

MAX_FOUND = 1000
_FAR = 1e6  # Pixels; no photo that is taken is as wide.


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


def _bad_found(what: str) -> Refusal:
    return Refusal(422, "bad_field", f"found: {what}", details={"field": "found"})
