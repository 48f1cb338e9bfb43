"""The main job: look at a photo, restore the hole of each covered face, paste it back.

The lower face that comes out is invented. It is not the person's and must never be used to identify
anyone.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, overload

import numpy as np

from demask.clock import Clock
from demask.errors import ShapeMismatch
from demask.faces.choice import Faces
from demask.faces.hole import BATCH
from demask.faces.judge import FoundHole, JudgeSettings
from demask.faces.looker import Looked, Looker
from demask.faces.reach import rect_of
from demask.geometry import FRAME_PX, Framed, corners_under
from demask.photo.handed_in import AS_IT_CAME, Output, open_photo
from demask.photo.paste import PasteConfig, Pasted, paste_back
from demask.restorers.by_name import fill, get_restorer
from demask.results import Result, face_results
from demask.types import Alpha, Face, Hole, ImageU8, Restorer
from demask.weights.registry import fingerprint

if TYPE_CHECKING:
    from PIL import Image


OWN_HOLE_PASTE = PasteConfig(feather_px=0.5)
"""For holes drawn by hand. A found hole is wider than its covering, so a soft edge inside it blends skin with
skin; one drawn by hand may end where the covering does: a soft edge would bring the covering's rim back."""

_Covered = tuple[Framed, FoundHole, bool]
"""A covered face: its crop, its hole, and whether that is the user's own."""


class Remover:
    """Photo in, photo out. Holds the sessions; thread-safe; made once, used many times.

    Args:
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        restorer: A name (see `demask.restorers.by_name.get_restorer`) or any `Restorer`.
        threads: Threads of each network; None leaves it to the runtime.
        finder: What finds faces in a photo, instead of the shipped network.
        hole_finder: What maps crops [N, 256, 256, 3] to coverage [N, 256, 256], instead of the same.
        config: Thresholds from coverage to covered or bare, and how far the hole is widened.

    Attributes:
        looker: What finds faces and holes.
        restorer: What fills holes.
        networks: What finds faces, finds holes and fills them, by name and checksum, as labels tell it.

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
        finder: Callable[[ImageU8], list[Face]] | None = None,
        hole_finder: Callable[[ImageU8], Alpha] | None = None,
        config: JudgeSettings | None = None,
    ) -> None:
        self.networks = {
            "finder": fingerprint("finder" if finder is None else finder),
            "hole": fingerprint("hole" if hole_finder is None else hole_finder),
            "restorer": fingerprint("restorer" if restorer == "network" else restorer),
        }
        if isinstance(restorer, str):
            restorer = get_restorer(restorer, device=device, threads=threads)
        self.restorer: Restorer = restorer
        self.looker = Looker.shipped(
            device=device,
            threads=threads,
            finder=finder,
            hole_finder=hole_finder,
            settings=config,
        )

    @overload
    def __call__(
        self,
        photo: ImageU8,
        *,
        faces: Faces = "all",
        hole: Hole | None = None,
        looked: Looked | None = None,
        found: Sequence[Face] | None = None,
        output: Output = AS_IT_CAME,
        max_megapixels: float = 100,
        on_stage: Callable[[str], None] | None = None,
    ) -> Result[ImageU8]: ...
    @overload
    def __call__(
        self,
        photo: str | os.PathLike[str] | bytes | BinaryIO,
        *,
        faces: Faces = "all",
        hole: Hole | None = None,
        looked: Looked | None = None,
        found: Sequence[Face] | None = None,
        output: Output = AS_IT_CAME,
        max_megapixels: float = 100,
        on_stage: Callable[[str], None] | None = None,
    ) -> Result[bytes]: ...
    @overload
    def __call__(
        self,
        photo: Image.Image,
        *,
        faces: Faces = "all",
        hole: Hole | None = None,
        looked: Looked | None = None,
        found: Sequence[Face] | None = None,
        output: Output = AS_IT_CAME,
        max_megapixels: float = 100,
        on_stage: Callable[[str], None] | None = None,
    ) -> Result[Image.Image]: ...
    def __call__(
        self,
        photo: Any,
        *,
        faces: Faces = "all",
        hole: Hole | None = None,
        looked: Looked | None = None,
        found: Sequence[Face] | None = None,
        output: Output = AS_IT_CAME,
        max_megapixels: float = 100,
        on_stage: Callable[[str], None] | None = None,
    ) -> Result[Any]:
        """Remove the face masks of a photo.

        Args:
            photo: An array uint8 (RGB [H, W, 3], RGBA [H, W, 4], grey [H, W]), a PIL image, the bytes of a
                picture file, its path, an open binary file, or an address that fsspec reads.
            faces: `all`, `largest`, or indices into the faces in the order of `Result.faces`.
            hole: Your own hole, bool [H, W] at the photo's resolution (upright), True = fill. It is
                used as it is, instead of the found one, for every face whose box it touches; a part that
                lies apart from all faces found marks one more, see `Looker.with_hole`.
            looked: What `looker` said of this photo; nothing is looked for again.
            found: All faces of this photo, as found before; with `hole`, it is not searched again.
            output: How a file is given back: format, quality, signature.
            max_megapixels: Limit for files, checked before any pixel is decoded.
            on_stage: Called with the name of each stage before it begins; what it raises ends the job.

        Returns:
            The photo of the same kind; the bytes of a file for paths, addresses and open files. Pixels
            outside `Result.hole` are unchanged bit for bit.

        Raises:
            InputError: The photo cannot be used, or `hole` touches no face and marks none.
            ShapeMismatch: `hole` is not of the photo's size, or `looked` is of another photo.
            UsageError: `faces` names a face that is not there.
        """
        clock = Clock(on_stage=on_stage)
        with clock("decode"):
            opened = open_photo(photo, max_megapixels=max_megapixels)
        if found is not None and hole is not None:
            looked = self.looker.again(opened.pixels, found, faces=faces, hole=hole)
        elif looked is None:
            looked = self.looker(opened.pixels, faces=faces, hole=hole, clock=clock)
        elif hole is not None:
            looked = self.looker.with_hole(opened.pixels, looked, hole)
        result = self.restore(opened.pixels, looked, clock=clock)
        with clock("encode"):
            output = output if output.networks else replace(output, networks=self.networks)
            given = opened.give_back(result.photo, result.hole, output)
        return replace(
            result,
            photo=given.photo,
            format=given.format,
            credentials=given.credentials,
            timings_ms=clock.timings_ms,
        )

    def find(self, photo: Any, *, faces: Faces = "all", max_megapixels: float = 100) -> Result[Any]:
        """Find faces and holes, restore nothing.

        Args:
            photo: Of any kind, as when removing.
            faces: Whose holes to look for, as when removing.
            max_megapixels: Limit for files, checked before any pixel is decoded.

        Returns:
            The photo as given, `covered` where a face wears a covering. Covered faces have the status
            `skipped`, and `hole` holds their found holes together.

        Raises:
            InputError: The photo cannot be used.
            UsageError: `faces` names a face that is not there.
        """
        clock = Clock()
        with clock("decode"):
            opened = open_photo(photo, max_megapixels=max_megapixels)
        looked = self.looker(opened.pixels, faces=faces, clock=clock)
        given = opened.give_back(opened.pixels, None)
        return Result(
            photo=given.photo,
            size=looked.size,
            format=given.format,
            faces=face_results(looked.faces, restored=False),
            status=looked.status,
            hole=looked.hole(),
            timings_ms=clock.timings_ms,
            looked=looked,
        )

    def restore(
        self,
        photo: ImageU8,
        looked: Looked,
        *,
        restorer: Restorer | None = None,
        paste: PasteConfig | None = None,
        clock: Clock | None = None,
    ) -> Result[ImageU8]:
        """Restore the covered faces of a photo that was looked at; nothing is looked for again.

        Args:
            photo: uint8 RGB [H, W, 3]; not changed.
            looked: What the looker said of it.
            restorer: Another one than this remover's own.
            paste: How found holes are pasted; None = as shipped.
            clock: Takes the times of the stages `restore` and `paste`.

        Raises:
            ShapeMismatch: `looked` is of a photo of another size.
        """
        if photo.shape[:2] != looked.size:
            raise ShapeMismatch(image=photo.shape, hole=looked.size)
        clock = clock or Clock()
        covered = [
            (face.framed, face.found, face.own)
            for face in looked.faces
            if face.framed is not None and face.found is not None and face.found.covered
        ]
        done: Pasted | None = None
        earlier: list[_Covered] = []
        for group in _groups(covered):
            if done is not None:  # A neighbour that is restored by now may reach into a crop: cut that again.
                group = [
                    (Framed.cut(done.pixels, one[0].matrix), *one[1:])
                    if any(_reaches(other, one) for other in earlier)
                    else one
                    for one in group
                ]
            earlier += group
            with clock("restore"):
                crops = np.stack([framed.crop for framed, _, _ in group])
                holes = np.stack([found.hole for _, found, _ in group])
                restored = fill(restorer or self.restorer, crops, holes)
            with clock("paste"):
                for (framed, found, own), drawn in zip(group, restored, strict=True):
                    own_hole = looked.own_hole if own else None
                    done = _pasted(photo, done, framed, found, drawn, own_hole=own_hole, paste=paste)
        status = looked.status
        return Result(
            photo=photo if done is None else done.pixels,
            size=looked.size,
            faces=face_results(looked.faces, restored=True),
            status="restored" if status == "covered" else status,
            hole=None if done is None else done.hole,
            timings_ms=clock.timings_ms,
        )


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


def _pasted(
    photo: ImageU8,
    done: Pasted | None,
    framed: Framed,
    found: FoundHole,
    drawn: ImageU8,
    *,
    own_hole: Hole | None,
    paste: PasteConfig | None,
) -> Pasted:
    """Paste one face into what is done so far."""
    so_far = photo if done is None else done.pixels
    if own_hole is None:
        return paste_back(so_far, drawn, found.coverage, framed, config=paste, into=done)
    # Warping to the frame and back may spill a pixel over a hole drawn by hand: take only what lies in it.
    alone = paste_back(so_far, drawn, found.coverage, framed, config=OWN_HOLE_PASTE)
    spilt = alone.hole & ~own_hole
    alone.pixels[spilt] = so_far[spilt]
    changed = alone.hole & own_hole
    return Pasted(pixels=alone.pixels, hole=changed if done is None else changed | done.hole)


def _groups(covered: Sequence[_Covered]) -> Iterator[list[_Covered]]:
    """Faces that may be restored in one run: none has its crop where an earlier one is still to change."""
    group: list[_Covered] = []
    for one in covered:
        if len(group) == BATCH or any(_reaches(other, one) for other in group):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _reaches(hole_of: _Covered, crop_of: _Covered) -> bool:
    """Whether the hole of one face lies in the crop of another."""
    crop = corners_under(crop_of[0].matrix, 0, 0, FRAME_PX, FRAME_PX).astype(np.float32)
    hole = rect_of(hole_of[1].hole, hole_of[0].matrix)
    return bool((crop.min(0) < hole.max(0)).all() and (hole.min(0) < crop.max(0)).all())
