"""The Typer app: every command registered, nothing heavy imported."""

from __future__ import annotations

from typing import Annotated

import typer

from demask import __version__
from demask.cli import (
    batch,
    benchmark,
    c2pa,
    compare,
    cover,
    dataset,
    doctor,
    find,
    inspect,
    raw,
    remove,
    restorers,
    score,
    serve,
    study,
    train,
    video,
    weights,
)
from demask.cli.options import Debug

app = typer.Typer(
    name="demask",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Plain help: quick to print, and the same in a file as on a terminal.
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"demask {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Remove face masks from photographs.

    The lower face that comes out is INVENTED. It is not the person's face. Never use it to identify
    anyone.

    Example: demask remove photo.jpg
    """


app.command("remove")(remove.remove)
app.add_typer(batch.app, name="batch")
app.command("find")(find.find)
app.command("video")(video.video)
app.command("cover")(cover.cover)
app.command("compare")(compare.compare)
app.command("raw")(raw.raw)
app.command("serve")(serve.serve)
app.command("page")(serve.page)
app.command("inspect")(inspect.inspect)
app.add_typer(c2pa.app, name="c2pa")
app.add_typer(dataset.app, name="dataset")
app.command("train")(train.train)
app.command("export")(train.export)
app.command("benchmark")(benchmark.benchmark)
app.command("score")(score.score)
app.add_typer(study.app, name="study")
app.add_typer(weights.app, name="weights")
app.command("restorers")(restorers.restorers)
app.command("doctor")(doctor.doctor)
