"""What the remover gives back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from demask.faces.doubt import Doubt, doubts_about
from demask.faces.looker import Looked, LookedFace
from demask.photo.handed_in import Credentials
from demask.types import Face, Hole

P = TypeVar("P")
Status = Literal["restored", "covered", "no_face", "no_covering"]
FaceStatus = Literal["restored", "bare", "skipped"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FaceResult:
    """What became of one face.

    Attributes:
        face: Box, points and score.
        covered: Whether it wears a covering; None where nobody looked (a face that was not asked for).
        status: `restored`; `bare` (left exactly as it was); or `skipped` (not asked for, not usable, or
            covered where nothing was to be restored).
        confidence: How sure `covered` is, in [0, 1].
        doubts: Why a person should look at it; see `demask.faces.doubt`.
    """

    face: Face
    covered: bool | None
    status: FaceStatus
    confidence: float
    doubts: tuple[Doubt, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The face as the command line and the server print it."""
        return {
            "box": [round(value, 1) for value in self.face.box],
            "points": [[round(float(x), 1), round(float(y), 1)] for x, y in self.face.points],
            "score": round(self.face.score, 4),
            "covered": self.covered,
            "status": self.status,
            "confidence": round(self.confidence, 4),
            "doubts": list(self.doubts),
        }


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Result(Generic[P]):
    """A photo without its coverings.

    Attributes:
        photo: Of the kind that was given: an array for an array, a PIL image for a PIL image, the bytes
            of a file for bytes or a path. Where nothing was restored it is what was given, unchanged.
        size: (H, W) of the photo, upright.
        format: Pillow's name of the format of `photo` where that is a file's bytes, else None.
        faces: All faces found, largest first.
        status: `restored`, `no_face`, `no_covering`; `covered` where only looking was asked and a face
            wears a covering.
        hole: The pixels that changed, or would change where only looking was asked, bool [H, W] at the
            photo's resolution; None where there are none.
        timings_ms: Milliseconds spent to decode, find, hole, restore, paste, encode, as far as done.
        credentials: What became of the C2PA manifest of a file (see `demask.photo.handed_in.Credentials`).
        looked: What was found, where only looking was asked: to restore it without looking again.
    """

    photo: P
    size: tuple[int, int]
    format: str | None = None
    faces: tuple[FaceResult, ...]
    status: Status
    hole: Hole | None
    timings_ms: dict[str, float]
    credentials: Credentials = "none"
    looked: Looked | None = None

    @property
    def doubtful(self) -> bool:
        """Whether a person should look at any of the faces."""
        return any(face.doubts for face in self.faces)

    def __repr__(self) -> str:
        """Short: neither the file nor its pixels."""
        height, width = self.size
        of = (
            f"{len(self.photo):,} bytes of {self.format}"
            if isinstance(self.photo, bytes)
            else _kind(self.photo)
        )
        return f"<Result {self.status}: {len(self.faces)} faces in {width}x{height} px, photo {of}>"


def _kind(photo: object) -> str:
    return f"of type {type(photo).__name__}"


def face_results(faces: Iterable[LookedFace], *, restored: bool) -> tuple[FaceResult, ...]:
    """Say what became of each face.

    Args:
        faces: As they were found.
        restored: Whether the covered ones were restored, or only looked at.
    """
    of_covered: FaceStatus = "restored" if restored else "skipped"
    return tuple(
        FaceResult(
            face=looked.face,
            covered=looked.covered,
            status="skipped" if looked.found is None else of_covered if looked.found.covered else "bare",
            confidence=0.0 if looked.found is None else looked.found.confidence,
            doubts=doubts_about(looked.face, looked.found, own=looked.own),
        )
        for looked in faces
    )
