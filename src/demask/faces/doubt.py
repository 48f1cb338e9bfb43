"""Which results a person should look at: what is known to go wrong, seen before anybody looks.

The limits were set on the 96 photographs that docs/measured/by_eye.md judges, so they flatter themselves there:
doubts were raised for 7 of the 9 broken ones, 16 of the 47 flawed and 5 of the 40 convincing.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from demask.faces.judge import FoundHole
from demask.geometry import FRAME_POINTS
from demask.types import Face

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
_MIN_COVERED, _MIN_BARE = 0.97, 0.85
_MAX_TURN = 0.2
_MAX_SIDE_PX, _MAX_BELOW_PX = 30, 100
_EYE_PX = 4


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


def _turn(face: Face) -> float:
    """How far the nose lies from the middle of the eyes, along their line, in distances of the eyes."""
    left, right, nose = face.points[:3]
    across = right - left
    length = float(np.dot(across, across))
    return abs(float(np.dot(nose - (left + right) / 2, across))) / length if length else 1.0
