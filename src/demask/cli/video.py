"""`demask video`: a clip in, the same clip without face masks out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o


def video(
    clip: Annotated[Path, typer.Argument(metavar="CLIP", help="A clip: MP4, MOV, MKV, WebM, AVI and others.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Ends in .mp4, .m4v, .mov, .mkv or .webm. Default: <stem>-demasked<suffix> beside the clip.",
        ),
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(
            "--codec",
            envvar="DEMASK_CODEC",
            metavar="NAME",
            help="h264, hevc, vp9, av1, prores, mjpeg, ffv1. Default: as the input.",
        ),
    ] = None,
    crf: Annotated[
        float | None,
        typer.Option(
            "--crf", envvar="DEMASK_CRF", help="Constant quality, lower is finer. Default: as the input."
        ),
    ] = None,
    lossless: Annotated[
        bool,
        typer.Option(
            "--lossless",
            envvar="DEMASK_LOSSLESS",
            help="Outside the restored faces no sample changes; large files.",
        ),
    ] = False,
    preview: Annotated[
        Path | None,
        typer.Option(
            "--preview", metavar="FILE", help="Also write a contact sheet, before above after (PNG, JPEG)."
        ),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option("--compare", metavar="FILE", help="Also write a clip with before and after side by side."),
    ] = None,
    restorer: o.Restorer = "network",
    device: o.Device = "auto",
    threads: o.Threads = None,
    c2pa: o.C2pa = None,
    max_megapixels: o.MaxMegapixels = 100,
    overwrite: o.Overwrite = False,
    fail_if_none: Annotated[
        bool,
        typer.Option(
            "--fail-if-none", envvar="DEMASK_FAIL_IF_NONE", help="Exit with 4 if nothing was to remove."
        ),
    ] = False,
    json: Annotated[
        bool,
        typer.Option("--json", envvar="DEMASK_JSON", help="Print one JSON line: streams, faces, what changed."),
    ] = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Remove the face masks from a clip.

    The lower face that comes out is INVENTED. It is not the person's face. Never use it to identify
    anyone. Every output says so in its metadata.

    Sound, subtitles, chapters and time stamps are kept; the video is encoded once more, frames without a
    face mask too. A clip without any is copied. A run that was stopped goes on when the same command is
    given again. Needs the extra `video`; its PyAV holds x264 and x265, which are GPL.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 4 nothing to remove (with --fail-if-none), 130 interrupted.

    Example: demask video clip.mp4 -o bare.mp4
    """
    from demask.cli.streams import debugging
    from demask.cli.video_run import VideoJob, run

    o.require_c2pa(c2pa)
    job = VideoJob(
        clip=clip,
        output=output,
        preview=preview,
        compare=compare,
        codec=codec,
        crf=crf,
        lossless=lossless,
        restorer=restorer,
        device=device,
        threads=threads,
        c2pa=c2pa,
        max_megapixels=max_megapixels,
        overwrite=overwrite,
    )
    raise typer.Exit(run(job, json=json, quiet=quiet, fail_if_none=fail_if_none, debug=debug or debugging()))
