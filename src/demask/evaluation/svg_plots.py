"""Plots as inline SVG: dots with intervals, and one figure against another. No script, no outside address."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Protocol

ROW_PX = 30
_SERIES_PX = 13
_SCATTER = (360, 300)
_MARGIN_LEFT, _MARGIN_BOTTOM, _MARGIN_TOP, _MARGIN_RIGHT = 52, 46, 10, 28
_LETTER_PX = 6.4


class Estimate(Protocol):
    """A figure with its interval; NaN where there is none."""

    @property
    def value(self) -> float:
        """The figure."""
        ...

    @property
    def low(self) -> float:
        """Lower end of its interval."""
        ...

    @property
    def high(self) -> float:
        """Upper end of its interval."""
        ...


def dots(
    rows: Sequence[tuple[str, Estimate]],
    *,
    low: float,
    high: float,
    unit: str,
    label_px: int = 170,
    plot_px: int = 380,
) -> str:
    """A dot and its interval per row; arguments as `grouped_dots`."""
    groups = [(label, [estimate]) for label, estimate in rows]
    return grouped_dots(groups, series=("",), low=low, high=high, unit=unit, label_px=label_px, plot_px=plot_px)


def grouped_dots(
    rows: Sequence[tuple[str, Sequence[Estimate]]],
    *,
    series: Sequence[str],
    low: float,
    high: float,
    unit: str,
    label_px: int = 170,
    plot_px: int = 380,
) -> str:
    """Several dots with their intervals per row, each of its own shape.

    Args:
        rows: Label and an estimate of each series; without a figure its place stays empty.
        series: Names; one name needs no legend.
        low: Left end of the axis.
        high: Right end; greater than `low`.
        unit: Stands under the axis.
        label_px: Room for the labels.
        plot_px: Width of the axis.
    """
    row_px = max(ROW_PX, _SERIES_PX * len(series) + 10)
    height = row_px * len(rows) + 44

    def x(value: float) -> float:
        return label_px + plot_px * (min(max(value, low), high) - low) / (high - low)

    parts = []
    for step in range(5):
        value = low + (high - low) * step / 4
        parts.append(f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="4" y2="{height - 38}" class="grid"/>')
        parts.append(f'<text x="{x(value):.1f}" y="{height - 22}" class="tick">{value:.3g}</text>')
    for place, (label, estimates) in enumerate(rows):
        middle = 4 + row_px * (place + 0.5)
        parts.append(f'<text x="{label_px - 10}" y="{middle + 4}" class="name">{escape(label)}</text>')
        for number, estimate in enumerate(estimates):
            if math.isfinite(estimate.value):
                y = middle + _SERIES_PX * (number - (len(series) - 1) / 2)
                name = f"{label}, {series[number]}" if series[number] else label
                parts.append(
                    f'<g class="s{number % len(_SHAPES)}"><title>{escape(f"{name}: {estimate}")}</title>'
                    f'<line x1="{x(estimate.low):.1f}" x2="{x(estimate.high):.1f}" y1="{y}" y2="{y}" '
                    f'class="bar"/>{mark(number, x(estimate.value), y)}</g>'
                )
    width = label_px + plot_px + (60 if plot_px > 300 else 20)
    # Under the middle of the axis, but never over the edge.
    middle = min(label_px + plot_px / 2, width - len(unit) * _LETTER_PX / 2)
    parts.append(f'<text x="{middle:.1f}" y="{height - 4}" class="tick">{escape(unit)}</text>')
    return svg(width, height, parts, f"{unit}: " + ", ".join(name for name, _ in rows))


def mark(number: int, x: float, y: float) -> str:
    """The shape of a series at a place, so that it can be told without colour."""
    return _SHAPES[number % len(_SHAPES)].format(x=x, y=y)


_SHAPES = (
    '<circle cx="{x:.1f}" cy="{y:.1f}" r="5" class="dot"/>',
    '<path transform="translate({x:.1f},{y:.1f})" d="M-4.5-4.5h9v9h-9z" class="dot"/>',
    '<path transform="translate({x:.1f},{y:.1f})" d="M0-6L6 0L0 6L-6 0z" class="dot"/>',
    '<path transform="translate({x:.1f},{y:.1f})" d="M0-6L6 5H-6z" class="dot"/>',
)


def against_time(rows: Sequence[tuple[str, float, Estimate]], *, unit: str, time: str) -> str:
    """A figure of each system over its time, which has a logarithmic axis.

    Args:
        rows: Name, seconds (more than 0) and estimate.
        unit: Of the estimates, beside their axis.
        time: What the seconds are, under their axis.
    """
    width, height = _SCATTER
    left, right = _MARGIN_LEFT, width - _MARGIN_RIGHT
    top, bottom = _MARGIN_TOP + 14, height - _MARGIN_BOTTOM
    first = math.floor(math.log10(min(seconds for _, seconds, _ in rows)))
    last = max(first + 1, math.ceil(math.log10(max(seconds for _, seconds, _ in rows))))
    low, high = axis([estimate for _, _, estimate in rows])

    def x(seconds: float) -> float:
        return left + (right - left) * (math.log10(seconds) - first) / (last - first)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / (high - low)

    parts = [f'<text x="4" y="12" class="axis">{escape(unit)}</text>']
    for power in range(first, last + 1):
        at = x(10.0**power)
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom}" class="grid"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 16}" class="tick">{_seconds(power)}</text>')
    for step in range(5):
        value = low + (high - low) * step / 4
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y(value):.1f}" y2="{y(value):.1f}" class="grid"/>')
        parts.append(f'<text x="{left - 6}" y="{y(value) + 4:.1f}" class="name">{value:.3g}</text>')
    taken: list[tuple[float, float, float]] = []
    for name, seconds, estimate in sorted(rows, key=lambda row: y(row[2].value)):
        at, level, long = x(seconds), y(estimate.value), len(name) * _LETTER_PX
        start = at + 9 if at + 9 + long < width else at - 9 - long
        below = level + 4
        while any(
            abs(below - other) < 13 and start < end and begin < start + long for begin, end, other in taken
        ):
            below += 4
        taken.append((start, start + long, below))
        parts.append(
            f'<g class="s0"><title>{escape(f"{name}: {estimate}, {seconds:.3g} s")}</title>'
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y(estimate.low):.1f}" y2="{y(estimate.high):.1f}" '
            f'class="bar"/>{mark(0, at, level)}'
            f'<text x="{start:.1f}" y="{below:.1f}" class="label">{escape(name)}</text></g>'
        )
    parts.append(f'<text x="{(left + right) / 2}" y="{height - 8}" class="tick">{escape(time)}</text>')
    return svg(width, height, parts, f"{unit} over {time}: " + ", ".join(name for name, _, _ in rows))


def axis(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """Ends of an axis that holds all intervals, on whole steps, so that its quarters are short numbers."""
    ends = [
        end
        for estimate in estimates
        for end in (estimate.value, estimate.low, estimate.high)
        if math.isfinite(end)
    ]
    if not ends:
        return 0.0, 1.0
    low, high = min(ends), max(ends)
    power = math.floor(math.log10((high - low or abs(high) or 1.0) / 4))
    steps = (times * 10.0 ** (power + more) for more in range(3) for times in (1, 2, 5))
    starts = ((math.floor(low / step) * step, step) for step in steps)
    return next((start, start + 4 * step) for start, step in starts if start + 4 * step >= high)


def _seconds(power: int) -> str:
    if power < -3:
        return f"{10.0 ** (power + 6):g} µs"
    return f"{10.0 ** (power + 3):g} ms" if power < 0 else f"{10.0**power:g} s"


def svg(width: float, height: float, parts: Sequence[str], label: str) -> str:
    """A picture with a name for those who do not see it."""
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )
