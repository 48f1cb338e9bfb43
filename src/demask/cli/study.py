"""`demask study`: people judge pictures; plan it, rehearse it, offer it, report it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from demask.cli import options as o
from demask.cli import study_making
from demask.cli.study_making import Database, EffectsFile, Folder, needs_extra

app = typer.Typer(
    help="Run a study in which people judge pictures: plan, rehearse, serve, report.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command()(study_making.new)
app.command()(study_making.words)
app.command()(study_making.state)


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

    with needs_extra():
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

    with needs_extra():
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


app.command()(study_making.folders)


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

    with needs_extra():
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

    with needs_extra():
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
    with needs_extra():
        from demask.study.folder import open_study

    study = open_study(folder)
    store = study.store(database)
    try:
        for _ in range(people):
            typer.echo(f"{address.rstrip('/')}/#{store.enrol(language or study.plan.languages[0])}")
    finally:
        store.close()
