"""`demask page`: the web page as static files that work in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o


def page(
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="A new folder for the page; without it none is written."
        ),
    ] = None,
    runtime: o.WebRuntime = None,
    fetch: Annotated[
        bool,
        typer.Option("--fetch", help="First take onnxruntime-web from npm, by the hashes of the lock file."),
    ] = False,
    debug: o.Debug = False,
) -> None:
    """Write the web page as static files: photos never leave the browser that opens it.

    The folder goes on any web space, or is opened with a small server of your own; it works without a net after
    the first visit. The lower face that comes out is INVENTED. Never use it to identify anyone.

    Example: demask page --fetch -o site
    """
    from demask.cli.streams import say
    from demask.errors import UsageError
    from demask.server.static_page import write_page
    from demask.server.web_runtime import fetch_runtime, find_runtime

    if fetch and runtime is not None:
        raise UsageError("--fetch takes onnxruntime-web from npm and --runtime from a folder; give one of them")
    if not fetch and output is None:
        raise UsageError("nothing to do; name a folder with -o, or --fetch")
    found = fetch_runtime() if fetch else find_runtime(runtime)
    if output is None:
        say(f"kept {found.folder}")
        return
    written = write_page(output, found)
    sizes = ", ".join(f"{size / 1e6:.1f} MB ({build})" for build, size in written.download_bytes().items())
    say(f"wrote {written.num_files} files to {written.folder}; a visitor loads once, compressed: {sizes}")
    say(f"to try it: python -m http.server --bind 127.0.0.1 -d {written.folder} 8000")
