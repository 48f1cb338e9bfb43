"""`demask remove`: photos in, the same photos without face masks out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o
from demask.cli.completions import complete_with, formats


def remove(
    inputs: o.Inputs,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="A file, a folder, or - for stdout. Default: <stem>-demasked<suffix> beside each input.",
        ),
    ] = None,
    faces: o.Faces = "all",
    hole: Annotated[
        Path | None,
        typer.Option(
            "--hole",
            metavar="FILE",
            help="Fill this hole (a picture of the photo's size, white = fill) instead of the found one, on "
            "the faces it touches, and where it lies apart from them: a face that was missed. One photo only.",
        ),
    ] = None,
    holes: Annotated[
        Path | None,
        typer.Option(
            "--holes",
            metavar="DIR",
            envvar="DEMASK_HOLES",
            help="Also write each found hole, white = hole, such as DIR/photo.jpg.hole.png; --hole reads it.",
        ),
    ] = None,
    restorer: o.Restorer = "network",
    finder_network: o.FinderNetwork = None,
    hole_network: o.HoleNetwork = None,
    device: o.Device = "auto",
    threads: o.Threads = None,
    jobs: o.Jobs = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            envvar="DEMASK_FORMAT",
            autocompletion=complete_with(formats),
            metavar="NAME",
            help="jpeg, png, webp, tiff, avif, heif. Default: as the output's name says, else as the input.",
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            "--quality",
            envvar="DEMASK_QUALITY",
            min=1,
            max=100,
            help="Of lossy formats, 1 to 100. Default: as the input.",
        ),
    ] = None,
    c2pa: o.C2pa = None,
    strip_metadata: Annotated[
        bool,
        typer.Option(
            "--strip-metadata",
            envvar="DEMASK_STRIP_METADATA",
            help="Leave out all that a photo says of itself but its colour profile; the label stays.",
        ),
    ] = False,
    strip_location: Annotated[
        bool,
        typer.Option(
            "--strip-location",
            envvar="DEMASK_STRIP_LOCATION",
            help="Leave out where a photo was taken: GPS, and the places in XMP and IPTC. Captions stay.",
        ),
    ] = False,
    review: Annotated[
        Path | None,
        typer.Option(
            "--review",
            envvar="DEMASK_REVIEW",
            metavar="DIR",
            help="Also write doubtful results there: heads turned far, unsure faces and masks, covered eyes.",
        ),
    ] = None,
    max_megapixels: o.MaxMegapixels = 100,
    overwrite: o.Overwrite = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            envvar="DEMASK_RETRY_FAILED",
            help="Try photos again that an earlier run could not use. Default: they are reported as they were.",
        ),
    ] = False,
    skip_untouched: o.SkipUntouched = False,
    fail_if_none: Annotated[
        bool,
        typer.Option(
            "--fail-if-none",
            envvar="DEMASK_FAIL_IF_NONE",
            help="Exit with 4 if no photo had anything to remove.",
        ),
    ] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            envvar="DEMASK_WATCH",
            help="Go on for ever: do what comes into the one input folder, once it is whole. Ends with Ctrl-C.",
        ),
    ] = False,
    json: o.Json = False,
    quiet: o.Quiet = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print which output each input would get; do nothing.")
    ] = False,
    debug: o.Debug = False,
) -> None:
    """Remove the face masks from photographs.

    The lower face that comes out is INVENTED. It is not the person's face. Never use it to identify
    anyone. Every output says so in its metadata. Pixels outside the mask are not touched; a face without
    a mask is left exactly as it is.

    A run over many photos that was stopped goes on where it was: give the same command again.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some inputs failed, 4 nothing to remove (with
    --fail-if-none), 130 interrupted.

    Example: demask remove photo.jpg -o bare.jpg
    """
    from demask.cli.photo_jobs import STDIO, Job, plan_jobs
    from demask.cli.streams import refuse_terminal, say
    from demask.errors import UsageError

    written = o.parse_format(format)

    def plan() -> list[Job]:
        return plan_jobs(
            inputs, output, format=written, holes=holes, review=review, overwrite=overwrite, may_be_empty=watch
        )

    planned = plan()
    if watch and (len(inputs) > 1 or not Path(inputs[0]).is_dir() or output in (None, STDIO)):
        raise UsageError("--watch is for one folder and an output folder: demask remove --watch in/ -o out/")
    if hole is not None and len(planned) > 1:
        raise UsageError(f"--hole is for one photo, but there are {len(planned)}; run them one by one")
    chosen = o.parse_faces(faces)
    to_stdout = any(job.target is None for job in planned)
    if to_stdout and json:
        raise UsageError("the picture and --json would both go to stdout; write the picture with -o FILE")
    o.only_file(hole, "--hole")
    o.only_file(finder_network, "--finder-network")
    o.only_file(hole_network, "--hole-network")
    o.require_c2pa(c2pa)
    if dry_run:
        for job in planned:
            say(f"{job.label} -> {STDIO if job.target is None else job.target}")
        return
    if to_stdout:
        refuse_terminal()

    from demask.cli.remove_job import RemoveSettings, run
    from demask.parallel import share_cores

    workers, threads_each = share_cores(1_000_000 if watch else len(planned), jobs=jobs, threads=threads)
    settings = RemoveSettings(
        faces=chosen,
        hole=hole,
        quality=quality,
        c2pa=c2pa,
        strip="all" if strip_metadata else "location" if strip_location else "nothing",
        max_megapixels=max_megapixels,
        overwrite=overwrite,
        skip_untouched=skip_untouched,
        retry_failed=retry_failed,
        restorer=restorer,
        finder_network=finder_network,
        hole_network=hole_network,
        device=device,
        threads=threads_each,
    )
    if watch:
        from demask.cli.remove_job import watch_folder

        watch_folder(Path(inputs[0]), plan, settings, workers=workers, json=json, quiet=quiet)
        return
    raise typer.Exit(run(planned, settings, workers=workers, json=json, quiet=quiet, fail_if_none=fail_if_none))
