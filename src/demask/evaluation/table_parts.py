"""What a table of figures is made of, and how it becomes Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demask.evaluation.metrics.metric_catalogue import metric_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        text: What it says.
        value: What it is sorted by; None where there is no number.
        verdict: `won`, `lost` or nothing.
    """

    text: str
    value: float | None = None
    verdict: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One row.

    Attributes:
        name: Its first cell.
        cells: The others, words before numbers.
        setting: For choosing rows; empty in tables that have no such column.
        slice: The same.
    """

    name: str
    cells: tuple[Cell, ...]
    setting: str = ""
    slice: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FigureTable:
    """One table.

    Attributes:
        name: Short, unique in the report.
        title: A heading; tables of one heading stand together.
        caption: What it shows.
        head: Headings of all columns.
        num_words: How many columns, from the left, hold words.
        lines: The rows.
    """

    name: str
    title: str
    caption: str
    head: tuple[str, ...]
    num_words: int
    lines: tuple[Line, ...]


def markdown_of(tables: Sequence[FigureTable]) -> str:
    """Some tables of a report, under their titles."""
    parts, title = [], ""
    for table in tables:
        if table.title != title:
            title = table.title
            parts.append(f"## {title}")
        parts += [table.caption, markdown_table(table.head, map(_texts, table.lines))]
    return "\n\n".join(parts)


def markdown_table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a bar in a cell is escaped."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in lines)


def figure_cell(interval: Mapping[str, Any] | None, figure: str) -> Cell:
    """A mean and its interval."""
    return _interval_cell(interval, metric_of(figure).places)


def fraction(interval: Mapping[str, Any] | None) -> Cell:
    """A fraction or a ratio and its interval."""
    return _interval_cell(interval, 3)


def _interval_cell(interval: Mapping[str, Any] | None, places: int) -> Cell:
    if interval is None or interval["value"] is None:
        return Cell(text="-")
    value, low, high = (f"{interval[key]:.{places}f}" for key in ("value", "low", "high"))
    return Cell(text=f"{value} [{low}, {high}]", value=interval["value"])


def _texts(line: Line) -> list[str]:
    return [line.name, *(cell.text for cell in line.cells)]
