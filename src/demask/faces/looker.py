"""Photo to `Looked`: which faces are in it, where each lies in the frame, and which of its pixels are covered.

Everything that restoring needs is found here, once, whatever is then done with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from demask.clock import Clock
from demask.errors import InputError, ShapeMismatch
from demask.faces.choice import Faces, choose
from demask.faces.finder import Finder
from demask.faces.hole import BATCH, HoleFinder
from demask.faces.judge import FoundHole, JudgeSettings, judge
from demask.faces.reach import coverage_from_photo, hole_in_photo, touches
from demask.geometry import Framed, to_frame
from demask.types import Alpha, Face, Hole, ImageU8
from demask.weights.sessions import Session, open_session

LookedStatus = Literal["covered", "no_covering", "no_face"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LookedFace:
    """What is known of one face.

    Attributes:
        face: Box, points and score.
        framed: Its crop; None for a face that was not asked for or cannot be aligned.
        found: Its hole; None where nobody looked for one, as there is no crop.
        own: Whether the hole is the user's own.
    """

    face: Face
    framed: Framed | None = None
    found: FoundHole | None = None
    own: bool = False

    @property
    def covered(self) -> bool | None:
        """Whether it wears a covering; None where nobody looked."""
        return None if self.found is None else self.found.covered


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Looked:
    """Everything that restoring a photo needs: found once, restored as often as one likes.

    Attributes:
        size: (H, W) of the photo.
        faces: All faces found, largest first.
        own_hole: The user's own hole, bool [H, W], where one was given.
        timings_ms: Milliseconds spent to find faces and holes.
    """

    size: tuple[int, int]
    faces: tuple[LookedFace, ...]
    own_hole: Hole | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)

    @property
    def status(self) -> LookedStatus:
        """Whether any face is covered, or is there at all."""
        if not self.faces:
            return "no_face"
        return "covered" if any(face.covered for face in self.faces) else "no_covering"

    def hole(self) -> Hole | None:
        """The holes of all covered faces together, bool [H, W] of the photo; None where no face is covered."""
        together: Hole | None = None
        for face in self.faces:
            if face.framed is not None and face.found is not None and face.found.covered:
                together = np.zeros(self.size, bool) if together is None else together
                together |= hole_in_photo(face.found.hole, face.framed.matrix, self.size)
        return together

    def only(self, faces: Faces) -> Looked:
        """The same as if no more than these faces had been asked for.

        Args:
            faces: `all`, `largest`, or indices into `faces`.

        Raises:
            UsageError: `faces` names a face that is not there.
        """
        chosen = frozenset(choose([looked.face for looked in self.faces], faces))
        kept = (
            looked if index in chosen else LookedFace(face=looked.face)
            for index, looked in enumerate(self.faces)
        )
        return replace(self, faces=tuple(kept))

    def with_hole(self, hole: Hole) -> Looked:
        """The same with the user's own hole, instead of the found one, for every face whose box it touches.

        Args:
            hole: bool [H, W] at the photo's resolution, upright, True = fill; used as it is.

        Raises:
            ShapeMismatch: It is not of the photo's size.
            InputError: There are faces, and it touches none of them.
        """
        require_own_hole(hole, [looked.face for looked in self.faces], self.size)
        faces = tuple(
            replace(looked, found=_drawn(hole, looked.framed), own=True)
            if looked.framed is not None and touches(hole, looked.face.box)
            else looked
            for looked in self.faces
        )
        return replace(self, faces=faces, own_hole=hole)


class Looker:
    """Look at photos. Holds the sessions; safe to call from many threads.

    Args:
        finder: Finds the faces of a photo.
        hole_finder: Maps crops, uint8 [N, 256, 256, 3], to coverage, float32 [N, 256, 256].
        settings: From coverage to covered or bare, and how far the hole is widened.
    """

    def __init__(
        self,
        finder: Callable[[ImageU8], list[Face]],
        hole_finder: Callable[[ImageU8], Alpha],
        settings: JudgeSettings | None = None,
    ) -> None:
        self._finder, self._hole_finder = finder, hole_finder
        self._settings = settings or JudgeSettings()

    @classmethod
    def shipped(
        cls,
        *,
        device: str = "auto",
        threads: int | None = None,
        finder: Callable[[ImageU8], list[Face]] | None = None,
        hole_finder: Callable[[ImageU8], Alpha] | None = None,
        settings: JudgeSettings | None = None,
    ) -> Looker:
        """A looker with the networks that come with demask, but for those that are given.

        Raises:
            WeightsError: A network is missing or damaged.
            DeviceUnavailable: The named device is not there.
            UsageError: `device` or `threads` makes no sense.
        """

        def load(name: str) -> Session:
            return open_session(name, device=device, threads=threads)

        return cls(finder or Finder(load("finder")), hole_finder or HoleFinder(load("hole")), settings)

    def __call__(
        self, photo: ImageU8, *, faces: Faces = "all", hole: Hole | None = None, clock: Clock | None = None
    ) -> Looked:
        """Find the faces of a photo, and what each chosen one wears.

        Args:
            photo: uint8 RGB [H, W, 3].
            faces: `all`, `largest`, or indices into the faces as found, largest first.
            hole: The user's own hole, as for `Looked.with_hole`; on the faces it touches no network looks.
            clock: Takes the times of the stages `find` and `hole`.

        Raises:
            InputError: The photo is no RGB array, or `hole` touches no face.
            ShapeMismatch: `hole` is not of the photo's size.
            UsageError: `faces` names a face that is not there.
        """
        if hole is not None and hole.shape != photo.shape[:2]:
            raise ShapeMismatch(image=photo.shape, hole=hole.shape)
        clock = clock or Clock()
        with clock("find"):
            found = self._finder(photo)
        if hole is not None:
            require_own_hole(hole, found, photo.shape)
        with clock("hole"):
            looked = _framed(photo, found, choose(found, faces))
            if hole is not None:
                looked = looked.with_hole(hole)
            looked = self._judged(looked)
        return replace(looked, timings_ms=clock.timings_ms)

    def again(self, photo: ImageU8, found: Sequence[Face], *, faces: Faces = "all", hole: Hole) -> Looked:
        """Take up faces and a hole that were found before; no network runs.

        Args:
            photo: uint8 RGB [H, W, 3], the one they were found in.
            found: All its faces.
            faces: Which of them, as when looking.
            hole: What to fill, as for `Looked.with_hole`; faces that it does not touch are taken for bare.

        Raises:
            InputError: `hole` touches no face.
            ShapeMismatch: `hole` is not of the photo's size.
            UsageError: `faces` names a face that is not there.
        """
        looked = _framed(photo, found, choose(found, faces)).with_hole(hole)
        bare = tuple(
            replace(face, found=FoundHole.none(confidence=0.0))
            if face.framed is not None and face.found is None
            else face
            for face in looked.faces
        )
        return replace(looked, faces=bare)

    def _judged(self, looked: Looked) -> Looked:
        """Look for the holes of all faces that have a crop and no hole yet."""
        faces = list(looked.faces)
        todo = [
            (index, face.framed)
            for index, face in enumerate(faces)
            if face.framed is not None and face.found is None
        ]
        for start in range(0, len(todo), BATCH):
            part = todo[start : start + BATCH]
            coverage = self._hole_finder(np.stack([framed.crop for _, framed in part]))
            for (index, framed), soft in zip(part, coverage, strict=True):
                found = judge(soft, framed.crop, framed.valid, self._settings)
                faces[index] = replace(faces[index], found=found)
        return replace(looked, faces=tuple(faces))


def require_own_hole(hole: Hole, faces: Sequence[Face], shape: tuple[int, ...]) -> None:
    """Refuse a user's hole that fits neither the photo nor any of its faces.

    Raises:
        ShapeMismatch: It is not of the photo's size.
        InputError: There are faces, and it touches none of them.
    """
    if hole.shape != tuple(shape[:2]):
        raise ShapeMismatch(image=shape, hole=hole.shape)
    if faces and not any(touches(hole, face.box) for face in faces):
        raise InputError(
            f"the hole ({int(hole.sum())} px) touches none of the {len(faces)} faces found; draw it over "
            "a face, in the photo's own resolution and upright"
        )


def _framed(photo: ImageU8, found: Sequence[Face], chosen: Iterable[int]) -> Looked:
    """All faces, the chosen ones with their crops."""
    wanted = frozenset(chosen)
    faces = []
    for index, face in enumerate(found):
        framed = None
        if index in wanted:
            with contextlib.suppress(InputError):  # Points that coincide: nothing can be aligned by them.
                framed = Framed.cut(photo, to_frame(face.points))
        faces.append(LookedFace(face=face, framed=framed))
    return Looked(size=(photo.shape[0], photo.shape[1]), faces=tuple(faces))


def _drawn(hole: Hole, framed: Framed) -> FoundHole:
    """The part of a user's hole that lies in a crop."""
    coverage = coverage_from_photo(hole, framed.matrix)
    there = coverage > 0
    return FoundHole(hole=there, coverage=coverage, covered=bool(there.any()), confidence=1.0)
