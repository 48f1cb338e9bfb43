"""The tables of a report as HTML: they scroll sideways, sort, and show the rows that were chosen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from demask.evaluation.figure_tables import SETTING_TITLES, Report, slice_title
from demask.evaluation.table_parts import Cell, FigureTable, Line

Speed = Mapping[str, Mapping[str, Any]]

_PLACE = {"setting": "of-setting", "slice": "of-slice"}
"""Columns that the choice above the tables makes needless, and their class."""

_LONG = frozenset({"source", "error"})


def html_table(table: FigureTable, *, base: str, sortable: bool = False) -> str:
    """A table that scrolls sideways where it has no room, by touch and by key.

    Args:
        table: What it holds.
        base: The system that is marked.
        sortable: Whether its heads sort it.
    """
    kinds = [_PLACE.get(text, "") for text in table.head]
    long = [text in _LONG for text in table.head]
    head = "".join(
        _head(text, words=number < table.num_words, kind=kinds[number])
        for number, text in enumerate(table.head)
    )
    body = "".join(_row(line, table.num_words, kinds, long, base=line.name == base) for line in table.lines)
    caption = table.caption + (" Press a heading to sort." if sortable else "")
    return (
        f'<p class="soft" id="{table.name}-says">{escape(caption)}</p>'
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{table.name}-says">'
        f'<table id="{table.name}" aria-labelledby="{table.name}-says"{" class=sortable" if sortable else ""}>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def filters(report: Report, *, setting: str, slice: str) -> str:
    """Choose a setting and a slice for all tables; hidden where no script runs.

    Args:
        report: What the tables show.
        setting: The one chosen at first.
        slice: The same.
    """
    names = dict.fromkeys(name for slices in report["slices"].values() for name in slices)
    settings = [("", "all"), *((name, SETTING_TITLES[name]) for name in report["slices"])]
    slices = [("", "all"), *((name, slice_title(name)) for name in names)]

    def choice(label: str, name: str, options: Sequence[tuple[str, str]], chosen: str) -> str:
        inner = "".join(
            f'<option value="{value}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
            for value, text in options
        )
        return f'<label>{label} <select name="{name}">{inner}</select></label>'

    return (
        '<form class="filter" hidden aria-label="Rows of the tables">'
        f"{choice('Setting', 'setting', settings, setting)}{choice('Slice', 'slice', slices, slice)}"
        "<span>for this table and those further down</span></form>"
    )


def with_speed(means: FigureTable, speed: Speed) -> FigureTable:
    """The main table with time and memory of each system."""

    def cells(system: str) -> tuple[Cell, ...]:
        seconds = speed[system]["cpu_s"]
        return (
            _number(seconds["median"] if seconds else None, "{:.3g}"),
            _number(speed[system]["peak_mb"], "{:.0f}"),
        )

    lines = tuple(dataclasses.replace(line, cells=line.cells + cells(line.name)) for line in means.lines)
    head = (*means.head, "time a crop, s ↓", "memory, MB ↓")
    return dataclasses.replace(means, head=head, lines=lines)


def speed_table(report: Report, speed: Speed) -> FigureTable:
    """Time and memory of each system."""
    lines = []
    for name in report["systems"]:
        seconds = speed[name]["cpu_s"] or {}
        cells = [_number(seconds.get(key), "{:.3g}") for key in ("median", "p90", "max")]
        lines.append(Line(name=name, cells=(*cells, _number(speed[name]["peak_mb"], "{:.0f}"))))
    return FigureTable(
        name="speed",
        title="Time and memory",
        caption="Processor seconds of the restorer alone for a crop, one thread; most memory it held.",
        head=("system", "median, s", "90 %, s", "longest, s", "memory, MB"),
        num_words=1,
        lines=tuple(lines),
    )


def _row(line: Line, num_words: int, kinds: Sequence[str], long: Sequence[bool], *, base: bool) -> str:
    place = f' data-setting="{line.setting}" data-slice="{escape(line.slice)}"' if line.setting else ""
    cells = []
    for number, cell in enumerate(line.cells, start=1):
        if number < num_words:
            kind = "long" if long[number] else f"word {kinds[number]}".strip()
            cells.append(f'<td class="{kind}">{escape(cell.text)}</td>')
            continue
        value, _, ends = cell.text.partition(" ")
        small = f"<small>{escape(ends)}</small>" if ends.startswith("[") else f" {escape(ends)}" if ends else ""
        verdict = f' class="{cell.verdict}"' if cell.verdict else ""
        shown = "" if cell.value is None else cell.value
        cells.append(f'<td{verdict} data-value="{shown}">{escape(value)}{small}</td>')
    kind = ' class="base"' if base else ""
    return f'<tr{place}{kind}><th scope="row">{escape(line.name)}</th>{"".join(cells)}</tr>'


def _head(text: str, *, words: bool, kind: str) -> str:
    """A column's head; words are sorted as such and stand left."""
    marks = f' class="word{" " + kind if kind else ""}" data-words' if words else ""
    return f'<th scope="col"{marks}>{escape(text)}</th>'


def _number(value: float | None, form: str) -> Cell:
    return Cell(text="-") if value is None else Cell(text=form.format(value), value=value)
