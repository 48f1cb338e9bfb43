"""`demask cover`: draw face masks on the bare faces of a photo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o
from demask.cli.completions import complete_with, kinds


def cover(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photo with bare faces.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Picture to write. Default: <stem>-covered<suffix> beside it."),
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
        typer.Option("--hole", metavar="FILE", help="Also write what is covered: PNG, white = covered."),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", metavar="FILE", help="Also write what was drawn, as JSON.")
    ] = None,
    device: o.Device = "auto",
    max_megapixels: o.MaxMegapixels = 100,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Draw a face mask on each bare face of a photo, at the photo's own resolution.

    For tests and examples: what lies under the mask is known then. Same photo, same seed, same result.

    Example: demask cover portrait.jpg -o covered.png --kind surgical
    """
    import json

    import numpy as np

    from demask.atomic import write_atomic
    from demask.cli.photo_jobs import plan_jobs
    from demask.cli.streams import say
    from demask.coverings import KINDS
    from demask.coverings.draw import draw_on_photo
    from demask.errors import InputError, OutputExists, UsageError
    from demask.faces.looker import Looker
    from demask.photo.handed_in import Output, open_photo
    from demask.photo.plain_pictures import hole_png
    from demask.rng import rng_for

    if kind is not None and kind not in KINDS:
        raise UsageError(f"--kind is {kind!r}; it is one of {', '.join(KINDS)}")
    (job,) = plan_jobs(
        [str(o.only_file(photo, "PHOTO"))], None if output is None else str(output), ending="covered"
    )
    extras = [path for path in (hole, recipe) if path is not None]
    targets = [job.target, *extras]
    if len({path.resolve() for path in (photo, *extras) if path}) < 1 + len(extras) or job.target in extras:
        raise UsageError("--hole, --recipe, the photo and the output must be different files")
    for target in targets:
        if target is not None and target.exists() and not overwrite:
            raise OutputExists(f"{target} exists; name another output or pass --overwrite")

    chosen = o.parse_faces(faces)
    source = open_photo(photo, max_megapixels=max_megapixels)
    seen = Looker.shipped(device=device)(source.pixels, faces=chosen)
    # Faces that the user numbered are drawn on even if they wear something already.
    by_number = not isinstance(chosen, str)
    indices = [
        index
        for index, looked in enumerate(seen.faces)
        if (index in chosen if by_number else looked.covered is False)
    ]
    if not indices:
        found = f"the {len(seen.faces)} faces found are covered" if seen.faces else "no face was found"
        raise InputError(f"{photo}: {found}; there is nothing to draw on")
    pixels, covered, recipes = source.pixels, np.zeros(source.pixels.shape[:2], bool), []
    for index in indices:
        drawn = draw_on_photo(
            pixels,
            seen.faces[index].face,
            rng_for(seed, "cover", str(index)),
            kinds=None if kind is None else (kind,),
        )
        pixels, covered = drawn.masked, covered | drawn.hole
        recipes.append({"face": index, **drawn.recipe})

    changed = (pixels != source.pixels).any(axis=2)
    # A drawn covering is no invented face, so the picture carries no such label.
    data = source.give_back(pixels, changed, Output(format=job.format, label=False)).photo
    if hole is not None:
        write_atomic(hole, hole_png(covered), overwrite=overwrite)
    if recipe is not None:
        text = json.dumps({"seed": seed, "coverings": recipes}, indent=2) + "\n"
        write_atomic(recipe, text.encode(), overwrite=overwrite)
    if job.target is None:
        from demask.cli.streams import write_stdout

        write_stdout(data)
        return
    write_atomic(job.target, data, overwrite=overwrite)
    if not quiet:
        say(f"{photo}: {', '.join(str(entry.get('kind')) for entry in recipes)} -> {job.target}")
