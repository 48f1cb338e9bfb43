"""`demask cover`: draw face masks on the bare faces of a photo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o
from demask.cli.completions import complete_with, kinds


def cover(
    inputs: o.Inputs,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="A file, a folder, or - for stdout. Default: <stem>-covered<suffix> beside each photo.",
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            autocompletion=complete_with(kinds),
            help="Kind of covering, such as surgical; default: any.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", envvar="DEMASK_SEED", help="Another number, another covering.")
    ] = 0,
    faces: Annotated[
        str,
        typer.Option(
            "--faces",
            metavar="all|largest|0,2,...",
            help="Which faces; all means all bare ones, numbers count as `demask find` lists them.",
        ),
    ] = "all",
    hole: Annotated[
        Path | None,
        typer.Option("--hole", metavar="FILE", help="Of one photo: write what is covered, white = covered."),
    ] = None,
    holes: Annotated[
        Path | None,
        typer.Option(
            "--holes", metavar="DIR", help="Of each: DIR/photo.jpg.hole.png; `demask score` reads it."
        ),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", metavar="FILE", help="Of one photo: write what was drawn, as JSON."),
    ] = None,
    device: o.Device = "auto",
    threads: o.Threads = None,
    jobs: o.Jobs = None,
    max_megapixels: o.MaxMegapixels = 100,
    overwrite: o.Overwrite = False,
    json: o.Json = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Draw a face mask on each bare face of photos, at their own resolution.

    For tests and examples: what lies under the mask is known then. Same photo, same seed, same result. A photo
    without a bare face fails, and the others of a folder are done.

    Example: demask cover portrait.jpg -o covered.png --kind surgical
    """
    from dataclasses import replace

    from demask.cli.photo_jobs import plan_jobs
    from demask.coverings import KINDS
    from demask.errors import UsageError
    from demask.parallel import share_cores

    if kind is not None and kind not in KINDS:
        raise UsageError(f"--kind is {kind!r}; it is one of {', '.join(KINDS)}")
    planned = plan_jobs(inputs, output, ending="covered", holes=holes, overwrite=overwrite)
    if len(planned) > 1 and (hole is not None or recipe is not None):
        raise UsageError(
            f"--hole and --recipe are for one photo, but there are {len(planned)}; --holes DIR takes all"
        )
    if hole is not None and holes is not None:
        raise UsageError("--hole and --holes both say where the hole goes; leave one of them out")
    if hole is not None:
        planned = [replace(planned[0], hole_target=hole)]
    photo, extras = planned[0], [path.resolve() for path in (hole, recipe) if path is not None]
    taken = {path.resolve() for path in (photo.source, photo.target) if path is not None}
    if taken & set(extras) or len(set(extras)) < len(extras):
        raise UsageError("--hole, --recipe, the photo and the output must be different files")

    from demask.cli.cover_job import CoverSettings, run

    workers, threads_each = share_cores(len(planned), jobs=jobs, threads=threads)
    settings = CoverSettings(
        kind=kind,
        seed=seed,
        recipe=recipe,
        faces=o.parse_faces(faces),
        max_megapixels=max_megapixels,
        overwrite=overwrite,
        device=device,
        threads=threads_each,
    )
    raise typer.Exit(run(planned, settings, workers=workers, json=json, quiet=quiet))
