"""`demask batch`: photos by the million, on one machine or many."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from demask.cli import options as o


class _RunByDefault(TyperGroup):
    """`demask batch SOURCE` is `demask batch run SOURCE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` first where no command is named."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RunByDefault,
    no_args_is_help=True,
    help="Remove the face masks from many photographs: `demask batch SOURCE -o TARGET`.",
)
Target = Annotated[str, typer.Option("--output", "-o", metavar="TARGET", help="A folder or a URL.")]
Manifest = Annotated[
    str | None,
    typer.Option(
        "--manifest",
        envvar="DEMASK_MANIFEST",
        metavar="PLACE",
        help="Where the manifest is: a folder or a URL. Default: in the target.",
    ),
]


@app.command("run")
def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder; a URL (s3://, gs://, az://, file://, zip://...); a list (.jsonl, .parquet) with a "
            "column path or url; .tar files in WebDataset's layout ('s3://bucket/train-*.tar').",
        ),
    ],
    output: Target,
    on: Annotated[
        str,
        typer.Option(
            "--on",
            envvar="DEMASK_ON",
            metavar="local|ray[:ADDRESS]",
            help="Processes of this machine, or a Ray cluster; without an address Ray runs here.",
        ),
    ] = "local",
    manifest: Manifest = None,
    faces: o.Faces = "all",
    restorer: o.Restorer = "network",
    device: o.Device = "auto",
    gpus: Annotated[
        float | None,
        typer.Option(
            "--gpus", envvar="DEMASK_GPUS", min=0, help="On Ray: GPUs of each worker; 0.25 lets four share one."
        ),
    ] = None,
    threads: Annotated[
        int,
        typer.Option("--threads", envvar="DEMASK_THREADS", min=1, help="Threads of each worker's networks."),
    ] = 1,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", envvar="DEMASK_JOBS", min=1, help="Workers; default: as many as there are cores for."
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", envvar="DEMASK_FORMAT", metavar="NAME", help="As for `demask remove`."),
    ] = None,
    quality: Annotated[
        int | None, typer.Option("--quality", envvar="DEMASK_QUALITY", min=1, max=100, help="Of lossy formats.")
    ] = None,
    max_megapixels: o.MaxMegapixels = 100,
    overwrite: o.Overwrite = False,
    skip_untouched: o.SkipUntouched = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed", envvar="DEMASK_RETRY_FAILED", help="Try photos again that an earlier run gave up."
        ),
    ] = False,
    read_limit: Annotated[
        float,
        typer.Option(
            "--read-limit", envvar="DEMASK_READ_LIMIT", min=0.1, help="Seconds to wait for a photo's bytes."
        ),
    ] = 120.0,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample",
            min=1,
            metavar="N",
            help="Try N photos drawn at random, write them before and after as one sheet, .demask/sample.jpg "
            "in the target, and stop.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Count the photos, try a few, say what all will take; write nothing."),
    ] = False,
    json: Annotated[
        bool,
        typer.Option("--json", envvar="DEMASK_JSON", help="Print what was done as one JSON line on stdout."),
    ] = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Remove the face masks from all photographs of SOURCE.

    The lower faces that come out are INVENTED. They are not the persons'. Never use them to identify anyone.

    Safe to stop and to kill: the same command goes on where it was, and makes nothing twice. Two may run into
    one target at once.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some photos failed, 130 interrupted.

    Example: demask batch photos -o bare
    """
    from demask.batch.batch_worker import Setup
    from demask.batch.manifest_row import made_with
    from demask.cli.batch_job import Order, carry_out
    from demask.photo.handed_in import Output

    chosen, kind = o.parse_faces(faces), o.parse_format(format)
    made = made_with(
        restorer=restorer,
        faces=chosen,
        output=Output(format=kind, quality=quality),
        skip_untouched=skip_untouched,
    )
    setup = Setup(
        target=output,
        made=made,
        device=device,
        restorer=restorer,
        threads=threads,
        faces=chosen,
        format=kind,
        quality=quality,
        max_megapixels=max_megapixels,
        overwrite=overwrite,
        retry_failed=retry_failed,
        skip_untouched=skip_untouched,
        read_limit_s=read_limit,
    )
    order = Order(
        source=source, setup=setup, on=on, manifest=manifest, jobs=jobs, gpus=gpus, json=json, quiet=quiet
    )
    raise typer.Exit(carry_out(order, sample=sample, dry_run=dry_run))


@app.command("status")
def status(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The target of a batch: a folder or a URL.")],
    manifest: Manifest = None,
    failures: Annotated[
        int, typer.Option("--failures", min=0, metavar="N", help="List so many photos that failed, and why.")
    ] = 10,
    json: Annotated[
        bool, typer.Option("--json", envvar="DEMASK_JSON", help="Print one JSON line on stdout instead.")
    ] = False,
    debug: o.Debug = False,
) -> None:
    """Sum up what all runs into TARGET did.

    Example: demask batch status bare
    """
    from demask.cli.batch_job import tell_status

    tell_status(target, manifest, failures=failures, json=json)
