"""`demask raw`: frames as bare RGB bytes through a pipe, for ffmpeg and programs of one's own."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from demask.cli import options as o


def raw(
    size: Annotated[
        str, typer.Option("--size", metavar="WIDTHxHEIGHT", help="Of every frame, such as 1280x720.")
    ],
    restorer: o.Restorer = "network",
    device: o.Device = "auto",
    threads: o.Threads = None,
    jobs: o.Jobs = None,
    debug: o.Debug = False,
) -> None:
    """Read frames of 24-bit RGB from stdin, write them to stdout without face masks, in order.

    The lower face that comes out is INVENTED. It is not the person's face. Never use it to identify
    anyone. A bare frame can hold no label: whoever stores it has to say so. Each frame stands alone; for
    clips `demask video` steadies what it draws.

    Example: ffmpeg -i in.mp4 -f rawvideo -pix_fmt rgb24 - | demask raw --size 1280x720 | ffmpeg -f rawvideo
    -pix_fmt rgb24 -s 1280x720 -i - out.mp4
    """
    import sys

    from demask.cli.streams import refuse_terminal, write_stdout
    from demask.errors import UsageError
    from demask.parallel import share_cores
    from demask.photo.plain_pictures import raw_frames
    from demask.remover import Remover

    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
    if not found or 0 in (width := int(found[1]), height := int(found[2])):
        raise UsageError(f"--size is {size!r}; write WIDTHxHEIGHT in pixels, such as 1280x720")
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "stdin is a terminal; pipe frames in, as ffmpeg -f rawvideo -pix_fmt rgb24 - writes them"
        )
    refuse_terminal()
    workers, threads_each = share_cores(1_000_000, jobs=jobs, threads=threads)
    remover = Remover(device=device, restorer=restorer, threads=threads_each)
    for result in remover.map(raw_frames(sys.stdin.buffer, width=width, height=height), jobs=workers):
        write_stdout(result.photo.tobytes())
