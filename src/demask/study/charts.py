"""Three plots as inline SVG: dots with intervals, stacked shares, a matrix. No script, no outside address."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from demask.study.intervals import Estimate

_LABEL_PX, _PLOT_PX, _ROW_PX = 170, 380, 30
_SHADES = ("#b2182b", "#ef8a62", "#fddbc7", "#e8e8e8", "#d1e5f0", "#67a9cf", "#2166ac")


def dots(rows: Sequence[tuple[str, Estimate]], *, low: float, high: float, unit: str) -> str:
    """A dot and its interval per row.

    Args:
        rows: Label and estimate; without a figure the row stays empty.
        low: Left end of the axis.
        high: Right end; greater than `low`.
        unit: Stands under the axis.
    """
    height = _ROW_PX * len(rows) + 44

    def x(value: float) -> float:
        return _LABEL_PX + _PLOT_PX * (min(max(value, low), high) - low) / (high - low)

    parts = []
    for step in range(5):
        value = low + (high - low) * step / 4
        parts.append(f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="4" y2="{height - 38}" class="grid"/>')
        parts.append(f'<text x="{x(value):.1f}" y="{height - 22}" class="tick">{value:.3g}</text>')
    for place, (label, estimate) in enumerate(rows):
        y = 4 + _ROW_PX * (place + 0.5)
        parts.append(f'<text x="{_LABEL_PX - 10}" y="{y + 4}" class="name">{escape(label)}</text>')
        if estimate.value == estimate.value:
            words = f"{label}: {estimate}"
            parts.append(
                f"<g><title>{escape(words)}</title>"
                f'<line x1="{x(estimate.low):.1f}" x2="{x(estimate.high):.1f}" y1="{y}" y2="{y}" class="bar"/>'
                f'<circle cx="{x(estimate.value):.1f}" cy="{y}" r="5" class="dot"/></g>'
            )
    parts.append(f'<text x="{_LABEL_PX + _PLOT_PX / 2}" y="{height - 4}" class="tick">{escape(unit)}</text>')
    return _svg(_LABEL_PX + _PLOT_PX + 60, height, parts, f"{unit}: " + ", ".join(name for name, _ in rows))


def stacked(rows: Sequence[tuple[str, Sequence[int]]], names: Sequence[str]) -> str:
    """How often each category was chosen, a bar of shares per row.

    Args:
        rows: Label and counts, one per category.
        names: Of the categories, lowest first.
    """
    parts = []
    for place, (label, counts) in enumerate(rows):
        y, x, total = 4 + _ROW_PX * place, float(_LABEL_PX), max(1, sum(counts))
        parts.append(f'<text x="{_LABEL_PX - 10}" y="{y + 18}" class="name">{escape(label)}</text>')
        for number, count in enumerate(counts):
            width = _PLOT_PX * count / total
            shade = _SHADES[round(number * (len(_SHADES) - 1) / max(1, len(counts) - 1))]
            words = f"{label}, {names[number]}: {count} of {total} ({count / total:.0%})"
            parts.append(
                f'<rect x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="{_ROW_PX - 8}" fill="{shade}">'
                f"<title>{escape(words)}</title></rect>"
            )
            x += width
    height = _ROW_PX * len(rows) + 26
    ends = ((names[0], _LABEL_PX, "start"), (names[-1], _LABEL_PX + _PLOT_PX, "end"))
    parts += [
        f'<text x="{x}" y="{height - 6}" style="text-anchor:{anchor}" class="tick">{escape(name)}</text>'
        for name, x, anchor in ends
    ]
    return _svg(
        _LABEL_PX + _PLOT_PX + 60, height, parts, "Shares of ratings by " + ", ".join(name for name, _ in rows)
    )


def matrix(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Rows are labels, columns answers; each cell is a share of its row.

    Args:
        counts: Square, whole numbers.
        names: Of rows and columns.
    """
    cell, left, top = 46, 90, 74
    parts = []
    for number, name in enumerate(names):
        x, y = left + cell * (number + 0.5), top + cell * (number + 0.5)
        parts.append(f'<text transform="translate({x + 4},{top - 8}) rotate(-50)">{escape(name)}</text>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" class="name">{escape(name)}</text>')
    for row, line in enumerate(counts):
        total = sum(line)
        for column, count in enumerate(line):
            share = count / total if total else 0.0
            x, y = left + cell * column, top + cell * row
            words = f"{names[row]} seen as {names[column]}: {count} of {total}"
            ink = "#fff" if share > 0.55 else "#222"
            parts.append(
                f'<rect x="{x}" y="{y}" width="{cell - 1}" height="{cell - 1}" '
                f'fill="#2166ac" fill-opacity="{share:.3f}" stroke="#ddd"><title>{escape(words)}</title></rect>'
            )
            if total:
                parts.append(
                    f'<text x="{x + cell / 2}" y="{y + cell / 2 + 4}" class="tick" '
                    f'style="fill:{ink}">{100 * share:.0f}</text>'
                )
    size = cell * len(names)
    return _svg(left + size + 60, top + size + 8, parts, "Confusion matrix, per cent of each row")


def _svg(width: float, height: float, parts: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )
