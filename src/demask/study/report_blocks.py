"""The part of the report that shows one block: its tables and plots."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from html import escape

from demask.study import charts
from demask.study.analysis import BlockResults
from demask.study.intervals import FEWEST, Estimate

NONE = "–"
"""In a cell without a figure."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, label: str = "") -> str:
    """An HTML table of plain text that scrolls by itself on a narrow screen."""
    label = label or f"Table: {', '.join(name for name in header if name)}"
    # A column without a name is no header: whoever hears the page would be told an empty one.
    head = "".join(f"<th scope=col>{escape(cell)}</th>" if cell else "<td></td>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    open_tag = f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(label)}">'
    return f"{open_tag}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def block_section(found: BlockResults, points: tuple[int, int]) -> str:
    """Everything about one block.

    Args:
        found: Its figures.
        points: Lowest and highest rating, for the axis.
    """
    if not found.num_answers:
        return "<p>No answers that count: nobody answered this block, or the rule leaves all out.</p>"
    parts = [
        _facts(found), _ratings(found, points), _mushra(found), _detection(found), _preference(found),
        _expressions(found), _follow_up(found), _notes(found),
    ]  # fmt: skip
    return "".join(parts)


def _mushra(found: BlockResults) -> str:
    if not found.mushra:
        return ""
    rows = [
        [
            item.condition,
            f"{item.median:.0f}",
            f"{item.quartiles[0]:.0f} to {item.quartiles[1]:.0f}",
            f"{item.best:.0%}",
        ]
        for item in found.mushra
    ]
    html = table(["condition", "median", "middle half of the ratings", "best on its screen"], rows)
    if found.left_out:
        html += table(["left out of this block", "reason"], [[who, why] for who, why in found.left_out.items()])
    return html


def _follow_up(found: BlockResults) -> str:
    if not found.follow_up:
        return ""
    names = sorted({name for counts in found.follow_up.values() for name in counts})
    rows = [
        [condition, *(str(counts.get(name, 0)) for name in names)]
        for condition, counts in found.follow_up.items()
    ]
    return "<h3>The further question</h3>" + table(["condition", *names], rows)


def _notes(found: BlockResults) -> str:
    """What an empty cell means, and where an interval is missing."""
    notes = [
        f"{NONE} means that there is nothing to compute the figure from: no such picture was shown or judged."
    ]
    estimates = [item.mean for item in found.ratings] + [item.accuracy for item in found.detection]
    estimates += [item.wins for item in found.preference] + [item.accuracy for item in found.expressions]
    few = [estimate for estimate in estimates if estimate.too_few]
    if few:
        notes.append(
            f"Where it says “too few”, fewer than {FEWEST} people or {FEWEST} faces stand behind a figure: how "
            "sure it is cannot be told from so little."
        )
    if found.max_per_picture == 1:
        notes.append(
            "Each picture was judged once: figures rest on many pictures, no single picture's score does."
        )
    return "".join(f'<p class="note">{escape(note)}</p>' for note in notes)


def _range(found: BlockResults) -> str:
    low, high = found.min_per_picture, found.max_per_picture
    if high == 1:
        return "1: each picture was judged once"
    return str(high) if low == high else f"{low} to {high}"


def _facts(found: BlockResults) -> str:
    same, moved, num = found.retest
    rows = [
        ["answers that count", str(found.num_answers)],
        ["answers per picture", _range(found)],
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
            f"{item.mean.value:.2f} ± {item.sd:.2f}"
            if math.isfinite(item.sd)
            else f"{item.mean.value:.2f} (one)",
            "too few" if item.mean.too_few else f"[{item.mean.low:.2f}, {item.mean.high:.2f}]",
            "too few" if item.mean.too_few else f"[{item.bootstrap[0]:.2f}, {item.bootstrap[1]:.2f}]",
            _interval(item.index_rescaled, 1),
            _interval(item.index_top_two, 1),
            _interval(item.index_of_maximum, 1),
            _interval(found.dmos[item.condition], 2) if item.condition in found.dmos else NONE,
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
    html += _dots(
        [(item.condition, item.mean) for item in found.ratings], low=low, high=high, unit="mean rating"
    )
    shares = charts.stacked([(item.condition, item.histogram) for item in found.ratings], names)
    html += f'<div class="scroll" tabindex="0" role="group" aria-label="Plot: ratings given">{shares}</div>'
    ends = f"from {names[0]} (left, red) to {names[-1]} (right, blue)"
    html += f'<p class="note">How often each rating was given, {ends}.</p>'
    compared = [
        [
            f"{item.first} - {item.second}",
            _interval(item.difference, 2),
            NONE if item.difference.too_few else _p(item.p),
            NONE if item.difference.too_few else _p(item.p_holm),
        ]
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
    plot = _dots(
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
        1.0,
        *(min(abs(end), 20.0) for item in found.preference for end in (item.strength.low, item.strength.high)),
    )
    reach = math.ceil(reach * 2) / 2
    plot = _dots(
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
                _interval(item.per_expression[name].scaled(100), 0) if name in item.per_expression else NONE
                for name in names
            ),
        ]
        for item in found.expressions
    ]
    html = table(["condition", "recognised, %", *names], rows)
    html += _dots(
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


def _dots(rows: Sequence[tuple[str, Estimate]], *, low: float, high: float, unit: str) -> str:
    """Dots with intervals, and the words that read them; no interval where too few stand behind it."""
    told = [(name, _bare(estimate) if estimate.too_few else estimate) for name, estimate in rows]
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="Plot: {escape(unit)}">'
        f"{charts.dots(told, low=low, high=high, unit=unit)}</div>"
        '<p class="note">Dot: the figure. Line: its 95 % interval; where two overlap much, both may be alike.'
        "</p>"
    )


def _bare(estimate: Estimate) -> Estimate:
    return dataclasses.replace(estimate, low=estimate.value, high=estimate.value)


def _interval(estimate: Estimate, digits: int) -> str:
    if not math.isfinite(estimate.value):
        return NONE
    ends = (f"{end:.{digits}f}" for end in (estimate.value, estimate.low, estimate.high))
    value, low, high = ends
    return f"{value} (too few)" if estimate.too_few else f"{value} [{low}, {high}]"


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")
