"""`demask study`: people judge pictures; plan it, rehearse it, offer it, report it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from demask.cli import options as o

app = typer.Typer(
    help="Run a study in which people judge pictures: plan, rehearse, serve, report.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

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
def _extra() -> Iterator[None]:
    """Say which extra is missing where an import fails."""
    from demask.errors import UsageError
    from demask.extras import install_command

    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(f"a study needs {error.name}; run: {install_command('study')}") from error


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


@app.command()
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

    with _extra():
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


@app.command()
def words(
    language: Annotated[str, typer.Argument(metavar="CODE", help="A language that we bring: en or de.")],
    debug: o.Debug = False,
) -> None:
    """Print the words of a language as TOML, to be translated into another.

    Example: demask study words en > fr.toml
    """
    with _extra():
        from demask.study.language import text_of

    typer.echo(text_of(language), nl=False)


@app.command()
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
    with _extra():
        from demask.study.folder import open_study

    store = open_study(folder).store(database)
    try:
        if wanted:
            store.set_state(wanted)
        typer.echo(store.state())
    finally:
        store.close()


@app.command()
def simulate(
    folder: Folder,
    people: Annotated[
        int | None, typer.Option("--people", min=1, help="How many; default: as planned.")
    ] = None,
    effects: EffectsFile = None,
    seed: Annotated[int, typer.Option("--seed", envvar="DEMASK_SEED", help="Same seed, same answers.")] = 0,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Rehearse a study with simulated people, kept apart from real ones and stamped everywhere.

    Example: demask study simulate runs/study && demask study report runs/study --simulated -o runs/rehearsal
    """
    from demask.cli.streams import say

    with _extra():
        from demask.study.effects import default_effects, read_effects
        from demask.study.folder import open_study

    study = open_study(folder)
    known = read_effects(effects, study.plan) if effects else default_effects(study.plan)
    number = people or study.plan.people
    study.rehearse(known, people=number, seed=seed, overwrite=overwrite).close()
    if not quiet:
        say(f"{folder}: {number} SIMULATED people answered; demask study report {folder} --simulated -o OUT")


@app.command()
def judge(
    folder: Folder,
    people: Annotated[
        int | None, typer.Option("--people", min=1, help="How many sessions; default: as planned.")
    ] = None,
    realism_network: Annotated[
        Path | None,
        typer.Option(
            "--realism-network", help="ONNX: crops uint8 [N, H, W, 3] to a score [N, 1], above 0 = real."
        ),
    ] = None,
    expression_network: Annotated[
        Path | None,
        typer.Option("--expression-network", help="ONNX: crops uint8 [N, H, W, 3] to 7 scores, neutral first."),
    ] = None,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Let networks answer a study's trials on its real pictures; kept apart from people and stamped everywhere.

    LPIPS rates and prefers, face embeddings say who is one person; both need their weights (`demask weights`).

    Example: demask study judge runs/study && demask study report runs/study --machines -o runs/machines
    """
    from demask.cli.streams import say

    with _extra():
        from demask.study.blocks import EXPRESSIONS
        from demask.study.folder import open_study
        from demask.study.machines import Expression, Realism, network_score, shipped_judges
        from demask.study.machines import judge as let_judge

    study = open_study(folder)
    judges = shipped_judges()
    if realism_network:
        judges.append(Realism(score=network_score(realism_network, 1), name=realism_network.name))
    if expression_network:
        score = network_score(expression_network, len(EXPRESSIONS))
        judges.append(Expression(score=score, name=expression_network.name))
    store = study.new_machines(overwrite=overwrite)
    try:
        able = let_judge(study, store, judges, people=people or study.plan.people)
    finally:
        store.close()
    if not quiet:
        for block in study.plan.blocks:
            say(f"{block.name}: {able.get(block.name, 'no machine here can answer it')}")


@app.command()
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

    with _extra():
        from demask.study.folder import new_study
        from demask.study.from_benchmark import make_folders
        from demask.study.plan_file import read_plan

    known = read_plan(plan) if plan else None
    rename = dict(text.partition("=")[::2] for text in system)
    made = make_folders(
        benchmark, data, out, list(rename), rename={k: v for k, v in rename.items() if v}, slice_name=part
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


@app.command()
def report(
    folder: Folder,
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report and its data.")],
    simulated: Annotated[bool, typer.Option("--simulated", help="Report the rehearsal instead.")] = False,
    machines: Annotated[bool, typer.Option("--machines", help="Report what networks judged instead.")] = False,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Show the best and worst pictures: a page not to be passed on.")
    ] = False,
    power: Annotated[
        int, typer.Option("--power", min=0, metavar="STUDIES", help="Simulate so many studies for the power.")
    ] = 0,
    effects: EffectsFile = None,
    free_text: Annotated[
        bool, typer.Option("--free-text", help="Export what people wrote in their own words.")
    ] = False,
    database: Database = None,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Compute every figure; write an HTML page, CSV and JSON, and a paragraph for a methods section.

    Example: demask study report runs/study -o runs/study-report
    """
    from itertools import combinations

    from demask.cli.streams import say

    with _extra():
        from demask.study.blocks import RatingBlock
        from demask.study.effects import default_effects, read_effects
        from demask.study.folder import open_study
        from demask.study.power import power_of_rating
        from demask.study.report import write_report

    study = open_study(folder)
    found = []
    if power:
        known = read_effects(effects, study.plan) if effects else default_effects(study.plan)
        for block in study.plan.blocks:
            if isinstance(block, RatingBlock):
                for first, second in combinations(block.shown(study.plan.systems), 2):
                    found.append(
                        power_of_rating(study.plan, study.labels, known, block, first, second, studies=power)
                    )
    store = study.machines() if machines else study.store(database, simulated=simulated)
    try:
        results = write_report(
            store,
            out,
            overwrite=overwrite,
            free_text=free_text,
            power=found,
            pictures=study if pictures else None,
        )
    finally:
        store.close()
    if not quiet:
        kind = {"": "people", "machines": "MACHINE judges"}.get(results.kind, "SIMULATED people")
        say(f"{out / 'report.html'}: {results.num_counted} {kind} counted, {len(results.excluded)} excluded")


@app.command()
def serve(
    folder: Folder,
    host: Annotated[
        str,
        typer.Option("--host", envvar="DEMASK_STUDY_HOST", help="Address to listen on; others need a key."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", envvar="DEMASK_STUDY_PORT", min=0, max=65535, help="0 = any free one.")
    ] = 8190,
    admin_key: Annotated[
        str | None,
        typer.Option(
            "--admin-key",
            envvar="DEMASK_STUDY_ADMIN_KEY",
            metavar="KEY",
            help="Opens the admin page; better by the variable, which no list of processes shows.",
        ),
    ] = None,
    enrolment: Annotated[
        Literal["open", "links"],
        typer.Option("--enrolment", help="Who may join: all who come, or only by a link of `study invite`."),
    ] = "open",
    most_people: Annotated[
        int | None,
        typer.Option("--most-people", min=1, help="Open enrolment ends there; default: twice as planned."),
    ] = None,
    database: Database = None,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Offer a study as pages that work on phones and by keyboard, until stopped.

    The consent page says that faces are partly INVENTED. No name and no address is stored or logged.

    Example: demask study serve runs/study
    """
    from demask.cli.streams import say

    with _extra():
        from demask.study.folder import open_study
        from demask.study.web.study_app import WebConfig
        from demask.study.web.study_server import ServeConfig
        from demask.study.web.study_server import serve as serve_study

    web = WebConfig(enrolment=enrolment, most_people=most_people, admin_key=admin_key)
    study = open_study(folder)
    store = study.store(database)
    try:
        config = ServeConfig(host=host, port=port, web=web)
        serve_study(study, store, config, (lambda line: None) if quiet else say)
    finally:
        store.close()


@app.command()
def invite(
    folder: Folder,
    people: Annotated[int, typer.Option("--people", min=1, help="How many links.")],
    address: Annotated[
        str, typer.Option("--address", metavar="URL", help="Where people will find the study.")
    ] = "http://127.0.0.1:8190/",
    language: Annotated[
        str | None, typer.Option("--language", help="Of the pages; default: the plan's first.")
    ] = None,
    database: Database = None,
    debug: o.Debug = False,
) -> None:
    """Print personal links on stdout, one a line; each is one participant's, and works until withdrawal.

    Example: demask study invite runs/study --people 20 --address https://study.example.org/ > links.txt
    """
    with _extra():
        from demask.study.folder import open_study

    study = open_study(folder)
    store = study.store(database)
    try:
        for _ in range(people):
            typer.echo(f"{address.rstrip('/')}/#{store.enrol(language or study.plan.languages[0])}")
    finally:
        store.close()
