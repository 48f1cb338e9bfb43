"""`demask serve` and `demask page`: the HTTP API with the web page, and the page alone as static files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o


def serve(
    host: Annotated[
        str,
        typer.Option(
            "--host", envvar="DEMASK_HOST", help="Address to bind. Anything but loopback needs a key."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", envvar="DEMASK_PORT", min=0, max=65535, help="0 takes a free one.")
    ] = 8000,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            envvar="DEMASK_KEY",
            help="What clients must send as Authorization: Bearer KEY. Other users of this machine can see "
            "a command line: prefer the variable or --key-file.",
        ),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", envvar="DEMASK_KEY_FILE", metavar="FILE", help="Read the key from a file."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            envvar="DEMASK_ALLOW_HOST",
            metavar="NAME",
            help="A name under which clients reach the server, as behind a proxy. Repeat it for more.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            envvar="DEMASK_WORKERS",
            min=1,
            help="Photos worked on at the same time; default: cores divided by --threads.",
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option("--threads", envvar="DEMASK_THREADS", min=1, help="Threads of each network.")
    ] = 1,
    queue: Annotated[
        int,
        typer.Option(
            "--queue", envvar="DEMASK_QUEUE", min=0, help="Photos that may wait; more are told to come back."
        ),
    ] = 16,
    max_body_mb: Annotated[
        int,
        typer.Option("--max-body-mb", envvar="DEMASK_MAX_BODY_MB", min=1, help="MiB that a request may have."),
    ] = 64,
    max_held_mb: Annotated[
        int,
        typer.Option(
            "--max-held-mb", envvar="DEMASK_MAX_HELD_MB", min=1, help="MiB of uploads that may be in memory."
        ),
    ] = 512,
    max_megapixels: o.MaxMegapixels = 50,
    body_s: Annotated[
        float, typer.Option("--body-s", envvar="DEMASK_BODY_S", help="Seconds that an upload may take.")
    ] = 60,
    deadline_s: Annotated[
        float,
        typer.Option("--deadline-s", envvar="DEMASK_DEADLINE_S", help="Seconds from upload to answer."),
    ] = 60,
    keep_s: Annotated[
        float,
        typer.Option(
            "--keep-s",
            envvar="DEMASK_KEEP_S",
            min=0,
            help="Seconds that the page's photo stays in memory after its last use; 0: it is sent each time.",
        ),
    ] = 300,
    restorer: o.Restorer = "network",
    c2pa: o.C2pa = None,
    runtime: o.WebRuntime = None,
    device: o.Device = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the settings as JSON, without the key; serve nothing.")
    ] = False,
    debug: o.Debug = False,
) -> None:
    """Serve the HTTP API and the web page.

    Uploads stay in memory; they are neither written to a disk nor named in a log. The lower face that
    comes out is INVENTED. It is not the person's face. Never use it to identify anyone.

    Example: demask serve --port 8000
    """
    import dataclasses
    from importlib.util import find_spec

    from demask.cli.streams import print_json
    from demask.errors import UsageError
    from demask.extras import install_command
    from demask.parallel import usable_cores

    for package in ("fastapi", "uvicorn", "python_multipart", "prometheus_client"):
        if find_spec(package) is None:
            raise UsageError(f"the server needs {package}; run: {install_command('serve')}")

    from demask.server.process import serve as run
    from demask.server.serve_settings import Limits, Settings

    o.only_file(key_file, "--key-file")
    o.require_c2pa(c2pa)
    if key is not None and key_file is not None:
        raise UsageError("--key and --key-file (or their variables) both name a key; give one")
    if key_file is not None:
        key = key_file.read_text("utf-8").strip()
    settings = Settings(
        host=host,
        port=port,
        key=key,
        hosts=tuple(allow_host or ()),
        workers=workers or max(1, usable_cores() // threads),
        threads=threads,
        device=device,
        restorer=restorer,
        c2pa=c2pa,
        runtime=runtime,
        limits=Limits(
            max_body_bytes=max_body_mb * 2**20,
            max_held_bytes=max_held_mb * 2**20,
            max_megapixels=max_megapixels,
            max_waiting=queue,
            body_s=body_s,
            deadline_s=deadline_s,
            keep_s=keep_s,
        ),
    )
    if dry_run:
        shown = {
            **dataclasses.asdict(settings),
            "runtime": runtime and str(runtime),
            "c2pa": c2pa and [str(path) for path in c2pa],
        }
        print_json({**shown, "key": None if key is None else "given"})
        return
    run(settings)


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
