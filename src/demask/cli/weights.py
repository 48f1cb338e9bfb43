"""`demask weights`: which weights there are, where they lie, whether they are whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o
from demask.cli.completions import complete_with
from demask.cli.completions import weights as downloadable

app = typer.Typer(
    help="The shipped networks, and third-party weights for training and measuring.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name that `demask weights list` shows.")]


@app.command("list")
def list_(json: o.Json = False, debug: o.Debug = False) -> None:
    """List what is shipped and what can be downloaded: name, licence, where from, where it lies.

    Example: demask weights list
    """
    from demask.cli.streams import print_json
    from demask.weights import registry

    for weights in registry.REGISTRY.values():
        path = registry.locate(weights.name)
        if json:
            print_json(
                {
                    "name": weights.name,
                    "file": weights.file,
                    "what": weights.what,
                    "licence": weights.licence,
                    "home": weights.home,
                    "url": weights.url,
                    "sha256": weights.expected_sha256(),
                    "shipped": weights.shipped,
                    "replaced": registry.is_replaced(weights, path),
                    "path": None if path is None else str(path),
                }
            )
        else:
            here = "not here" if path is None else str(path)
            if registry.is_replaced(weights, path):
                here = f"REPLACED by {here}, which is taken instead of the shipped one"
            typer.echo(f"{weights.name:22}{weights.what}\n{'':22}{weights.licence}; {weights.home}; {here}")


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; it must not exist yet.")],
    debug: o.Debug = False,
) -> None:
    """Write a folder to upload to the Hugging Face Hub: networks, checksums and the model card with metadata.

    Nothing is sent anywhere. Upload it with: huggingface-cli upload OWNER/NAME DIR

    Example: demask weights push hub/
    """
    from demask.cli.streams import say
    from demask.weights.transfer import write_hub_folder

    write_hub_folder(folder)
    say(f"{folder} is ready; upload it with: huggingface-cli upload OWNER/NAME {folder}")


@app.command()
def get(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="Names that `list` shows.",
            autocompletion=complete_with(downloadable),
        ),
    ],
    debug: o.Debug = False,
) -> None:
    """Download weights into DEMASK_HOME (else the cache folder), checked by sha256.

    Example: demask weights get yunet
    """
    from demask.cli.streams import meter, say
    from demask.weights import registry, transfer

    for name in names:
        weights = registry.lookup(name)
        with meter(weights.file) as show:
            path = transfer.get(name, progress=show)
        say(f"{weights.name}: licence {weights.licence}, from {weights.home}")
        typer.echo(str(path))


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Default: all that are here.")
    ] = None,
    debug: o.Debug = False,
) -> None:
    """Compare weights files with their checksums; exit 1 if one is missing or differs.

    Example: demask weights verify
    """
    from demask.cli.streams import say_error
    from demask.errors import WeightsError
    from demask.weights import registry

    wanted = names or [
        name
        for name, weights in (registry.REGISTRY | registry.UNPUBLISHED).items()
        if weights.shipped or registry.locate(name) is not None
    ]
    bad = 0
    for name in wanted:
        try:
            path = registry.find(name)
            replaced = registry.lookup(name).shipped and path.parent != registry.SHIPPED_FOLDER
            typer.echo(f"{name}: {'replaced by a file of yours' if replaced else 'good'}, {path}")
        except WeightsError as error:
            say_error(f"{name}: {error}")
            bad += 1
    if bad:
        raise typer.Exit(1)


@app.command("path")
def path_(name: Name, debug: o.Debug = False) -> None:
    """Print where a weights file lies, after checking it.

    Example: demask weights path finder
    """
    from demask.weights import registry

    typer.echo(str(registry.find(name)))
