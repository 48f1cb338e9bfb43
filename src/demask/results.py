"""What the remover gives back, and which of it a person should look at."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import numpy as np

from demask.faces.judge import FoundHole
from demask.faces.looker import Looked, LookedFace
from demask.geometry import FRAME_POINTS
from demask.photo.handed_in import Credentials
from demask.types import Face, Hole

if TYPE_CHECKING:
    from PIL import Image

P = TypeVar("P")
Status = Literal["restored", "covered", "no_face", "no_covering"]
FaceStatus = Literal["restored", "bare", "skipped"]
_SHOWN_PX = 480
"""Longest side of each picture in a notebook."""
Doubt = Literal["face_uncertain", "covering_uncertain", "turned", "runs_on", "eyes_covered"]
WORDS: dict[Doubt, str] = {
    "face_uncertain": "perhaps no face",
    "covering_uncertain": "not sure what is covered",
    "turned": "a head turned far",
    "runs_on": "the mask runs on beyond what is restored",
    "eyes_covered": "the eyes are covered too",
}
"""Each doubt as people read it."""
_MIN_SCORE = 0.88
_MAX_TURN = 0.2
_EYE_PX = 4


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FaceResult:
    """What became of one face.

    Attributes:
        face: Box, points and score.
        covered: Whether it wears a covering; None where nobody looked (a face that was not asked for).
        status: `restored`; `bare` (left exactly as it was); or `skipped` (not asked for, not usable, or
            covered where nothing was to be restored).
        confidence: How sure `covered` is, in [0, 1].
        doubts: Why a person should look at it; see `demask.results`.
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
        original: The photo as it came, of the same kind as `photo`.
        networks: What found faces, found holes and filled them, by name and checksum.
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
    original: P | None = None
    networks: dict[str, str] = field(default_factory=dict)
    looked: Looked | None = None

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the photo, with its label if it was restored.

        Args:
            path: Where to. The bytes of a file are written as they are; an array or a PIL image in the format
                that the name says.
            overwrite: Replace a file that is there.

        Returns:
            The path.

        Raises:
            UsageError: The name says another format than the photo has, or none.
            OutputExists: It is there, and may not be replaced.
            OutputError: It cannot be written.
        """
        from demask.photo.showing import save

        return save(
            self.photo,
            path,
            format=self.format,
            changed=self.hole if self.status == "restored" else None,
            networks=self.networks,
            overwrite=overwrite,
        )

    def compare(self, *, max_px: int | None = None) -> Image.Image:
        """Before and after side by side, a PIL image.

        Args:
            max_px: Longest side that each may have; larger ones are scaled down.
        """
        from demask.photo.showing import pixels_of, side_by_side

        return side_by_side(pixels_of(self._before), pixels_of(self.photo), max_px=max_px)

    def _repr_png_(self) -> bytes:
        from demask.photo.showing import as_png

        return as_png(self._before, self.photo, max_px=_SHOWN_PX)

    def _repr_html_(self) -> str:
        from demask.photo.showing import as_html

        says = f"{self.status}: {_num_faces(self.faces)}"
        restored = self.status == "restored"
        return as_html(self._before, self.photo, says, restored=restored, max_px=_SHOWN_PX)

    @property
    def _before(self) -> P:
        return self.photo if self.original is None else self.original

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
        return f"<Result {self.status}: {_num_faces(self.faces)} in {width}x{height} px, photo {of}>"


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


_MIN_COVERED, _MIN_BARE = 0.97, 0.85
_MAX_SIDE_PX, _MAX_BELOW_PX = 30, 100


def doubts_about(face: Face, found: FoundHole | None, *, own: bool = False) -> tuple[Doubt, ...]:
    """Say what is doubtful of one face.

    Args:
        face: As it was found.
        found: Its hole; None where nobody looked.
        own: The hole is the user's own: who drew it has looked.

    Returns:
        Nothing for a face that nobody looked at.
    """
    if found is None or own:
        return ()
    if not found.covered:
        return ("covering_uncertain",) if found.confidence < _MIN_BARE else ()
    doubts: list[Doubt] = []
    if face.score < _MIN_SCORE:
        doubts.append("face_uncertain")
    if _turn(face) > _MAX_TURN:
        doubts.append("turned")
    if found.confidence < _MIN_COVERED:
        doubts.append("covering_uncertain")
    hole = found.hole
    if max(hole[:, 0].sum(), hole[:, -1].sum()) > _MAX_SIDE_PX or hole[-1].sum() > _MAX_BELOW_PX:
        doubts.append("runs_on")
    eyes = [hole[y - _EYE_PX : y + _EYE_PX + 1, x - _EYE_PX : x + _EYE_PX + 1] for x, y in _EYES]
    if any(eye.mean() > 0.5 for eye in eyes):
        doubts.append("eyes_covered")
    return tuple(doubts)


_EYES = [(round(float(x)), round(float(y))) for x, y in FRAME_POINTS[:2]]


def _num_faces(faces: tuple[FaceResult, ...]) -> str:
    return f"{len(faces)} {'face' if len(faces) == 1 else 'faces'}"


def _kind(photo: object) -> str:
    return f"of type {type(photo).__name__}"


def _turn(face: Face) -> float:
    """How far the nose lies from the middle of the eyes, along their line, in distances of the eyes."""
    left, right, nose = face.points[:3]
    across = right - left
    length = float(np.dot(across, across))
    return abs(float(np.dot(nose - (left + right) / 2, across))) / length if length else 1.0
