"""What the last looks at one face said of its covering: a hole that neither flickers nor lingers."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from demask.faces.judge import FoundHole
from demask.types import Alpha, AnyArray, Hole

_LOOKS = 3
_ENTER, _LEAVE = 0.5, 0.3
_SURELY_BARE = 0.9
_STEADY_OVERLAP = 0.93
_MAX_BARE_LOOKS = 2
_RIM_PX = 9
_RIM_CHANGE = 10.0
_NEAR = np.ones((_RIM_PX, _RIM_PX), np.uint8)


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
