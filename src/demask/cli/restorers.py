"""`demask restorers`: every way to fill a hole, its paper, its settings, where it departs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from demask.cli import options as o

if TYPE_CHECKING:
    from demask.restorers.about import About


def restorers(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="Only these, in full. Default: all, briefly."),
    ] = None,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """List the ways to fill a hole; with a name, its paper, parameters and departures too.

    Example: demask restorers criminisi
    """
    import dataclasses

    from demask.cli.streams import print_json
    from demask.restorers.by_name import NAMES, describe

    for about in [describe(name) for name in names or NAMES]:
        if json:
            print_json(dataclasses.asdict(about))
        elif names:
            typer.echo("\n".join(_in_full(about)))
        else:
            typer.echo(f"{about.name:18}{about.what}")


def _in_full(about: About) -> list[str]:
    from demask.extras import install_command

    lines = [f"{about.name}, version {about.version}", f"  {about.what}", f"  paper: {about.paper}"]
    for parameter in about.parameters:
        paper = "not stated" if parameter.paper is None else parameter.paper
        lines.append(f"  {parameter.name} {parameter.ours} (paper: {paper}): {parameter.what}")
    lines += [f"  departs: {departure}" for departure in about.departures]
    if about.extra:
        lines.append(f"  needs: {install_command(about.extra)}")
    return lines
