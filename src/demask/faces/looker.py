"""Photo to `Looked`: which faces are in it, where each lies in the frame, and which of its pixels are covered.

Everything that restoring needs is found here, once, whatever is then done with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from demask.clock import Clock
from demask.errors import InputError, ShapeMismatch
from demask.faces.choice import Faces, choose
from demask.faces.crop_networks import HOLES_AT_ONCE, HoleFinder
from demask.faces.finder import Finder
from demask.faces.judge import FoundHole, JudgeSettings, judge, runs_on
from demask.faces.painted import CLOSE_LOOK, Part, face_marked_by, parts_apart
from demask.faces.reach import coverage_from_photo, hole_in_photo, touches
from demask.faces.turned import find_in_any_turn, quarter_turns
from demask.geometry import TIGHT, WIDE, Framed, box_around, to_frame
from demask.types import Alpha, Face, Hole, ImageU8
from demask.weights.sessions import Session, open_session

LookedStatus = Literal["covered", "no_covering", "no_face"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LookedFace:
    """What is known of one face.

    Attributes:
        face: Box, points and score.
        framed: Its crop, of the tight window, or of the wide one where the covering needs it; None for a face
            that was not asked for or cannot be aligned.
        found: Its hole in that crop; None where nobody looked for one, as there is no crop.
        wide: The wide window's crop, which `framed` is a part of.
        own: Whether the hole is the user's own.
    """

    face: Face
    framed: Framed | None = None
    found: FoundHole | None = None
    own: bool = False
    wide: Framed | None = None

    def in_tight(self) -> LookedFace:
        """The same as far as the tight window shows it, for restorers that know no other."""
        if self.framed is None or self.framed.window == TIGHT:
            return self
        found = None if self.found is None else self.found.part(TIGHT, self.framed.window)
        return replace(self, framed=self.framed.part(TIGHT), found=found)

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


class Looker:
    """Look at photos. Holds the sessions; safe to call from many threads.

    Args:
        finder: Finds the faces of a photo.
        hole_finder: Maps crops, uint8 [N, 256, 256, 3], to coverage, float32 [N, 256, 256]; where it has an
            attribute `windows` with the wide one, crops of 384 px as well.
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
        self._wide = WIDE in getattr(hole_finder, "windows", ())

    @classmethod
    def shipped(
        cls,
        *,
        device: str = "auto",
        threads: int | None = None,
        finder: Callable[[ImageU8], list[Face]] | Path | None = None,
        hole_finder: Callable[[ImageU8], Alpha] | Path | None = None,
        settings: JudgeSettings | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Looker:
        """A looker with the networks that come with demask, but for those that are given.

        Args:
            device: Where the networks run.
            threads: Threads of each.
            finder: Finds faces: anything that does, or the path of a network.
            hole_finder: Finds holes: the same.
            settings: From coverage to covered or bare.
            options: Of onnxruntime's sessions, see `open_session`.

        Raises:
            WeightsError: A network is missing or damaged.
            DeviceUnavailable: The named device is not there.
            UsageError: `device` or `threads` makes no sense.
        """

        def load(weights: str | Path) -> Session:
            return open_session(weights, device=device, threads=threads, options=options)

        if finder is None or isinstance(finder, Path):
            finder = Finder(load(finder or "finder"))
        if hole_finder is None or isinstance(hole_finder, Path):
            hole_finder = HoleFinder(load(hole_finder or "hole"))
        return cls(finder, hole_finder, settings)

    def __call__(
        self, photo: ImageU8, *, faces: Faces = "all", hole: Hole | None = None, clock: Clock | None = None
    ) -> Looked:
        """Find the faces of a photo, and what each chosen one wears.

        Args:
            photo: uint8 RGB [H, W, 3].
            faces: `all`, `largest`, or indices into the faces as found, largest first.
            hole: The user's own hole, as for `with_hole`; on the faces it touches no network looks.
            clock: Takes the times of the stages `find` and `hole`.

        Raises:
            InputError: The photo is no RGB array, or `hole` marks no face.
            ShapeMismatch: `hole` is not of the photo's size.
            UsageError: `faces` names a face that is not there.
        """
        if hole is not None and hole.shape != photo.shape[:2]:
            raise ShapeMismatch(image=photo.shape, hole=hole.shape)
        clock = clock or Clock()
        with clock("find"):
            found = find_in_any_turn(self._finder, photo)
        with clock("hole"):
            looked = _framed(photo, found, choose(found, faces))
            if hole is not None:
                looked = self.with_hole(photo, looked, hole)
            looked = self._judged(looked)
        return replace(looked, timings_ms=clock.timings_ms)

    def find(self, photo: ImageU8) -> list[Face]:
        """Find the faces of a photo, uint8 RGB [H, W, 3], largest first; nothing is looked for on them.

        Raises:
            InputError: The photo is no RGB array.
        """
        return self._finder(photo)

    def at(self, photo: ImageU8, faces: Sequence[Face]) -> Looked:
        """Look at faces that are known, where they are known to be.

        Args:
            photo: uint8 RGB [H, W, 3].
            faces: Their places; the crop of each is cut by its points.
        """
        return self._judged(_framed(photo, faces, range(len(faces))))

    def again(self, photo: ImageU8, found: Sequence[Face], *, faces: Faces = "all", hole: Hole) -> Looked:
        """Take up faces and a hole that were found before; the photo is not searched again.

        Args:
            photo: uint8 RGB [H, W, 3], the one they were found in.
            found: All its faces.
            faces: Which of them, as when looking.
            hole: What to fill, as for `with_hole`; faces that it does not touch are taken for bare.

        Raises:
            InputError: `hole` marks no face.
            ShapeMismatch: `hole` is not of the photo's size.
            UsageError: `faces` names a face that is not there.
        """
        looked = self.with_hole(photo, _framed(photo, found, choose(found, faces)), hole)
        bare = tuple(
            replace(face, found=FoundHole.none(confidence=0.0))
            if face.framed is not None and face.found is None
            else face
            for face in looked.faces
        )
        return replace(looked, faces=bare)

    def with_hole(self, photo: ImageU8, looked: Looked, hole: Hole) -> Looked:
        """The same with the user's own hole.

        It is used as it is, instead of the found one, on every face whose box it touches. A part that lies
        apart from all faces marks one that was missed: that is looked for once more, close to the part, and
        where it is missed again the hole says where its frame lies (`demask.faces.painted`). Such faces come
        last.

        Args:
            photo: uint8 RGB [H, W, 3], the one that was looked at.
            looked: What is known of it.
            hole: bool [H, W] at the photo's resolution, upright, True = fill.

        Raises:
            ShapeMismatch: It is not of the photo's size.
            InputError: It is empty or tiny: it touches no face and marks none.
        """
        if hole.shape != looked.size:
            raise ShapeMismatch(image=looked.size, hole=hole.shape)
        known = [face.face for face in looked.faces]
        touched = [touches(hole, face.box) for face in known]
        faces = [
            _with_own(face, hole) if mine and face.framed is not None else face
            for face, mine in zip(looked.faces, touched, strict=True)
        ]
        parts = parts_apart(hole, known)
        if not parts and not any(touched):
            raise InputError(
                f"the hole has {int(hole.sum())} px that touch none of the {len(known)} faces found, too few "
                "to mark one; paint the whole face mask white, in the photo's own resolution and upright"
            )
        turns = quarter_turns(known[0].points) if known else 0
        for part in parts:
            marked = self._face_near(photo, part, turns)
            wide = Framed.cut(photo, to_frame(marked.points), WIDE)
            faces.append(_with_own(LookedFace(face=marked, wide=wide), hole))
        return replace(looked, faces=tuple(faces), own_hole=hole)

    def _face_near(self, photo: ImageU8, part: Part, turns: int) -> Face:
        """The face that a part of a hole marks: found in a close look, else as covered faces usually lie."""
        usual = face_marked_by(part, turns=turns)
        box = box_around(np.array([part.centre]), photo.shape, margin_px=round(CLOSE_LOOK * usual.size_px))
        if box is None or turns:
            return usual
        x0, y0, x1, y1 = box
        x, y = part.centre[0] - x0, part.centre[1] - y0
        near = [
            face
            for face in self._finder(np.ascontiguousarray(photo[y0:y1, x0:x1]))
            if face.box[0] < x < face.box[2]
            and face.box[1] < y < face.box[3]
            and 0.5 < face.size_px / usual.size_px < 2
        ]
        if not near:
            return usual
        best = max(near, key=lambda face: face.score)
        left, top, right, bottom = best.box
        moved = (best.points + np.array([x0, y0], np.float32)).astype(np.float32)
        return Face(box=(left + x0, top + y0, right + x0, bottom + y0), points=moved, score=best.score)

    def _judged(self, looked: Looked) -> Looked:
        """Look for the holes of all faces that have a crop and no hole yet.

        First in the tight window; where the hole reaches its edge, again in the wide one.
        """
        faces = list(looked.faces)
        todo = [i for i, face in enumerate(faces) if face.framed is not None and face.found is None]
        for i, found in self._found([(i, faces[i].framed) for i in todo]):
            faces[i] = replace(faces[i], found=found)
        if self._wide:
            on = [(i, faces[i].wide) for i in todo if _runs_on(faces[i])]
            for i, found in self._found(on):
                if found.covered:  # Else what the wide window adds misleads.
                    faces[i] = replace(faces[i], framed=faces[i].wide, found=found)
        return replace(looked, faces=tuple(faces))

    def _found(self, crops: Sequence[tuple[int, Framed | None]]) -> Iterator[tuple[int, FoundHole]]:
        """The holes of crops of one window, with the numbers that came with them."""
        there = [(number, framed) for number, framed in crops if framed is not None]
        for start in range(0, len(there), HOLES_AT_ONCE):
            part = there[start : start + HOLES_AT_ONCE]
            coverage = self._hole_finder(np.stack([framed.crop for _, framed in part]))
            for (number, framed), soft in zip(part, coverage, strict=True):
                yield number, judge(soft, framed.crop, framed.valid, self._settings)


def _framed(photo: ImageU8, found: Sequence[Face], chosen: Iterable[int]) -> Looked:
    """All faces, the chosen ones with their crops."""
    wanted = frozenset(chosen)
    faces = []
    for index, face in enumerate(found):
        wide = None
        if index in wanted:
            with contextlib.suppress(InputError):  # Points that coincide: nothing can be aligned by them.
                wide = Framed.cut(photo, to_frame(face.points), WIDE)
        faces.append(LookedFace(face=face, framed=wide and wide.part(TIGHT), wide=wide))
    return Looked(size=(photo.shape[0], photo.shape[1]), faces=tuple(faces))


def _runs_on(looked: LookedFace) -> bool:
    """Whether a covering goes on beyond the tight window."""
    if looked.found is None or looked.wide is None or not looked.found.covered:
        return False
    return runs_on(looked.found, looked.wide.valid)


def _with_own(looked: LookedFace, hole: Hole) -> LookedFace:
    """A face with the part of a user's hole that lies in its crop: the tight one, or else the wide one."""
    assert looked.wide is not None
    coverage = coverage_from_photo(hole, looked.wide.matrix, side_px=WIDE.side_px)
    there = coverage > 0
    found = FoundHole(hole=there, coverage=coverage, covered=bool(there.any()), confidence=1.0)
    own = replace(looked, framed=looked.wide, found=found, own=True)
    tight = own.in_tight()
    assert tight.found is not None
    return tight if tight.found.hole.sum() == there.sum() else own
