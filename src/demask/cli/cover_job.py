"""What `demask cover` does with each photo, and the run over all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demask.atomic import write_atomic
from demask.cli.outputs import make_first_folder
from demask.cli.photo_jobs import Job
from demask.cli.photo_run import PhotoSettings, do_photo, run_jobs
from demask.clock import Clock
from demask.coverings.draw import draw_on_photo
from demask.errors import InputError, OutputExists
from demask.faces.looker import Looked, Looker
from demask.photo.handed_in import Output, open_photo
from demask.results import FaceResult, Result
from demask.rng import rng_for
from demask.types import Hole, ImageU8


@dataclass(frozen=True, kw_only=True, slots=True)
class CoverSettings(PhotoSettings):
    """What the user asked for; the options of `demask cover` of the same names."""

    kind: str | None = None
    seed: int = 0
    recipe: Path | None = None


def run(jobs: Sequence[Job], settings: CoverSettings, *, workers: int, json: bool, quiet: bool) -> int:
    """Draw on all photos; return the exit code.

    Raises:
        DemaskError: The networks cannot be loaded. What fails for one photo is reported, not raised.
    """
    make_first_folder(jobs)
    looker = Looker.shipped(device=settings.device, threads=settings.threads)

    def work(job: Job, source: Path | bytes) -> Result[bytes | None]:
        recipe = settings.recipe
        if recipe is not None and recipe.exists() and not settings.overwrite:
            raise OutputExists(f"{recipe} exists; name another or pass --overwrite")
        clock = Clock()
        with clock("decode"):
            opened = open_photo(source, max_megapixels=settings.max_megapixels)
        looked = looker(opened.pixels, faces=settings.faces, clock=clock)
        indices = _bare_faces(looked, settings)
        with clock("draw"):
            covered, hole, drawn = _draw(opened.pixels, looked, indices, settings)
        changed = (covered != opened.pixels).any(axis=2)
        # A drawn covering is no invented face, so the picture carries no such label.
        output = opened.give_back(covered, changed, Output(format=job.format, label=False))
        if recipe is not None:
            text = _json({"seed": settings.seed, "coverings": drawn})
            write_atomic(recipe, text.encode(), overwrite=settings.overwrite)
        faces = tuple(
            FaceResult(
                face=one.face,
                covered=True if index in indices else one.covered,
                status="skipped" if index in indices or one.covered else "bare",
                confidence=1.0,
            )
            for index, one in enumerate(looked.faces)
        )
        return Result(
            photo=output.photo, size=looked.size, faces=faces, status="covered", hole=hole,
            timings_ms=clock.timings_ms,
        )  # fmt: skip

    return run_jobs(jobs, lambda job: do_photo(job, work, settings), workers=workers, json=json, quiet=quiet)


def _bare_faces(looked: Looked, settings: CoverSettings) -> list[int]:
    """Which faces are drawn on: bare ones; those that the user numbered even if they wear something already."""
    chosen = settings.faces
    indices = [
        index
        for index, one in enumerate(looked.faces)
        if (one.covered is False if isinstance(chosen, str) else index in chosen)
    ]
    if not indices:
        found = f"the {len(looked.faces)} faces found are covered" if looked.faces else "no face was found"
        raise InputError(f"{found}; there is nothing to draw on")
    return indices


def _draw(
    photo: ImageU8, looked: Looked, indices: Sequence[int], settings: CoverSettings
) -> tuple[ImageU8, Hole, list[dict[str, Any]]]:
    """The photo with its coverings, the pixels that they changed, and what was drawn."""
    pixels, covered, recipes = photo, np.zeros(photo.shape[:2], bool), []
    for index in indices:
        drawn = draw_on_photo(
            pixels,
            looked.faces[index].face,
            rng_for(settings.seed, "cover", str(index)),
            kinds=None if settings.kind is None else (settings.kind,),
        )
        pixels, covered = drawn.masked, covered | drawn.hole
        recipes.append({"face": index, **drawn.recipe})
    return pixels, covered, recipes


def _json(recipe: dict[str, Any]) -> str:
    return json.dumps(recipe, indent=2) + "\n"
