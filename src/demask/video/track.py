"""One face through a clip: where it is, what it wears, and what it was given."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from demask.faces.judge import FoundHole
from demask.faces.looker import LookedFace
from demask.geometry import EYE_DISTANCE_PX, FRAME_POINTS, Framed, apply, invert, scale_of, to_frame
from demask.types import AnyArray, Face, ImageU8, Matrix, Points
from demask.video.face_memory import FaceMemory, FaceMemorySettings, HoleMemory
from demask.video.motion import Motion, OneEuroSettings, SteadyPlace, grey_of, motion_between

_TURN_GAIN = 0.4


@dataclass(slots=True)
class TrackTotals:
    """What `--json` says of a face.

    Attributes:
        number: From 0, in the order of appearance.
        first_s: When it was seen first.
        last_s: When it was seen last.
        frames: In how many frames.
        restored: In how many of them it was restored.
        confidence: Sum over the restored frames.
        drawn: How often the restorer drew.
    """

    number: int
    first_s: float
    last_s: float
    frames: int = 0
    restored: int = 0
    confidence: float = 0.0
    drawn: int = 0

    def as_json(self) -> dict[str, Any]:
        """One entry of `tracks`."""
        return {
            "track": self.number,
            "first_s": round(self.first_s, 3),
            "last_s": round(self.last_s, 3),
            "frames": self.frames,
            "restored": self.restored,
            "confidence": round(self.confidence / max(self.restored, 1), 4),
            "faces_drawn": self.drawn,
        }


class Track:
    """One face, followed.

    Args:
        number: Its own.
        face: As it was found first.
        index: Number of that frame.
        time_s: When.
        smoothing: Of its place.
        memory: Of its face.

    Attributes:
        holes: What it wears.
        memory: What it was given.
        totals: For the report.
        found_at: Number of the frame in which it was found last.
        looked_at: Number of the frame in which it was looked at last.
        sure: Whether the last motion was measured.
    """

    def __init__(
        self,
        number: int,
        face: Face,
        index: int,
        time_s: float,
        *,
        smoothing: OneEuroSettings,
        memory: FaceMemorySettings,
    ) -> None:
        self._place = SteadyPlace(to_frame(face.points), time_s, smoothing)
        self._face = face
        self._grey: AnyArray | None = None
        self._turn = _turn_of(face.points)
        self.holes = HoleMemory()
        self.memory = FaceMemory(memory)
        self.totals = TrackTotals(number=number, first_s=time_s, last_s=time_s)
        self.found_at, self.looked_at = index, -1
        self.sure = True

    @property
    def matrix(self) -> Matrix:
        """From the photo to the frame, steady."""
        return self._place.matrix

    @property
    def turn(self) -> float:
        """How far the head is turned, smoothed: the nose's offset in eye distances."""
        return self._turn

    @property
    def grey(self) -> AnyArray:
        """Brightness of its last crop, uint8 [256, 256]."""
        assert self._grey is not None  # Cut before anyone asks.
        return self._grey

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Around the face, in pixels of the photo."""
        return self._face.box

    @property
    def face(self) -> Face:
        """As found last, moved since, with the points of the steady frame."""
        points = apply(invert(self.matrix), FRAME_POINTS)
        return Face(box=self._face.box, points=points, score=self._face.score)

    def follow(self, photo: ImageU8) -> Motion:
        """Move on with the picture."""
        if self._grey is None:
            return Motion(matrix=np.eye(2, 3), sure=False)
        before = self.matrix
        motion = motion_between(self._grey, grey_of(Framed.cut(photo, before).crop))
        self.sure = motion.sure
        if motion.sure:
            self._place.follow(motion.matrix)
            self._carry(before)
        return motion

    def correct(self, face: Face, index: int, time_s: float) -> None:
        """Take in where the finder sees the face now."""
        self._place.correct(to_frame(face.points), time_s)
        self._turn += _TURN_GAIN * (_turn_of(face.points) - self._turn)
        self._face, self.found_at, self.sure = face, index, True

    def framed(self, photo: ImageU8) -> Framed:
        """Cut the crop of this frame, and keep its brightness to follow it by."""
        framed = Framed.cut(photo, self.matrix)
        self._grey = grey_of(framed.crop)
        return framed

    def looked(self, framed: Framed) -> LookedFace:
        """What restoring needs."""
        found: FoundHole = self.holes.found()
        return LookedFace(face=self.face, framed=framed, found=found)

    def count(self, time_s: float) -> None:
        """Add a frame to the totals."""
        totals = self.totals
        totals.last_s = time_s
        totals.frames += 1
        totals.drawn = self.memory.num_drawn
        if self.holes.covered:
            totals.restored += 1
            totals.confidence += self.holes.confidence

    def _carry(self, before: Matrix) -> None:
        """Move box and points as the place moved."""
        now = invert(self.matrix)
        corners = np.array(self._face.box, np.float32).reshape(2, 2)
        centre = apply(now, apply(before, corners.mean(0, keepdims=True)))[0]
        half = (corners[1] - corners[0]) / 2 * scale_of(before) * scale_of(now)
        box = (*(centre - half), *(centre + half))
        points = apply(now, apply(before, self._face.points))
        self._face = Face(
            box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            points=points,
            score=self._face.score,
        )

    def as_tree(self) -> dict[str, Any]:
        """For `from_tree`."""
        face = self._face
        totals = self.totals
        return {
            "place": self._place.as_tree(),
            "face": [list(face.box), face.points, face.score],
            "grey": self._grey,
            "turn": self._turn,
            "holes": self.holes.as_tree(),
            "memory": self.memory.as_tree(),
            "totals": asdict(totals),
            "at": [self.found_at, self.looked_at, self.sure],
        }

    @classmethod
    def from_tree(
        cls, tree: dict[str, Any], *, smoothing: OneEuroSettings, memory: FaceMemorySettings
    ) -> Track:
        """The same again."""
        box, points, score = tree["face"]
        face = Face(box=(box[0], box[1], box[2], box[3]), points=points, score=score)
        track = cls(tree["totals"]["number"], face, 0, 0.0, smoothing=smoothing, memory=memory)
        track._place = SteadyPlace.from_tree(tree["place"], smoothing)
        track._grey, track._turn = tree["grey"], tree["turn"]
        track.holes = HoleMemory.from_tree(tree["holes"])
        track.memory = FaceMemory.from_tree(tree["memory"], memory)
        track.totals = TrackTotals(**tree["totals"])
        track.found_at, track.looked_at, track.sure = tree["at"]
        return track


def _turn_of(points: Points) -> float:
    inside = apply(to_frame(points), points)
    return float((inside[2, 0] - (inside[0, 0] + inside[1, 0]) / 2) / EYE_DISTANCE_PX)
