"""`demask restorers`: every way to fill a hole, its paper, its settings, where it departs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

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
    """List the ways to fill a hole, those of other packages and those that could be installed too.

    With a name: its paper, parameters, departures, licence. A plug-in that cannot be used is listed with the
    reason. With --json a line each: `status` is ready, broken or missing, `install` the command that brings it.

    Example: demask restorers criminisi
    """
    from demask.cli.streams import print_json
    from demask.restorers.by_name import describe

    if names:
        for about in [describe(name) for name in names]:
            if json:
                print_json(_row(about, _missing_extras()))
            else:
                typer.echo("\n".join(_in_full(about)))
        return
    rows = _all_rows()
    if json:
        for row in rows:
            print_json(row)
        return
    width = max(len(row["name"]) for row in rows) + 2
    by_status: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_status.setdefault(row["status"], []).append(row)
    for row in by_status["ready"]:
        typer.echo(f"{row['name']:{width}}{row['what']}" + (f" ({row['package']})" if row["package"] else ""))
    if broken := by_status.get("broken"):
        typer.echo("\nCannot be used:")
        for row in broken:
            typer.echo(f"{row['name']:{width}}{row['reason']}")
    commands: dict[str, list[dict[str, Any]]] = {}
    for row in by_status.get("missing", ()):
        commands.setdefault(row["install"], []).append(row)
    for command, some in commands.items():
        typer.echo(f"\nNot here; to have them: {command}")
        for row in some:
            typer.echo(f"{row['name']:{width}}{row['what']}")


def _all_rows() -> list[dict[str, Any]]:
    """Demask's own, those of other packages, and those of the zoo where that is not installed."""
    from demask.extras import zoo_command
    from demask.restorers import plugins
    from demask.restorers.by_name import NAMES, describe
    from demask.restorers.zoo_names import ZOO

    missing_extras = _missing_extras()
    rows = [_row(describe(name), missing_extras) for name in NAMES]
    listed = plugins.listing(taken=NAMES)
    for one in listed:
        if one.about is not None:
            rows.append(_row(one.about, missing_extras))
        else:
            rows.append({"name": one.name, "package": one.package, "status": "broken", "reason": one.reason})
    for name, what in ZOO.items():
        if name not in {one.name for one in listed}:
            rows.append({"name": name, "what": what, "status": "missing", "install": zoo_command()})
    return rows


def _row(about: About, missing_extras: set[str]) -> dict[str, Any]:
    from dataclasses import asdict

    from demask.extras import install_command

    if not about.package and about.extra in missing_extras:
        return {**asdict(about), "status": "missing", "install": install_command(about.extra)}
    return {**asdict(about), "status": "ready"}


def _missing_extras() -> set[str]:
    """Extras of demask of which a package is not installed."""
    from demask.cli.installation import extra_states

    return {extra for extra, packages in extra_states() if any(version is None for _, version in packages)}


def _in_full(about: About) -> list[str]:
    from demask.extras import install_command

    lines = [f"{about.name}, version {about.version}" + (f", of {about.package}" if about.package else "")]
    lines += [f"  {about.what}", f"  paper: {about.paper}", f"  licence: {about.licence}"]
    sees = "the covering as it is" if about.blind else "the crop and its hole"
    draws = "invents a face" if about.invents else "goes on with what is there"
    lines.append(f"  sees: {sees}, windows {' and '.join(about.windows)}; {draws}")
    for parameter in about.parameters:
        paper = "not stated" if parameter.paper is None else parameter.paper
        lines.append(f"  {parameter.name} {parameter.ours} (paper: {paper}): {parameter.what}")
    lines += [f"  departs: {departure}" for departure in about.departures]
    if about.note:
        lines.append(f"  note: {about.note}")
    if about.extra and not about.package:
        lines.append(f"  needs: {install_command(about.extra)}")
    return lines
