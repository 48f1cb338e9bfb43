"""One face per track: what was drawn once is shown again, so that nobody changes between two frames.

The restorer draws a keyframe for each range of the head's turning, and only then; within the range it is bent
as the covering itself is seen to bend. What is shown is always made from keyframes, never from the last output,
which would blur more with every frame; going from one keyframe to another takes a moment. Tone and grain are
not remembered: they are matched to each frame when pasting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from demask.restorers.by_name import fill
from demask.types import AnyArray, Hole, ImageU8, Restorer
from demask.video.motion import bending_between


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
