"""The main job: look at a photo, restore the hole of each covered face, paste it back.

The lower face that comes out is invented. It is not the person's and must never be used to identify
anyone.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self, overload

import numpy as np

from demask.clock import Clock
from demask.covered_faces import CoveredFace, groups_apart, pasted, reaches
from demask.errors import DemaskError, ShapeMismatch, UsageError
from demask.faces.choice import Faces
from demask.faces.judge import JudgeSettings
from demask.faces.looker import Looked, Looker
from demask.geometry import WIDE
from demask.parallel import run_in_order, usable_cores
from demask.photo.handed_in import AS_IT_CAME, Output, open_photo
from demask.photo.paste import PasteConfig, Pasted
from demask.restorers.by_name import fill, get_restorer
from demask.results import Result, face_results
from demask.types import Alpha, Face, Hole, ImageU8, Restorer
from demask.weights.registry import fingerprint

if TYPE_CHECKING:
    from PIL import Image


class Remover:
    """Photo in, photo out. Holds the sessions; thread-safe; made once, used many times.

    >>> with Remover(threads=1) as remover:
    ...     remover(np.zeros((64, 64, 3), np.uint8))
    <Result no_face: 0 faces in 64x64 px, photo of type ndarray>

    Args:
        device: `auto`, `cpu`, `cuda` and others; see `demask.weights.devices`.
        restorer: A name (see `demask.restorers.by_name.get_restorer`) or any `Restorer`.
        threads: Threads of each network; None leaves it to the runtime.
        finder: What finds faces in a photo, instead of the shipped network: a callable, or the path of an
            .onnx file of the same contract (docs/python.md).
        hole_finder: What maps crops [N, 256, 256, 3] to coverage [N, 256, 256], instead of the same.
        config: Thresholds from coverage to covered or bare, and how far the hole is widened.
        session_options: For onnxruntime: attributes of its `SessionOptions` and, with a dot in their names,
            entries of its session configuration.

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
        finder: Callable[[ImageU8], list[Face]] | Path | None = None,
        hole_finder: Callable[[ImageU8], Alpha] | Path | None = None,
        config: JudgeSettings | None = None,
        session_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._made_with = {
            "device": device,
            "restorer": restorer,
            "threads": threads,
            "finder": finder,
            "hole_finder": hole_finder,
            "config": config,
            "session_options": session_options,
        }
        self.networks = {
            "finder": fingerprint("finder" if finder is None else finder),
            "hole": fingerprint("hole" if hole_finder is None else hole_finder),
            "restorer": fingerprint("restorer" if restorer == "network" else restorer),
        }
        if isinstance(restorer, str):
            restorer = get_restorer(restorer, device=device, threads=threads, options=session_options)
        self.restorer: Restorer = restorer
        self.looker = Looker.shipped(
            device=device,
            threads=threads,
            finder=finder,
            hole_finder=hole_finder,
            settings=config,
            options=session_options,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the networks go; the remover cannot be used any more."""
        self.__dict__.pop("looker", None)
        self.__dict__.pop("restorer", None)

    def __getattr__(self, name: str) -> Any:
        if name in ("looker", "restorer") and "networks" in self.__dict__:
            raise UsageError("this remover was closed; make another")
        raise AttributeError(f"a Remover has no {name!r}")

    def __reduce__(self) -> Any:
        """By its arguments: another process opens the networks anew."""
        return _remade, (self._made_with,)

    def map(
        self,
        photos: Iterable[Any],
        *,
        jobs: int | None = None,
        on_progress: Callable[[int], None] | None = None,
        on_error: Literal["raise", "yield"] = "raise",
        **options: Any,
    ) -> Iterator[Result[Any]]:
        """Remove the face masks of many photos: results in their order, as they become ready.

        Few photos are held at a time, so `photos` may be a generator without an end.

        >>> photos = (np.full((64, 64, 3), grey, np.uint8) for grey in range(3))
        >>> [result.status for result in Remover(threads=1).map(photos)]
        ['no_face', 'no_face', 'no_face']

        Args:
            photos: Of any kind, as for a call.
            jobs: Photos worked on at the same time; None = one for each core, networks of one thread assumed.
            on_progress: Called with the number of photos done after each.
            on_error: `raise` ends at the first photo that cannot be used; `yield` gives its error in place of a
                result and goes on.
            **options: As for a call.

        Raises:
            DemaskError: A photo cannot be used, unless errors are to be yielded.
            UsageError: `jobs` is below 1.
        """
        if jobs is not None and jobs < 1:
            raise UsageError(f"jobs is {jobs}; it must be 1 or more")

        def one(photo: Any) -> Any:
            try:
                return self(photo, **options)
            except DemaskError as error:
                if on_error == "raise":
                    raise
                return error

        for done, result in enumerate(run_in_order(photos, one, workers=jobs or usable_cores()), 1):
            if on_progress is not None:
                on_progress(done)
            yield result

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
            original=opened.original,
            format=given.format,
            credentials=given.credentials,
            networks=dict(output.networks),
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
            original=opened.original,
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
        restorer = restorer or self.restorer
        wide = WIDE in getattr(restorer, "windows", ())
        covered = [
            (face.framed, face.found, face.own)
            for face in (looked_face if wide else looked_face.in_tight() for looked_face in looked.faces)
            if face.framed is not None and face.found is not None and face.found.covered
        ]
        done: Pasted | None = None
        earlier: list[CoveredFace] = []
        for group in groups_apart(covered):
            if done is not None:  # A neighbour that is restored by now may reach into a crop: cut that again.
                group = [
                    (one[0].again(done.pixels), *one[1:])
                    if any(reaches(other, one) for other in earlier)
                    else one
                    for one in group
                ]
            earlier += group
            with clock("restore"):
                crops = np.stack([framed.crop for framed, _, _ in group])
                holes = np.stack([found.hole for _, found, _ in group])
                restored = fill(restorer, crops, holes)
            with clock("paste"):
                for (framed, found, own), drawn in zip(group, restored, strict=True):
                    own_hole = looked.own_hole if own else None
                    done = pasted(photo, done, framed, found, drawn, own_hole=own_hole, paste=paste)
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


def _remade(arguments: dict[str, Any]) -> Remover:
    return Remover(**arguments)


@functools.lru_cache(maxsize=4)
def _kept(device: str, restorer: str) -> Remover:
    return Remover(device=device, restorer=restorer)
