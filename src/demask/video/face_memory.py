"""What a track remembers: the face that was drawn once, and a hole that neither flickers nor lingers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from demask.faces.judge import FoundHole
from demask.restorers.by_name import fill
from demask.types import Alpha, AnyArray, Hole, ImageU8, Restorer
from demask.video.motion import bending_between

_LOOKS = 3
_SURELY_BARE = 0.9
_STEADY_OVERLAP = 0.93
_MAX_BARE_LOOKS = 2
_RIM_PX = 9
_RIM_CHANGE = 10.0
_NEAR = np.ones((_RIM_PX, _RIM_PX), np.uint8)


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceMemorySettings:
    """When a new keyframe is drawn.

    Attributes:
        turn_step: Turning of the head that a keyframe serves on either side, as the nose's offset from the
        middle
            between the eyes, in eye distances.
        most_uncovered: Share of the hole that may lie beyond the keyframe's own.
        margin_px: A keyframe is drawn so much beyond its hole, in pixels of the frame, so that it serves
            when the hole moves a little.
        bends: Bend a keyframe as the covering bends.
        fade_s: Time in which one keyframe gives way to the next.
        most_keyframes: The one that serves least is forgotten first.
    """

    turn_step: float = 0.16
    most_uncovered: float = 0.02
    margin_px: int = 6
    bends: bool = True
    fade_s: float = 0.2
    most_keyframes: int = 9


@dataclass(slots=True)
class _Keyframe:
    turn: float
    face: ImageU8
    hole: Hole
    grey: AnyArray
    weight: float = 0.0
    last_used_s: float = 0.0


class FaceMemory:
    """The keyframes of one face."""

    def __init__(self, settings: FaceMemorySettings) -> None:
        self._settings = settings
        self._keyframes: list[_Keyframe] = []
        self._time_s: float | None = None
        self.num_drawn = 0

    def face(
        self, crop: ImageU8, hole: Hole, *, grey: AnyArray, turn: float, time_s: float, restorer: Restorer
    ) -> ImageU8:
        """The face to paste into this frame.

        Args:
            crop: The frame's crop, uint8 RGB [256, 256, 3].
            hole: What is to be filled, bool [256, 256].
            grey: Brightness of the crop, the covering on it, uint8 [256, 256].
            turn: How far the head is turned.
            time_s: When.
            restorer: Draws a keyframe where none serves.

        Returns:
            uint8 RGB [256, 256, 3]; only what lies in the hole matters.
        """
        chosen = self._serving(hole, turn)
        if chosen is None:
            chosen = self._drawn(crop, hole, restorer, grey, turn)
        chosen.last_used_s = time_s
        self._fade_to(chosen, time_s)
        self._forget()
        shown = [keyframe for keyframe in self._keyframes if keyframe.weight > 0]
        bent = [self._bent(keyframe, grey) for keyframe in shown]
        if len(shown) == 1:
            return bent[0]
        mixed = np.zeros(crop.shape, np.float32)
        for keyframe, face in zip(shown, bent, strict=True):
            mixed += np.float32(keyframe.weight) * face
        return np.rint(mixed).clip(0, 255).astype(np.uint8)

    def clear(self) -> None:
        """Forget all."""
        self._keyframes, self._time_s = [], None

    def _drawn(self, crop: ImageU8, hole: Hole, restorer: Restorer, grey: AnyArray, turn: float) -> _Keyframe:
        """Let the restorer draw a keyframe."""
        side = 2 * self._settings.margin_px + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        wide = cv2.dilate(hole.astype(np.uint8), disc) > 0
        drawn = fill(restorer, crop[None], wide[None])[0]
        self.num_drawn += 1
        keyframe = _Keyframe(turn=turn, face=np.where(wide[..., None], drawn, crop), hole=wide, grey=grey)
        self._keyframes.append(keyframe)
        return keyframe

    def _bent(self, keyframe: _Keyframe, grey: AnyArray) -> ImageU8:
        """A keyframe's face as it lies now."""
        if not self._settings.bends or keyframe.grey is grey:
            return keyframe.face
        motion = bending_between(keyframe.grey, grey, keyframe.hole)
        if not motion.sure:
            return keyframe.face
        size = keyframe.face.shape[1::-1]
        bent = cv2.warpAffine(
            keyframe.face, motion.matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(bent, np.uint8)

    def _serving(self, hole: Hole, turn: float) -> _Keyframe | None:
        """The keyframe nearest to this turning, if it reaches so far and covers the hole."""
        size = max(int(hole.sum()), 1)
        fitting = [
            keyframe
            for keyframe in self._keyframes
            if abs(keyframe.turn - turn) <= self._settings.turn_step
            and int((hole & ~keyframe.hole).sum()) <= self._settings.most_uncovered * size
        ]
        if not fitting:
            return None
        # Whoever is shown stays until another is clearly nearer.
        return min(
            fitting, key=lambda one: abs(one.turn - turn) - 0.5 * self._settings.turn_step * (one.weight > 0.5)
        )

    def _fade_to(self, chosen: _Keyframe, time_s: float) -> None:
        first = self._time_s is None or not any(one.weight > 0 for one in self._keyframes)
        spent_s = 0.0 if self._time_s is None else max(time_s - self._time_s, 0.0)
        self._time_s = time_s
        step = 1.0 if first else min(1.0, spent_s / self._settings.fade_s)
        for keyframe in self._keyframes:
            if keyframe is not chosen:
                keyframe.weight = max(0.0, keyframe.weight - step)
        chosen.weight = 1.0 - sum(one.weight for one in self._keyframes if one is not chosen)

    def _forget(self) -> None:
        while len(self._keyframes) > self._settings.most_keyframes:
            idle = [one for one in self._keyframes if one.weight == 0]
            if not idle:
                return
            self._keyframes.remove(min(idle, key=lambda one: one.last_used_s))

    def as_tree(self) -> dict[str, Any]:
        """For `from_tree`."""
        keyframes = [
            [one.turn, one.face, one.hole, one.grey, one.weight, one.last_used_s] for one in self._keyframes
        ]
        return {"keyframes": keyframes, "time_s": self._time_s, "num_drawn": self.num_drawn}

    @classmethod
    def from_tree(cls, tree: dict[str, Any], settings: FaceMemorySettings) -> FaceMemory:
        """The same again."""
        memory = cls(settings)
        memory._keyframes = [_Keyframe(*one) for one in tree["keyframes"]]
        memory._time_s, memory.num_drawn = tree["time_s"], tree["num_drawn"]
        return memory


_ENTER, _LEAVE = 0.5, 0.3


class HoleMemory:
    """The looks at one face.

    A pixel enters the hole where the last look or the median of the last three is above 0.5, and leaves it
    where both are below 0.3: a rim of covering that stays is worse than a strip of skin drawn anew. A face
    counts as covered from the first look that says so, and as bare from the first that says so surely, or the
    second in a row: a covering put on or taken off begins or ends the restoring at once.
    """

    def __init__(self) -> None:
        self._looks: list[Alpha] = []
        self._hole: Hole | None = None
        self._bare_looks = 0
        self._steady = False
        self._grey: AnyArray | None = None
        self.covered = False
        self.confidence = 0.0

    def may_wait(self, grey: AnyArray) -> bool:
        """Whether the next look can wait: the looks agree, and around the hole's edge nothing has moved.

        Args:
            grey: Brightness of the crop of now, uint8 [256, 256].
        """
        if not self._steady or self._bare_looks or self._grey is None:
            return False
        change = cv2.blur(cv2.absdiff(grey, self._grey), (5, 5))
        if self._hole is None:
            return float(change.mean()) < _RIM_CHANGE / 2
        hole = self._hole.astype(np.uint8)
        rim = cv2.dilate(hole, _NEAR) > cv2.erode(hole, _NEAR)
        return not rim.any() or float(np.quantile(change[rim], 0.98)) < _RIM_CHANGE

    def take(self, found: FoundHole, grey: AnyArray) -> None:
        """Take in a look, and the brightness of the crop that was looked at."""
        self.confidence, self._grey = found.confidence, grey
        if not found.covered:
            self._bare_looks += 1
            if found.confidence >= _SURELY_BARE or self._bare_looks >= _MAX_BARE_LOOKS or not self.covered:
                self._looks, self._hole, self.covered = [], None, False
                self._bare_looks, self._steady = 0, True
            return
        self._bare_looks, self.covered = 0, True
        before = self._looks[-1] if self._looks else None
        self._looks = [*self._looks[1 - _LOOKS :], found.coverage]
        self._steady = before is not None and _overlap(before, found.coverage) >= _STEADY_OVERLAP
        median = found.coverage  # What is new or moves is taken as it is.
        if len(self._looks) == _LOOKS and self._steady:
            median = np.maximum(median, np.median(np.stack(self._looks), axis=0)).astype(np.float32)
        hole = median > _ENTER
        if self._hole is not None and self._steady:
            hole |= self._hole & (median > _LEAVE)
        self._hole = hole
        self._coverage: Alpha = np.where(hole & (median <= _ENTER), np.float32(_ENTER + 0.02), median)

    def found(self) -> FoundHole:
        """The hole of now."""
        if not self.covered or self._hole is None:
            return FoundHole.none(confidence=self.confidence)
        return FoundHole(hole=self._hole, coverage=self._coverage, covered=True, confidence=self.confidence)

    def as_tree(self) -> dict[str, Any]:
        """For `from_tree`."""
        return {
            "looks": self._looks,
            "hole": self._hole,
            "coverage": self._coverage if self._hole is not None else None,
            "bare_looks": self._bare_looks,
            "steady": self._steady,
            "grey": self._grey,
            "covered": self.covered,
            "confidence": self.confidence,
        }

    @classmethod
    def from_tree(cls, tree: dict[str, Any]) -> HoleMemory:
        """The same again."""
        memory = cls()
        memory._looks, memory._hole = tree["looks"], tree["hole"]
        if tree["coverage"] is not None:
            memory._coverage = tree["coverage"]
        memory._bare_looks, memory._steady, memory._grey = tree["bare_looks"], tree["steady"], tree["grey"]
        memory.covered, memory.confidence = tree["covered"], tree["confidence"]
        return memory


def _overlap(one: Alpha, other: Alpha) -> float:
    """Intersection over union of two coverages, at a quarter of their size."""
    small = [
        cv2.resize(each, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA) > _ENTER for each in (one, other)
    ]
    union = int((small[0] | small[1]).sum())
    return 1.0 if union == 0 else int((small[0] & small[1]).sum()) / union
