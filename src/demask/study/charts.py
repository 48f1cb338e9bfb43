"""Two plots of a study as inline SVG, beside the dots that the benchmark has too: fractions, a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from demask.evaluation.svg_plots import ROW_PX, dots, svg

__all__ = ["dots", "matrix", "stacked"]

_LABEL_PX, _PLOT_PX = 170, 380
_SHADES = ("#b2182b", "#ef8a62", "#fddbc7", "#e8e8e8", "#d1e5f0", "#67a9cf", "#2166ac")


def stacked(rows: Sequence[tuple[str, Sequence[int]]], names: Sequence[str]) -> str:
    """How often each category was chosen, a bar of fractions per row.

    Args:
        rows: Label and counts, one per category.
        names: Of the categories, lowest first.
    """
    parts = []
    for place, (label, counts) in enumerate(rows):
        y, x, total = 4 + ROW_PX * place, float(_LABEL_PX), max(1, sum(counts))
        parts.append(f'<text x="{_LABEL_PX - 10}" y="{y + 18}" class="name">{escape(label)}</text>')
        for number, count in enumerate(counts):
            width = _PLOT_PX * count / total
            shade = _SHADES[round(number * (len(_SHADES) - 1) / max(1, len(counts) - 1))]
            words = f"{label}, {names[number]}: {count} of {total} ({count / total:.0%})"
            parts.append(
                f'<rect x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="{ROW_PX - 8}" fill="{shade}">'
                f"<title>{escape(words)}</title></rect>"
            )
            x += width
    height = ROW_PX * len(rows) + 26
    ends = ((names[0], _LABEL_PX, "start"), (names[-1], _LABEL_PX + _PLOT_PX, "end"))
    parts += [
        f'<text x="{x}" y="{height - 6}" style="text-anchor:{anchor}" class="tick">{escape(name)}</text>'
        for name, x, anchor in ends
    ]
    return svg(
        _LABEL_PX + _PLOT_PX + 60,
        height,
        parts,
        "Fraction of ratings by " + ", ".join(name for name, _ in rows),
    )


def matrix(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Rows are labels, columns answers; each cell is a fraction of its row.

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
            fraction = count / total if total else 0.0
            x, y = left + cell * column, top + cell * row
            words = f"{names[row]} seen as {names[column]}: {count} of {total}"
            parts.append(
                f'<rect x="{x}" y="{y}" width="{cell - 1}" height="{cell - 1}" fill="#2166ac" '
                f'fill-opacity="{fraction:.3f}" class="cell"><title>{escape(words)}</title></rect>'
            )
            if total:
                parts.append(
                    f'<text x="{x + cell / 2}" y="{y + cell / 2 + 4}" '
                    f'class="tick{" on" if fraction > 0.55 else ""}">{100 * fraction:.0f}</text>'
                )
    size = cell * len(names)
    return svg(left + size + 60, top + size + 8, parts, "Confusion matrix, per cent of each row")
