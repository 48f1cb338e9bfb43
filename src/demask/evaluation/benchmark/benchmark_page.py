"""The benchmark as one HTML page: tables that sort, plots, pictures; nothing outside of it is needed."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from PIL import Image

from demask.dataset.frozen_set import read_picture
from demask.evaluation import svg_plots
from demask.evaluation.aggregate import BASE_SLICE
from demask.evaluation.answers import Setting
from demask.evaluation.benchmark.benchmark_plan import Plan
from demask.evaluation.benchmark.cases import Case, Cases, choose_cases
from demask.evaluation.benchmark.html_tables import Speed, filters, html_table, speed_table, with_speed
from demask.evaluation.bootstrap import Interval
from demask.evaluation.figure_tables import (
    INVENTED,
    SETTING_TITLES,
    Report,
    about_lines,
    all_tables,
    slice_title,
)
from demask.evaluation.metrics.metric_catalogue import heading_of, metric_of
from demask.types import ImageU8

Record = dict[str, Any]

SORTABLE = ("figures", "differences")
PLOTTED = ("hole_lpips", "hole_psnr", "hole_ssim", "lpips", "identity", "landmarks")
_WEBP_QUALITY = 90
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def render(
    plan: Plan,
    records: Mapping[str, Record],
    report: Report,
    speed: Speed,
    *,
    setting: Setting,
    pictures: Path | None,
) -> str:
    """The page as HTML.

    Args:
        plan: What was measured.
        records: By key.
        report: What `results.json` holds.
        speed: From `measure_speed`.
        setting: The one that is shown first, and whose pictures are kept.
        pictures: Folder of kept pictures; None shows none.
    """
    first = next((name for name in report["slices"][setting] if name == BASE_SLICE), None)
    first = first or next(iter(report["slices"][setting]))
    base = report["base"]
    parts: dict[str, tuple[str, str]] = {}  # By title: its name and what it holds.
    for table in [*all_tables(report), speed_table(report, speed)]:
        shown = with_speed(table, speed) if table.name == "figures" else table
        html = html_table(shown, base=base, sortable=table.name in SORTABLE)
        if table.name == "figures":
            html = filters(report, setting=setting, slice=first) + html
        name, before = parts.get(table.title, (table.name, ""))
        parts[table.title] = name, before + html
    for title, (name, html) in parts.items():
        if name.startswith("group-"):
            parts[title] = name, f"<details><summary>show</summary>{html}</details>"
    plots = {"Plots": ("plots", _plots(report, speed, setting, first))}
    shown_pictures = {"Pictures": ("pictures", _pictures(plan, records, setting, pictures))}
    sections = [(title, *part) for title, part in {**plots, **parts, **shown_pictures}.items() if part[1]]
    sections.sort(key=lambda section: section[1] != "figures")  # What was measured comes first.
    links = "".join(f'<li><a href="#part-{name}">{escape(title)}</a></li>' for title, name, _ in sections)
    body = "".join(
        f'<section id="part-{name}"><h2>{escape(title)}</h2>{html}</section>' for title, name, html in sections
    )
    lines = "".join(f"<p>{escape(line)}</p>" for line in about_lines(report) if line != INVENTED)
    several = len(report["systems"]) > 1
    title = (
        f"Benchmark of {len(report['systems'])} ways to fill the hole" if several else f"Benchmark of {base}"
    )
    style, script = (
        resources.files("demask.evaluation.benchmark").joinpath(name).read_text(encoding="utf-8")
        for name in ("benchmark_page.css", "benchmark_page.js")
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f'<body><main><h1>{escape(title)}</h1><p class="note"><strong>{escape(INVENTED)}</strong>'
        f"{_privacy(pictures)}</p>{lines}<p>Made by <code>{escape(report['command'])}</code>.</p>"
        f'<nav aria-label="Parts"><ul>{links}</ul></nav>{body}</main><script>{script}</script></body></html>\n'
    )


def _privacy(pictures: Path | None) -> str:
    if pictures is None:
        return ""
    return " The pictures below show people: pass this page on only where their photographs may go."


def _plots(report: Report, speed: Speed, setting: str, first: str) -> str:
    """Every figure per slice of the setting shown first, and quality against time."""
    slices = report["slices"][setting]
    names = list(slices)
    systems = list(report["systems"])
    wide = max(len(system) for system in systems) * 6.6 + 16
    figures = []
    for figure in PLOTTED:
        rows = [
            (system, [_estimate(slices[name][system]["mean"][figure]) for name in names]) for system in systems
        ]
        shown = [estimate for _, estimates in rows for estimate in estimates]
        if all(estimate.num == 0 for estimate in shown):
            continue
        low, high = svg_plots.axis(shown)
        unit = f"{heading_of(figure)} ({metric_of(figure).better} is better)"
        plot = svg_plots.grouped_dots(
            rows,
            series=[slice_title(name) for name in names],
            low=low,
            high=high,
            unit=unit,
            label_px=round(wide),
            plot_px=round(330 - wide),
        )
        figures.append(f"<figure>{plot}</figure>")
    legend = "".join(
        f'<li class="s{number % 4}"><svg viewBox="-8 -8 16 16" width="16" height="16" aria-hidden="true">'
        f"{svg_plots.mark(number, 0, 0)}</svg>{escape(slice_title(name))}</li>"
        for number, name in enumerate(names)
    )
    html = f"<h3>Setting {escape(SETTING_TITLES[setting])}</h3>"
    html += f'<ul class="legend">{legend}</ul><div class="plots">{"".join(figures)}</div>'
    timed = [
        (system, speed[system]["cpu_s"]["median"], _estimate(slices[first][system]["mean"][figure]), figure)
        for figure in ("hole_lpips", "hole_psnr")
        for system in systems
        if speed[system]["cpu_s"]
    ]
    pairs = []
    for figure in ("hole_lpips", "hole_psnr"):
        rows_ = [
            (name, max(time, 1e-6), found) for name, time, found, of in timed if of == figure and found.num
        ]
        if rows_:
            unit = f"{heading_of(figure)} ({metric_of(figure).better} is better)"
            time = "processor time of the restorer for a crop, one thread"
            pairs.append(f"<figure>{svg_plots.against_time(rows_, unit=unit, time=time)}</figure>")
    if pairs:
        html += f"<h3>Quality against time, {escape(slice_title(first))}</h3>"
        html += f'<div class="plots">{"".join(pairs)}</div>'
    return html


def _pictures(plan: Plan, records: Mapping[str, Record], setting: Setting, folder: Path | None) -> str:
    if folder is None:
        return ""
    cases = choose_cases(plan, records, setting)
    figure = heading_of(cases.ranked_by)
    said = f"Setting {SETTING_TITLES[setting]}. The number below a picture is its {figure}; smaller is better."
    parts = [f"<p>{escape(said)}</p>"]
    for title, shown in (
        (f"A sample, drawn by the seed {plan.config.seed}", cases.sample),
        (f"Worst cases by {figure}", cases.worst),
        (f"Best cases by {figure}", cases.best),
    ):
        rows = "".join(_case(plan, records, cases, case, folder) for case in shown)
        parts.append(f"<h3>{escape(title)}</h3>{rows}")
    return "".join(parts)


def _case(plan: Plan, records: Mapping[str, Record], cases: Cases, case: Case, folder: Path) -> str:
    index = next(iter(case.jobs.values())).index
    picture = read_picture(plan.config.data, plan.rows[index])
    words = [slice_title(case.place[0]), str(picture.recipe.get("kind", "unknown")).replace("_", " ")]
    heading = f"{words[0]}, {words[1]}" + (f": for {', '.join(case.why)}" if case.why else "")
    tiles = [
        _tile("truth", picture.face, "the bare face", kind="truth"),
        _tile("input", picture.masked, "the face with its covering", kind="truth"),
    ]
    for system in plan.jobs:
        job = case.jobs.get(system)
        if job is None:
            tiles.append(_no_tile(system, "not in its subset"))
            continue
        record, path = records[job.key], folder / f"{job.key}.webp"
        if record["error"] is not None or not path.is_file():
            tiles.append(_no_tile(system, "failed" if record["error"] is not None else "no picture kept"))
            continue
        value = record["figures"][cases.ranked_by]
        number = "" if value is None else f" {value:.{metric_of(cases.ranked_by).places}f}"
        bare = "" if record["restored"] else ", no hole found"
        tiles.append(_image(path.read_bytes(), f"{system}{number}{bare}", f"restored by {system}"))
    return f'<div class="case"><h4>{escape(heading)}</h4><div class="tiles">{"".join(tiles)}</div></div>'


def _tile(caption: str, picture: ImageU8, words: str, *, kind: str = "") -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="WEBP", quality=_WEBP_QUALITY)
    return _image(buffer.getvalue(), caption, words, kind=kind)


def _image(data: bytes, caption: str, words: str, *, kind: str = "") -> str:
    address = "data:image/webp;base64," + base64.b64encode(data).decode()
    return (
        f'<figure class="{kind}"><img src="{address}" alt="{escape(words)}" width="256" height="256">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _no_tile(caption: str, why: str) -> str:
    return f'<figure><div class="none">{escape(why)}</div><figcaption>{escape(caption)}</figcaption></figure>'


def _estimate(interval: Mapping[str, Any]) -> Interval:
    numbers = {
        name: float("nan") if interval[name] is None else float(interval[name])
        for name in ("value", "low", "high")
    }
    return Interval(**numbers, num=interval["num"])
