"""The part of the report that shows one block: its tables and plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from demask.study import charts
from demask.study.analysis import BlockResults
from demask.study.intervals import Estimate


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table of plain text."""
    head = "".join(f"<th scope=col>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def block_section(found: BlockResults, points: tuple[int, int]) -> str:
    """Everything about one block.

    Args:
        found: Its figures.
        points: Lowest and highest rating, for the axis.
    """
    if not found.num_answers:
        return "<p>No answers that count.</p>"
    return (
        _facts(found) + _ratings(found, points) + _detection(found) + _preference(found) + _expressions(found)
    )


def _facts(found: BlockResults) -> str:
    same, moved, num = found.retest
    rows = [
        ["answers that count", str(found.num_answers)],
        ["answers per picture", f"{found.min_per_picture} to {found.max_per_picture}"],
        ["median reaction", f"{found.median_reaction_ms:.0f} ms"],
    ]
    if num:
        change = f", mean change {moved:.2f}" if math.isfinite(moved) else ""
        rows.append([f"{num} repeated trials", f"{same:.0%} answered as before{change}"])
    if found.alpha is not None:
        rows.append([f"Krippendorff's alpha ({found.alpha_level})", _interval(found.alpha, 3)])
    return table(["", found.kind.replace("_", " ")], rows)


def _ratings(found: BlockResults, points: tuple[int, int]) -> str:
    if not found.ratings:
        return ""
    rows = [
        [
            item.condition,
            f"{item.mean.value:.2f} ± {item.sd:.2f}",
            f"[{item.mean.low:.2f}, {item.mean.high:.2f}]",
            f"[{item.bootstrap[0]:.2f}, {item.bootstrap[1]:.2f}]",
            _interval(item.index_rescaled, 1),
            _interval(item.index_top_two, 1),
            _interval(item.index_of_maximum, 1),
            _interval(found.dmos[item.condition], 2) if item.condition in found.dmos else "",
            str(item.mean.num),
        ]
        for item in found.ratings
    ]
    header = [
        "condition", "mean ± SD", "95 %", "95 %, bootstrap", "index, rescaled mean", "index, top two",
        "index, mean / maximum", "DMOS", "answers",
    ]  # fmt: skip
    low, high = points
    slider = (low, high) == (0, 100)
    names = (
        [f"{10 * i} to {10 * i + 10}" for i in range(10)] if slider else list(map(str, range(low, high + 1)))
    )
    html = table(header, rows)
    html += charts.dots(
        [(item.condition, item.mean) for item in found.ratings], low=low, high=high, unit="mean rating"
    )
    html += charts.stacked([(item.condition, item.histogram) for item in found.ratings], names)
    compared = [
        [f"{item.first} - {item.second}", _interval(item.difference, 2), _p(item.p), _p(item.p_holm)]
        for item in found.differences
    ]
    return html + table(["difference of means", "95 %", "p", "p, Holm"], compared) if compared else html


def _detection(found: BlockResults) -> str:
    if not found.detection:
        return ""
    rows = [
        [
            item.system,
            _interval(item.accuracy.scaled(100), 1),
            f"{100 * item.accuracy_people[0]:.2f} ± {100 * item.accuracy_people[1]:.2f}",
            _interval(item.fooled.scaled(100), 1),
            _interval(item.d_prime, 2),
            f"{item.bias:+.2f}",
            str(item.accuracy.num),
        ]
        for item in found.detection
    ]
    header = [
        "system",
        "accuracy, %",
        "mean ± SD over people, %",
        "taken for real, %",
        "d'",
        "bias c",
        "answers",
    ]
    plot = charts.dots(
        [(item.system, item.accuracy.scaled(100)) for item in found.detection],
        low=0,
        high=100,
        unit="accuracy, %",
    )
    return table(header, rows) + plot


def _preference(found: BlockResults) -> str:
    if not found.preference:
        return ""
    rows = [
        [
            str(item.rank),
            item.system,
            _interval(item.strength, 2),
            _interval(item.wins.scaled(100), 1),
            str(item.wins.num),
        ]
        for item in found.preference
    ]
    reach = max(
        1.0, *(abs(end) for item in found.preference for end in (item.strength.low, item.strength.high))
    )
    reach = math.ceil(reach * 2) / 2
    plot = charts.dots(
        [(item.system, item.strength) for item in found.preference],
        low=-reach,
        high=reach,
        unit="Bradley-Terry log-strength",
    )
    return table(["rank", "system", "log-strength", "won, %", "comparisons"], rows) + plot


def _expressions(found: BlockResults) -> str:
    if not found.expressions:
        return ""
    names = found.expressions[0].expressions
    rows = [
        [
            item.condition,
            _interval(item.accuracy.scaled(100), 1),
            *(
                _interval(item.per_expression[name].scaled(100), 0) if name in item.per_expression else ""
                for name in names
            ),
        ]
        for item in found.expressions
    ]
    html = table(["condition", "recognised, %", *names], rows)
    html += charts.dots(
        [(item.condition, item.accuracy.scaled(100)) for item in found.expressions],
        low=0,
        high=100,
        unit="recognised, %",
    )
    figures = "".join(
        f"<figure>{charts.matrix(item.confusion, names)}<figcaption>{escape(item.condition)}: rows are the "
        "labels, columns the answers, per cent of the row</figcaption></figure>"
        for item in found.expressions
    )
    return f'{html}<div class="figures">{figures}</div>'


def _interval(estimate: Estimate, digits: int) -> str:
    if not math.isfinite(estimate.value):
        return ""
    ends = (f"{end:.{digits}f}" for end in (estimate.value, estimate.low, estimate.high))
    value, low, high = ends
    return f"{value} [{low}, {high}]"


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")
