"""The study's statistics once more, in plain arithmetic on lists, for numbers small enough to follow."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, mean, stdev

# Student's t, two-sided 95 %, by degrees of freedom (any table).
T = {1: 12.7062, 2: 4.30265, 3: 3.18245, 4: 2.77645, 5: 2.57058, 6: 2.44691, 7: 2.36462, 8: 2.30600}

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


def quantile(rows: Sequence[Row]) -> float:
    """T of the fewer of people and faces, less one."""
    return T[min(len({row.person for row in rows}), len({row.face for row in rows})) - 1]


def variance(rows: Sequence[Row], influence: Sequence[float]) -> float:
    """Two-way: squared sums of people plus those of faces less those of single answers, each G/(G-1)."""

    def part(key: Callable[[Row], Hashable]) -> float:
        sums: dict[Hashable, float] = defaultdict(float)
        for row, each in zip(rows, influence, strict=True):
            sums[key(row)] += each
        num = len(sums)
        return sum(total**2 for total in sums.values()) * num / (num - 1) if num > 1 else 0.0

    people, faces = part(lambda row: row.person), part(lambda row: row.face)
    single = part(lambda row: (row.person, row.face))
    both = people + faces - single
    return both if both > single / 4 else max(people, faces)


def around(value: float, rows: Sequence[Row], influence: Sequence[float]) -> tuple[float, float, float]:
    """Value and its interval."""
    half = quantile(rows) * math.sqrt(variance(rows, influence))
    return value, value - half, value + half


def mean_of(rows: Sequence[Row]) -> tuple[float, float, float]:
    """Mean rating."""
    values = [float(row.value) for row in rows]
    value = mean(values)
    return around(value, rows, [(each - value) / len(values) for each in values])


def difference_of(first: Sequence[Row], second: Sequence[Row]) -> tuple[float, float, float]:
    """Of two means."""
    one, two = mean(float(row.value) for row in first), mean(float(row.value) for row in second)
    influence = [(float(row.value) - one) / len(first) for row in first]
    influence += [-(float(row.value) - two) / len(second) for row in second]
    return around(one - two, [*first, *second], influence)


def proportion_of(rows: Sequence[Row], hits: Sequence[float]) -> tuple[float, float, float]:
    """Fraction of hits with Wilson's interval on the effective number of answers."""
    proportion, quant = mean(hits), quantile(rows)
    spread = variance(rows, [(hit - proportion) / len(rows) for hit in hits])
    num = proportion * (1 - proportion) / spread if spread > 0 else float(len({row.person for row in rows}))
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
