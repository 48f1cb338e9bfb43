"""The commands of `demask study` that make a study and open or close it; options that all of them share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from demask.cli import options as o

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `demask study new` made.")]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="DEMASK_STUDY_DATABASE",
        metavar="URL",
        help="Where people and answers are kept, such as postgresql://user@host/name; default: SQLite in DIR.",
    ),
]
EffectsFile = Annotated[
    Path | None, typer.Option("--effects", help="TOML file of what simulated people are like.")
]


@contextmanager
def needs_extra() -> Iterator[None]:
    """Say which extra is missing where an import fails."""
    from demask.errors import UsageError
    from demask.extras import install_command

    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(f"a study needs {error.name}; run: {install_command('study')}") from error


def new(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="TOML file; see examples/studies.")],
    out: Annotated[
        Path, typer.Option("--output", "--out", "-o", help="Folder to make; must not be there yet.")
    ],
    system: Annotated[
        list[str] | None,
        typer.Option("--system", metavar="NAME=FOLDER", help="A system's restored pictures. Once per system."),
    ] = None,
    truth: Annotated[Path | None, typer.Option("--truth", help="The same faces bare.")] = None,
    masked: Annotated[
        Path | None, typer.Option("--masked", help="The same faces with their face mask.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", help="CSV with the columns face, identity, expression.")
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Option(
            "--words", metavar="CODE=FILE", help="Words of a language that we do not bring, see `study words`."
        ),
    ] = None,
    refer: Annotated[
        bool, typer.Option("--refer", help="Leave the pictures where they are instead of copying them.")
    ] = False,
    database: Database = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")] = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Check plan and pictures, assign them to people, make the study's folder and database.

    A picture's name without suffix is the face's name; every folder must hold the same names.

    Example: demask study new plan.toml -o runs/study --system ours=restored --truth bare --masked masked
    """
    from demask.cli.streams import say

    with needs_extra():
        from demask.study.folder import new_study

    folders = _named("--system", system, "NAME=FOLDER")
    folders |= {name: path for name, path in (("truth", truth), ("masked", masked)) if path is not None}
    made = new_study(
        plan,
        out,
        folders,
        labels=labels,
        words=_named("--words", words, "CODE=FILE"),
        refer=refer,
        database=database,
        dry_run=dry_run,
    )
    if not quiet:
        say(
            f"{out}: {made.num_pictures} pictures of {made.num_faces} faces, {made.trials_per_person} trials "
            f"for each of {made.people} people" + (" (nothing written)" if dry_run else "")
        )


def words(
    language: Annotated[str, typer.Argument(metavar="CODE", help="A language that we bring: en or de.")],
    debug: o.Debug = False,
) -> None:
    """Print the words of a language as TOML, to be translated into another.

    Example: demask study words en > fr.toml
    """
    with needs_extra():
        from demask.study.language import text_of

    typer.echo(text_of(language), nl=False)


def folders(
    benchmark: Annotated[Path, typer.Argument(metavar="BENCHMARK", help="The -o of `demask benchmark`.")],
    data: Annotated[Path, typer.Option("--data", help="The frozen set that it measured.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")],
    system: Annotated[
        list[str],
        typer.Option("--system", metavar="NAME[=AS]", help="A system, and what the study calls it. Repeat it."),
    ],
    part: Annotated[str | None, typer.Option("--slice", help="Only this slice of the set.")] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Make the study as well, with this plan, in OUT/study.")
    ] = None,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Make a study's folders from a benchmark's kept pictures: of each system, truth, masked, and labels.csv.

    Example: demask study folders runs/bench --data runs/frozen --system pix2pix -o runs/a --plan
    examples/studies/study-a.toml
    """
    from demask.cli.streams import say

    with needs_extra():
        from demask.study.folder import new_study
        from demask.study.from_benchmark import make_folders
        from demask.study.plan_file import read_plan

    known = read_plan(plan) if plan else None
    rename = dict(text.partition("=")[::2] for text in system)
    made = make_folders(
        benchmark,
        data,
        out,
        list(rename),
        rename={name: wanted for name, wanted in rename.items() if wanted},
        slice_name=part,
        plan=known,
    )
    if not quiet:
        more = f" ({made.left_out} more were not restored by all)" if made.left_out else ""
        say(f"{out}: {made.num_faces} faces of {', '.join(made.systems)}{more}")
    if known and plan:
        given = {**made.systems, "truth": made.truth, "masked": made.masked}
        wanted = {name: given[name] for name in known.conditions if name in given}
        study = new_study(plan, out / "study", wanted, labels=made.labels)
        if not quiet:
            say(f"{out / 'study'}: {study.trials_per_person} trials for each of {study.people} people")


def state(
    folder: Folder,
    wanted: Annotated[
        Literal["open", "paused", "closed"] | None, typer.Argument(help="None = say how it stands.")
    ] = None,
    database: Database = None,
    debug: o.Debug = False,
) -> None:
    """Open, pause (nobody new joins) or close a study (no answers either); the admin page does it too.

    Example: demask study state runs/study paused
    """
    with needs_extra():
        from demask.study.folder import open_study

    store = open_study(folder).store(database)
    try:
        if wanted:
            store.set_state(wanted)
        typer.echo(store.state())
    finally:
        store.close()


def _named(option: str, texts: list[str] | None, form: str) -> dict[str, Path]:
    """Read `NAME=PATH` texts."""
    from demask.errors import UsageError

    found: dict[str, Path] = {}
    for text in texts or ():
        name, equals, path = text.partition("=")
        if not equals or not path or name in found:
            raise UsageError(f"{option} is {text!r}; write each once, as {form}")
        found[name] = Path(path)
    return found
