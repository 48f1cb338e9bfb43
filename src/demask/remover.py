"""The main job: find the faces, align each, find its hole, restore it, paste it back.

The lower face that comes out is invented. It is not the person's and must never be used to identify
anyone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from demask.errors import InputError, ShapeMismatch
from demask.faces.finder import Finder
from demask.faces.hole import BATCH, FoundHole, HoleConfig, HoleFinder, judge
from demask.faces.reach import coverage_from_photo, hole_in_photo, rect_of, touches
from demask.geometry import FRAME_PX, apply, crop_to_frame, invert, to_frame
from demask.photo.kinds import open_kind
from demask.photo.paste import PasteConfig, Pasted, paste_back
from demask.restorers.registry import fill, get_restorer
from demask.results import Clock, FaceResult, Faces, FaceStatus, Result, Status, choose
from demask.types import Alpha, Face, Hole, ImageU8, Matrix, Restorer
from demask.weights.sessions import open_session

if TYPE_CHECKING:
    from PIL import Image


# A found hole is wider than its covering, so a soft edge inside it blends skin with skin. One drawn by hand may
# end where the covering does: a soft edge would bring the covering's rim back.
_OWN_HOLE = PasteConfig(feather_px=0.5)


@dataclass(kw_only=True, slots=True, eq=False)
class _Look:
    """One chosen face on its way through the job."""

    index: int
    matrix: Matrix
    found: FoundHole
    own_hole: Hole | None


class Remover:
    """Photo in, photo out. Holds the sessions; thread-safe; made once, used many times.

    Args:
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        restorer: A name (see `demask.restorers.registry.get_restorer`) or any `Restorer`.
        threads: Threads of each network; None leaves it to the runtime.
        quick: Be ready sooner and a little slower per photo; for a process that handles one photo.
        finder: What finds faces in a photo, instead of the shipped network.
        hole_finder: What maps crops [N, 256, 256, 3] to coverage [N, 256, 256], instead of the same.
        config: Thresholds from coverage to covered or bare, and how far the hole is widened.

    Raises:
        WeightsError: A network is missing or damaged.
        DeviceUnavailable: The named device is not there.
        UsageError: `restorer`, `device` or `threads` makes no sense.
    """

    def __init__(
        self,
        *,
        device: str = "auto",
        restorer: str | Restorer = "network",
        threads: int | None = None,
        quick: bool = False,
        finder: Callable[[ImageU8], list[Face]] | None = None,
        hole_finder: Callable[[ImageU8], Alpha] | None = None,
        config: HoleConfig | None = None,
    ) -> None:
        self._config = config or HoleConfig()
        if isinstance(restorer, str):
            restorer = get_restorer(restorer, device=device, threads=threads, quick=quick)
        self._restorer = restorer
        load = functools.partial(open_session, device=device, threads=threads, quick=quick)
        self._finder = finder or Finder(load("finder"))
        self._hole_finder = hole_finder or HoleFinder(load("hole"))

    @overload
    def __call__(
        self, photo: ImageU8, *, faces: Faces = "all", hole: Hole | None = None
    ) -> Result[ImageU8]: ...
    @overload
    def __call__(
        self, photo: str | Path | bytes, *, faces: Faces = "all", hole: Hole | None = None
    ) -> Result[bytes]: ...
    @overload
    def __call__(
        self, photo: Image.Image, *, faces: Faces = "all", hole: Hole | None = None
    ) -> Result[Image.Image]: ...
    def __call__(self, photo: Any, *, faces: Faces = "all", hole: Hole | None = None) -> Result[Any]:
        """Remove the face masks of a photo.

        Args:
            photo: An array uint8 RGB [H, W, 3], a PIL image, the bytes of a picture file, or its path.
            faces: `all`, `largest`, or indices into the faces in the order of `Result.faces`.
            hole: Your own hole, bool [H, W] at the photo's resolution (upright), True = fill. It is
                used as it is, instead of the found one, for every face whose box it touches.

        Returns:
            The photo of the same kind. Pixels outside `Result.hole` are unchanged bit for bit.

        Raises:
            InputError: The photo cannot be used, or `hole` touches no face.
            ShapeMismatch: `hole` is not of the photo's size.
            UsageError: `faces` names a face that is not there.
        """
        clock = Clock()
        with clock("decode"):
            source = open_kind(photo)
        result = self._remove(source.pixels, faces, hole, clock)
        with clock("encode"):
            given_back = source.unchanged if result.hole is None else source.close(result.photo, result.hole)
        return replace(result, photo=given_back)

    def find(self, photo: ImageU8, *, faces: Faces = "all") -> Result[ImageU8]:
        """Find faces and holes, restore nothing.

        Args:
            photo: uint8 RGB [H, W, 3].
            faces: Whose holes to look for, as when removing.

        Returns:
            The photo as given; covered faces have the status `skipped`, and `hole` holds their found
            holes together.
        """
        clock = Clock()
        found, looks = self._look(photo, faces, None, clock)
        hole = None
        for look in looks:
            if look.found.covered:
                hole = np.zeros(photo.shape[:2], bool) if hole is None else hole
                hole |= hole_in_photo(look.found.hole, look.matrix, photo.shape[:2])
        results = _face_results(found, looks, covered_status="skipped")
        status: Status = "no_face" if not found else "no_covering"
        return Result(photo=photo, faces=results, status=status, hole=hole, timings_ms=clock.timings_ms)

    def _remove(self, photo: ImageU8, faces: Faces, hole: Hole | None, clock: Clock) -> Result[ImageU8]:
        found, looks = self._look(photo, faces, hole, clock)
        covered = [look for look in looks if look.found.covered]
        done: Pasted | None = None
        for group in _groups(covered):
            # Cut again, from the photo as restored so far: a neighbour may reach into the crop.
            crops, valid = _cut(photo if done is None else done.pixels, group)
            with clock("restore"):
                restored = fill(self._restorer, crops, np.stack([look.found.hole for look in group]))
            with clock("paste"):
                for look, drawn, inside in zip(group, restored, valid, strict=True):
                    done = _paste(photo, done, look, drawn, inside)
        status: Status = "restored" if covered else "no_covering" if found else "no_face"
        return Result(
            photo=photo if done is None else done.pixels,
            faces=_face_results(found, looks, covered_status="restored"),
            status=status,
            hole=None if done is None else done.hole,
            timings_ms=clock.timings_ms,
        )

    def _look(
        self, photo: ImageU8, faces: Faces, hole: Hole | None, clock: Clock
    ) -> tuple[list[Face], list[_Look]]:
        """All faces, and what each chosen one wears."""
        if hole is not None and hole.shape != photo.shape[:2]:
            raise ShapeMismatch(image=photo.shape, hole=hole.shape)
        with clock("find"):
            found = self._finder(photo)
        own = [index for index, face in enumerate(found) if hole is not None and touches(hole, face.box)]
        if hole is not None and found and not own:
            raise InputError(
                f"the hole ({int(hole.sum())} px) touches none of the {len(found)} faces found; draw it over "
                "a face, in the photo's own resolution and upright"
            )
        with clock("hole"):
            looks = []
            for index in choose(found, faces):
                try:
                    matrix = to_frame(found[index].points)
                except InputError:  # Points that coincide: nothing can be aligned by them.
                    continue
                nothing = np.zeros((FRAME_PX, FRAME_PX), np.float32)
                bare = FoundHole(hole=nothing > 0, coverage=nothing, covered=False, confidence=0.0)
                own_hole = hole if index in own else None
                looks.append(_Look(index=index, matrix=matrix, found=bare, own_hole=own_hole))
            for start in range(0, len(looks), BATCH):
                part = looks[start : start + BATCH]
                crops, valid = _cut(photo, part)
                coverage = self._hole_finder(crops)
                for look, soft, crop, inside in zip(part, coverage, crops, valid, strict=True):
                    if look.own_hole is None:
                        look.found = judge(soft, crop, inside, self._config)
                        continue
                    drawn = coverage_from_photo(look.own_hole, look.matrix)
                    hole_of_face = drawn > 0
                    look.found = FoundHole(
                        hole=hole_of_face, coverage=drawn, covered=bool(hole_of_face.any()), confidence=1.0
                    )
        return found, looks


def remove(
    photo: Any,
    *,
    faces: Faces = "all",
    hole: Hole | None = None,
    device: str = "auto",
    restorer: str = "network",
) -> Result[Any]:
    """Remove the face masks of a photo with a remover that is kept for the next call.

    The lower face that comes out is invented; it is not the person's. Arguments, result and errors
    are those of `Remover` and of calling it.
    """
    return _kept(device, restorer)(photo, faces=faces, hole=hole)


@functools.lru_cache(maxsize=4)
def _kept(device: str, restorer: str) -> Remover:
    return Remover(device=device, restorer=restorer)


def _cut(photo: ImageU8, looks: Sequence[_Look]) -> tuple[ImageU8, list[Hole]]:
    pairs = [crop_to_frame(photo, look.matrix) for look in looks]
    return np.stack([crop for crop, _ in pairs]), [valid for _, valid in pairs]


def _paste(photo: ImageU8, done: Pasted | None, look: _Look, drawn: ImageU8, valid: Hole) -> Pasted:
    """Paste one face into what is done so far."""
    so_far = photo if done is None else done.pixels
    if look.own_hole is None:
        return paste_back(so_far, drawn, look.found.coverage, look.matrix, valid=valid, into=done)
    # Warping to the frame and back may spill a pixel over a hole drawn by hand: take only what lies in it.
    alone = paste_back(so_far, drawn, look.found.coverage, look.matrix, valid=valid, config=_OWN_HOLE)
    spilt = alone.hole & ~look.own_hole
    alone.pixels[spilt] = so_far[spilt]
    changed = alone.hole & look.own_hole
    return Pasted(pixels=alone.pixels, hole=changed if done is None else changed | done.hole)


def _groups(looks: Sequence[_Look]) -> Iterator[list[_Look]]:
    """Faces that may be restored in one run: none has its crop where an earlier one is still to change."""
    group: list[_Look] = []
    for look in looks:
        if len(group) == BATCH or any(_meet(look, other) for other in group):
            yield group
            group = []
        group.append(look)
    if group:
        yield group


def _meet(one: _Look, other: _Look) -> bool:
    frame = np.array([(0, 0), (FRAME_PX, 0), (FRAME_PX, FRAME_PX), (0, FRAME_PX)], np.float32)
    a, b = apply(invert(one.matrix), frame), rect_of(other.found.hole, other.matrix)
    return bool((a.min(0) < b.max(0)).all() and (b.min(0) < a.max(0)).all())


def _face_results(
    found: Sequence[Face], looks: Sequence[_Look], *, covered_status: FaceStatus
) -> tuple[FaceResult, ...]:
    seen = {look.index: look.found for look in looks}
    results = []
    for index, face in enumerate(found):
        look = seen.get(index)
        status: FaceStatus = "skipped" if look is None else covered_status if look.covered else "bare"
        results.append(
            FaceResult(
                face=face,
                covered=None if look is None else look.covered,
                status=status,
                confidence=0.0 if look is None else look.confidence,
            )
        )
    return tuple(results)
