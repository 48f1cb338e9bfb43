"""The page's tables: every figure, differences to the base, wins and losses, groups, failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from demask.evaluation.benchmark.judge import FIGURES
from demask.evaluation.benchmark.plan import Plan
from demask.evaluation.benchmark.summary import GROUP_FIGURES, Summary
from demask.evaluation.benchmark.tables import HOLE_TITLES, cell, group_title, slice_title, won
from demask.evaluation.metrics.catalogue import heading_of, metric_of

Speed = Mapping[str, Mapping[str, Any]]


def html_table(
    head: Sequence[str], body: Sequence[str], *, caption: str, name: str, sortable: bool = False
) -> str:
    """A table that scrolls sideways where it has no room, by touch and by key.

    Args:
        head: Cells of the head, as HTML.
        body: Rows, as HTML.
        caption: What it shows, plain text.
        name: Its id.
        sortable: Whether its heads sort it.
    """
    kind = ' class="sortable"' if sortable else ""
    return (
        f'<p class="soft" id="{name}-says">{escape(caption)}</p>'
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{name}-says">'
        f'<table id="{name}" aria-labelledby="{name}-says"{kind}><thead><tr>{"".join(head)}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def filters(plan: Plan, summary: Summary, *, hole: str, slice: str) -> str:
    """Choose a hole setting and a slice for all tables below; hidden where no script runs."""
    holes = [("", "all"), *((name, HOLE_TITLES[name]) for name in plan.config.holes)]
    names = dict.fromkeys(name for slices in summary["slices"].values() for name in slices)
    slices = [("", "all"), *((name, slice_title(name)) for name in names)]

    def choice(label: str, name: str, options: Sequence[tuple[str, str]], chosen: str) -> str:
        inner = "".join(
            f'<option value="{value}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
            for value, text in options
        )
        return f'<label>{label} <select name="{name}">{inner}</select></label>'

    return (
        f'<form class="filter" hidden aria-label="Rows of the tables">{choice("Hole", "hole", holes, hole)}'
        f"{choice('Slice', 'slice', slices, slice)}<span>for this table and the two further down</span></form>"
    )


def main_table(plan: Plan, summary: Summary, speed: Speed) -> str:
    """Every system under every hole setting in every slice."""
    head = [_head("system", words=True), *_PLACE]
    head += [_head("pictures"), _head("failed"), *(_head(_arrow(figure)) for figure in FIGURES)]
    head += [_head("time a crop, s ↓"), _head("memory, MB ↓")]
    body = []
    for hole, name, system, facts in _rows(summary):
        fast = speed[system]
        seconds = fast["cpu_s"]["median"] if fast["cpu_s"] else None
        cells = [_number(facts["num"]), _number(facts["num_failed"])]
        cells += [_interval(facts["mean"][figure], figure) for figure in FIGURES]
        cells += [_number(seconds, "{:.3g}"), _number(fast["peak_mb"], "{:.0f}")]
        body.append(_row(plan, hole, name, system, cells))
    caption = "Mean and 95 % interval; ↑ more is better, ↓ less is better. Press a heading to sort."
    return html_table(head, body, caption=caption, name="figures", sortable=True)


def difference_table(plan: Plan, summary: Summary) -> str:
    """Each system minus the base, over the same pictures."""
    base = plan.config.base_name
    head = [_head("system", words=True), *_PLACE, _head("pairs")]
    head += [_head(_arrow(figure)) for figure in FIGURES]
    body = [
        _row(
            plan,
            hole,
            name,
            system,
            [
                _number(facts["against_base"]["psnr"]["num"]),
                *(_interval(facts["against_base"][figure], figure) for figure in FIGURES),
            ],
        )
        for hole, name, system, facts in _rows(summary)
        if system != base
    ]
    caption = f"Minus {base} on the same pictures, mean and 95 % interval. Press a heading to sort."
    return html_table(head, body, caption=caption, name="differences", sortable=True)


def wins_table(plan: Plan, summary: Summary) -> str:
    """Where the base wins, and where it loses."""
    base = plan.config.base_name
    head = [_head("against", words=True), *_PLACE]
    head += [_head(heading_of(figure)) for figure in FIGURES]
    body = []
    for hole, name, system, facts in _rows(summary):
        if system != base:
            words = [won(facts["against_base"][figure]) for figure in FIGURES]
            cells = [f'<td class="{text.partition(" ")[0]}">{escape(text)}</td>' for text in words]
            body.append(_row(plan, hole, name, system, cells))
    return html_table(head, body, caption=f"{base} against each of the others", name="wins")


def group_tables(summary: Summary, hole: str) -> str:
    """Results by turn, skin, source and kind of covering, of one hole setting."""
    parts = []
    for trait, groups in summary["groups"][hole].items():
        systems = list(dict.fromkeys(system for facts in groups.values() for system in facts))
        for figure in GROUP_FIGURES:
            head = [_head("system")]
            for value, some in groups.items():
                head.append(_head(f"{value} ({max(facts['num'] for facts in some.values())})"))
            body = []
            for system in systems:
                cells = [
                    _interval(some[system][figure], figure) if system in some else "<td>-</td>"
                    for some in groups.values()
                ]
                body.append(f'<tr><th scope="row">{escape(system)}</th>{"".join(cells)}</tr>')
            if groups:
                caption = f"{heading_of(figure)} by {group_title(trait)}; in brackets how many pictures"
                parts.append(html_table(head, body, caption=caption, name=f"group-{hole}-{trait}-{figure}"))
    title = f"{HOLE_TITLES[hole].capitalize()}"  # type: ignore[index]
    return f"<details><summary>{title}</summary>{''.join(parts)}</details>" if parts else ""


def failure_table(summary: Summary) -> str:
    """Every failure with its reason."""
    if not summary["failures"]:
        return "<p>None.</p>"
    names = ("system", "hole", "slice", "face_id", "error")
    body = [
        f'<tr><th scope="row">{escape(failure["system"])}</th>'
        + "".join(
            f'<td class="{"long" if name == "error" else "word"}">{escape(failure[name])}</td>'
            for name in names[1:]
        )
        + "</tr>"
        for failure in summary["failures"]
    ]
    caption = "Pictures that a restorer failed on; they are in no mean"
    return html_table([_head(name, words=True) for name in names], body, caption=caption, name="failures")


def system_table(plan: Plan, speed: Speed) -> str:
    """Who took part, with version, time and memory."""
    head = [_head(name, words=True) for name in ("system", "version")]
    head += [
        _head("pictures"),
        *(_head(f"{name}, s") for name in ("median", "90 %", "longest")),
        _head("memory, MB"),
    ]
    body = []
    for system in plan.config.systems:
        facts, seconds = speed[system.name], speed[system.name]["cpu_s"] or {}
        cells = [f'<td class="word"><code>{escape(system.version)}</code></td>']
        cells.append(_number(sum(plan.taken(system.name).values())))
        cells += [_number(seconds.get(name), "{:.3g}") for name in ("median", "p90", "max")]
        cells.append(_number(facts["peak_mb"], "{:.0f}"))
        cells.append(f'<td class="long">{escape(system.paper)}</td>')
        body.append(f'<tr><th scope="row">{escape(system.name)}</th>{"".join(cells)}</tr>')
    caption = "Processor seconds of the restorer alone for a crop, one thread; most memory it held"
    return html_table([*head, _head("source", words=True)], body, caption=caption, name="systems")


def _rows(summary: Summary) -> list[tuple[str, str, str, Summary]]:
    return [
        (hole, name, system, facts)
        for hole, slices in summary["slices"].items()
        for name, systems in slices.items()
        for system, facts in systems.items()
    ]


def _row(plan: Plan, hole: str, name: str, system: str, cells: Sequence[str]) -> str:
    kind = ' class="base"' if system == plan.config.base_name else ""
    return (
        f'<tr data-hole="{hole}" data-slice="{escape(name)}"{kind}><th scope="row">{escape(system)}</th>'
        f'<td class="word of-hole">{hole}</td><td class="word of-slice">{escape(name.replace("_", " "))}</td>'
        f"{''.join(cells)}</tr>"
    )


def _head(text: str, *, words: bool = False, kind: str = "") -> str:
    """A column's head; `words` are sorted as such and stand left."""
    marks = f' class="word{kind and " " + kind}" data-words' if words else ""
    return f'<th scope="col"{marks}>{escape(text)}</th>'


_PLACE = (_head("hole", words=True, kind="of-hole"), _head("slice", words=True, kind="of-slice"))
"""Heads of the columns that the choice above the tables makes needless."""


def _arrow(figure: str) -> str:
    return heading_of(figure) + (" ↑" if metric_of(figure).better == "higher" else " ↓")


def _interval(interval: Mapping[str, Any], figure: str) -> str:
    if interval["value"] is None:
        return '<td data-value="">-</td>'
    value, _, ends = cell(interval, figure).partition(" ")
    return f'<td data-value="{interval["value"]}">{value}<small>{ends}</small></td>'


def _number(value: float | None, form: str = "{}") -> str:
    return (
        '<td data-value="">-</td>' if value is None else f'<td data-value="{value}">{form.format(value)}</td>'
    )
