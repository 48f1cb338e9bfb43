"""`demask find`: where the faces are, which are covered, and by what, as JSON or drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o


def find(
    inputs: o.Inputs,
    draw: Annotated[
        str | None,
        typer.Option(
            "--draw",
            metavar="OUT",
            help="Draw boxes, numbers, points and holes over the photo and write it: a file, a folder, or - "
            "for stdout. No JSON is printed then, unless --json asks for it.",
        ),
    ] = None,
    holes: Annotated[
        Path | None,
        typer.Option(
            "--holes",
            metavar="DIR",
            envvar="DEMASK_HOLES",
            help="Write found holes, white = hole, such as DIR/photo.jpg.hole.png.",
        ),
    ] = None,
    faces: o.Faces = "all",
    finder_network: o.FinderNetwork = None,
    hole_network: o.HoleNetwork = None,
    device: o.Device = "auto",
    threads: o.Threads = None,
    jobs: o.Jobs = None,
    max_megapixels: o.MaxMegapixels = 100,
    overwrite: o.Overwrite = False,
    json: o.Json = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Find faces and what covers them; change nothing.

    Says on a terminal what was found; elsewhere, and with --json, prints one JSON line per photo: box, five
    points, score, whether it is covered and how sure that is. The order of the faces is the numbering of
    --faces. The status of a photo is no_face, no_covering, covered or failed.

    Example: demask find photo.jpg --draw found.jpg
    """
    import sys

    from demask.cli.photo_jobs import STDIO, plan_jobs
    from demask.cli.streams import refuse_terminal
    from demask.errors import UsageError

    planned = plan_jobs(inputs, draw, ending="found", holes=holes, overwrite=overwrite, writes=draw is not None)
    if draw == STDIO:
        if json:
            raise UsageError("the picture and --json would both go to stdout; draw to a file")
        refuse_terminal()
    chosen = o.parse_faces(faces)
    o.only_file(finder_network, "--finder-network")
    o.only_file(hole_network, "--hole-network")

    from demask.cli.find_job import FindSettings, run
    from demask.parallel import share_cores

    workers, threads_each = share_cores(len(planned), jobs=jobs, threads=threads)
    settings = FindSettings(
        draws=draw is not None,
        faces=chosen,
        max_megapixels=max_megapixels,
        overwrite=overwrite,
        finder_network=finder_network,
        hole_network=hole_network,
        device=device,
        threads=threads_each,
    )
    # People who look get words, programs that read get JSON; either can be had by asking.
    as_json = json or (draw is None and not (sys.stdout is not None and sys.stdout.isatty()))
    raise typer.Exit(run(planned, settings, workers=workers, json=as_json, quiet=quiet))
