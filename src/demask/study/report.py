"""One self-contained HTML page, the data as CSV and JSON, and a paragraph for a methods section."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path

from demask.atomic import write_atomic
from demask.errors import OutputError
from demask.study import open_data
from demask.study.analysis import BlockResults, Results, analyse
from demask.study.blocks import MushraBlock, RatingBlock
from demask.study.folder import StudyFolder
from demask.study.methods import methods_paragraph, stamp_of
from demask.study.plan import Plan
from demask.study.power import Power
from demask.study.report_blocks import block_section, table
from demask.study.report_pictures import pictures_section
from demask.study.report_summary import plain_words
from demask.study.store import Store


def write_report(
    store: Store,
    out: Path,
    *,
    overwrite: bool = False,
    free_text: bool = False,
    power: Sequence[Power] = (),
    pictures: StudyFolder | None = None,
) -> Results:
    """Analyse a study and write the report's files into `out`.

    report.html, methods.txt, figures.csv, results.json, answers.csv, answers.json and people.csv.

    Args:
        store: The study.
        out: Folder, made where missing.
        overwrite: Replace files that are there.
        free_text: Export what people wrote in their own words.
        power: From `power.power_of_rating`, shown on the page.
        pictures: Show the best and worst pictures of this folder; the page may then be shown only where the
            photographs may.

    Raises:
        OutputExists: A file is there and `overwrite` is False.
        OutputError: The folder cannot be made.
    """
    people, records = store.people(), store.records()
    results = analyse(
        store.plan,
        people,
        records,
        simulated=store.simulated,
        machines=store.machines,
        num_withdrawn=store.num_withdrawn(),
    )
    paragraph = methods_paragraph(store.plan, results)
    files = {
        "report.html": render(store.plan, results, paragraph, power, pictures),
        "methods.txt": paragraph + "\n",
        "figures.csv": open_data.figures_csv(results),
        "results.json": open_data.results_json(results, store.plan_text),
        "answers.csv": open_data.answers_csv(records),
        "answers.json": open_data.answers_json(records),
        "people.csv": open_data.people_csv(store.plan, people, results, free_text=free_text),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {out}: {error.strerror}; name another") from error
    for name, text in files.items():
        write_atomic(out / name, text.encode(), overwrite=overwrite)
    return results


def render(
    plan: Plan,
    results: Results,
    paragraph: str,
    power: Sequence[Power] = (),
    pictures: StudyFolder | None = None,
) -> str:
    """The page: no script, no outside address, every heading of simulated data stamped."""
    stamp = f'<p class="stamp" role="note">{escape(stamp_of(results))}</p>' if results.simulated else ""
    title = f"{results.kind.upper()} - {plan.title}" if results.simulated else plan.title
    style = resources.files("demask.study").joinpath("report.css").read_text(encoding="utf-8")
    sections = [
        f"<section>{stamp}<h2>Block {escape(found.name)}</h2>{_block(plan, found)}"
        f"{pictures_section(found, pictures) if pictures else ''}</section>"
        for found in results.blocks
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f'<body class="{"simulated" if results.simulated else "real"}"><main><h1>{escape(title)}</h1>{stamp}'
        f"{_summary(plan, results)}{_people(results)}"
        f"<section>{stamp}<h2>Methods</h2><p>{escape(paragraph)}</p></section>"
        f"{''.join(sections)}{_power(power, stamp)}{_data(stamp)}</main></body></html>\n"
    )


def _summary(plan: Plan, results: Results) -> str:
    first, *rest = (escape(sentence) for sentence in plain_words(plan, results))
    items = "".join(f"<li>{sentence}</li>" for sentence in rest)
    return f'<div class="summary"><h2>In plain words</h2><p>{first}</p><ul>{items}</ul></div>'


def _block(plan: Plan, found: BlockResults) -> str:
    block = plan.block(found.name)
    points = (block.lowest, block.points) if isinstance(block, RatingBlock | MushraBlock) else (0, 1)
    return block_section(found, points)


def _people(results: Results) -> str:
    rows = [
        ["planned", str(results.num_planned)],
        ["took part", str(results.num_people)],
        ["finished", str(results.num_finished)],
        ["withdrew (answers deleted)", str(results.num_withdrawn)],
        ["excluded by the plan's rule", str(len(results.excluded))],
        ["counted", str(results.num_counted)],
        ["answers dropped for exposure time", str(results.num_dropped)],
    ]
    html = f"<section><h2>People</h2>{table(['', 'number'], rows)}"
    if results.excluded:
        html += table(["excluded", "reason"], [[who, why] for who, why in results.excluded.items()])
    return html + "</section>"


def _power(power: Sequence[Power], stamp: str) -> str:
    if not power:
        return ""
    rows = [
        [
            item.block,
            f"{item.first} - {item.second}",
            str(item.people),
            f"{item.difference:+.2f}",
            f"{item.power:.0%} [{item.interval[0]:.0%}, {item.interval[1]:.0%}]",
            str(item.studies),
        ]
        for item in power
    ]
    header = ["block", "difference", "people", "true size", "power", "simulated studies"]
    return (
        f"<section>{stamp}<h2>Power</h2><p>Fraction of simulated studies that find the difference at p &lt; "
        f".05, not adjusted.</p>{table(header, rows)}</section>"
    )


def _data(stamp: str) -> str:
    files = ("figures.csv", "results.json", "answers.csv", "answers.json", "people.csv", "methods.txt")
    items = "".join(f'<li><a href="{name}">{name}</a></li>' for name in files)
    return f"<section>{stamp}<h2>Data beside this page</h2><ul>{items}</ul></section>"
