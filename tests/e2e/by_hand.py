"""The study's statistics once more, in plain arithmetic on lists, for numbers small enough to follow."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, mean, stdev

from scipy.stats import t as student

z = NormalDist().inv_cdf


@dataclass(frozen=True)
class Row:
    """One answer as the scripted person gave it."""

    person: str
    face: str
    condition: str
    value: str
    right: str = ""

    @property
    def hit(self) -> float:
        """1 for the right answer, else 0."""
        return float(self.value == self.right)


def _clusters(
    rows: Sequence[Row], influence: Sequence[float], key: Callable[[Row], Hashable]
) -> tuple[float, float, int]:
    """Squared sums with G/(G-1), their excess kurtosis over G, and G."""
    sums: dict[Hashable, float] = defaultdict(float)
    for row, each in zip(rows, influence, strict=True):
        sums[key(row)] += each
    num, middle = len(sums), mean(sums.values())
    if num < 2:
        return 0.0, 0.0, num
    square = mean((each - middle) ** 2 for each in sums.values())
    tails = mean((each - middle) ** 4 for each in sums.values()) / square**2 - 3 if square > 1e-24 else 0.0
    return sum(total**2 for total in sums.values()) * num / (num - 1), max(0.0, tails) / num, num


def spread(rows: Sequence[Row], influence: Sequence[float]) -> tuple[float, float]:
    """Two-way variance, people plus faces less single answers, and t's quantile for it."""
    people, tail_people, num_people = _clusters(rows, influence, lambda row: row.person)
    faces, tail_faces, num_faces = _clusters(rows, influence, lambda row: row.face)
    single, _, _ = _clusters(rows, influence, lambda row: (row.person, row.face))
    both = people + faces - single
    if both <= single / 4:
        both = max(people, faces)
    freedom = float(max(1, min(num_people, num_faces) - 1))
    if both > 0:
        tails = (people / both) ** 2 * tail_people + (faces / both) ** 2 * tail_faces
        freedom = max(1.0, 2 / (2 / freedom + tails))
    return both, float(student.ppf(0.975, freedom))


def around(value: float, rows: Sequence[Row], influence: Sequence[float]) -> tuple[float, float, float]:
    """Value and its interval."""
    variance, quantile = spread(rows, influence)
    half = quantile * math.sqrt(variance)
    return value, value - half, value + half


def mean_of(rows: Sequence[Row], low: float, high: float) -> tuple[float, float, float]:
    """Mean rating: the interval of a proportion, on the scale from `low` to `high`."""
    part = proportion_of(rows, [(float(row.value) - low) / (high - low) for row in rows])
    value, least, most = (low + (high - low) * each for each in part)
    return value, least, most


def difference_of(first: Sequence[Row], second: Sequence[Row], span: float) -> tuple[float, float, float]:
    """Of two means, on the logit scale between -span and span."""
    one, two = mean(float(row.value) for row in first), mean(float(row.value) for row in second)
    influence = [(float(row.value) - one) / len(first) for row in first]
    influence += [-(float(row.value) - two) / len(second) for row in second]
    rows = [*first, *second]
    variance, quantile = spread(rows, influence)
    part = (one - two + span) / (2 * span)
    half = quantile * math.sqrt(variance) / (2 * span) / (part * (1 - part))
    odds = math.log(part / (1 - part))
    low, high = (2 * span / (1 + math.exp(-(odds + change))) - span for change in (-half, half))
    return one - two, low, high


def proportion_of(rows: Sequence[Row], hits: Sequence[float]) -> tuple[float, float, float]:
    """Proportion of hits with Wilson's interval on the effective number of answers."""
    proportion = mean(hits)
    variance, quant = spread(rows, [(hit - proportion) / len(rows) for hit in hits])
    num = (
        proportion * (1 - proportion) / variance
        if variance > 1e-24
        else float(len({row.person for row in rows}))
    )
    middle = (proportion + quant**2 / (2 * num)) / (1 + quant**2 / num)
    half = (
        quant / (1 + quant**2 / num) * math.sqrt(proportion * (1 - proportion) / num + quant**2 / (4 * num**2))
    )
    return proportion, max(0.0, middle - half), min(1.0, middle + half)


def d_prime_of(rows: Sequence[Row], signal: str, *, pairs: bool) -> tuple[float, float, float]:
    """Sensitivity d' with (hits + 1/2) / (trials + 1), over sqrt 2 where each trial shows both kinds."""
    with_signal = [row.right == signal for row in rows]
    said = [row.value == signal for row in rows]
    counts = Counter(zip(with_signal, said, strict=True))
    num = {kind: counts[kind, True] + counts[kind, False] for kind in (True, False)}
    rate = {kind: (counts[kind, True] + 0.5) / (num[kind] + 1) for kind in (True, False)}
    steep = {kind: NormalDist().pdf(z(rate[kind])) for kind in (True, False)}
    scale = math.sqrt(2) if pairs else 1.0
    influence = [
        (1 if kind else -1) * (yes - rate[kind]) / num[kind] / steep[kind] / scale
        for kind, yes in zip(with_signal, said, strict=True)
    ]
    return around((z(rate[True]) - z(rate[False])) / scale, rows, influence)


def strength_of(rows: Sequence[Row], wins: Sequence[float]) -> tuple[float, float, float]:
    """Bradley-Terry strength of one of two: half the log odds of its wins."""
    proportion = mean(wins)
    influence = [(win - proportion) / (proportion * (1 - proportion)) / len(wins) / 2 for win in wins]
    return around(math.log(proportion / (1 - proportion)) / 2, rows, influence)


def alpha_of(rows: Sequence[Row], apart: str) -> float:
    """Krippendorff's alpha from coincidences, `apart` being nominal, ordinal or interval."""
    units: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        units[row.condition, row.face].append(row.value)
    together: dict[tuple[str, str], float] = defaultdict(float)
    for values in units.values():
        for i, one in enumerate(values):
            for j, other in enumerate(values):
                if i != j:
                    together[one, other] += 1 / (len(values) - 1)
    num: dict[str, float] = defaultdict(float)
    for (one, _), count in together.items():
        num[one] += count

    def squared(one: str, other: str) -> float:
        if apart == "nominal":
            return float(one != other)
        low, high = sorted((float(one), float(other)))
        if apart == "interval":
            return (high - low) ** 2
        between = sum(count for value, count in num.items() if low <= float(value) <= high)
        return float(one != other) * (between - (num[one] + num[other]) / 2) ** 2

    total = sum(num.values())
    seen = sum(count * squared(*pair) for pair, count in together.items())
    expected = sum(num[one] * num[other] * squared(one, other) for one in num for other in num)
    return 1 - (total - 1) * seen / expected


def spread_of(values: Sequence[float], names: Sequence[str]) -> float:
    """Standard deviation of the means of equally named values."""
    groups: dict[str, list[float]] = defaultdict(list)
    for value, name in zip(values, names, strict=True):
        groups[name].append(value)
    return stdev([mean(group) for group in groups.values()]) if len(groups) > 1 else math.nan
