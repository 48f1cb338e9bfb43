"""The report's first words: what came out, for readers who want no statistics."""

from __future__ import annotations

import math

from demask.study.analysis import BlockResults, Results
from demask.study.intervals import FEWEST, Estimate
from demask.study.plan import Plan
from demask.study.ratings import Difference

SURE = 0.05


def plain_words(plan: Plan, results: Results) -> list[str]:
    """A sentence or two about people, then about each block."""
    said = [_people(results)]
    for found in results.blocks:
        name = found.name.replace("_", " ")
        if not found.num_answers:
            said.append(f"{name}: no answer counts yet.")
            continue
        words = _block(plan, found)
        if found.max_per_picture == 1:
            words += " Every picture was judged once, so how far people agree cannot be known."
        said.append(f"{name}: {words}")
    return said


def _people(results: Results) -> str:
    who = {"": "people", "machines": "machine judges"}.get(results.kind, "simulated people")
    words = f"{results.num_counted} of {results.num_planned} planned {who} count"
    if results.excluded:
        words += f"; {len(results.excluded)} more are left out by the plan's rule"
    if 0 < results.num_counted < FEWEST:
        words += ". That is too few to conclude anything: figures are shown, intervals are not"
    return words + "."


def _block(plan: Plan, found: BlockResults) -> str:
    if found.ratings:
        block = plan.block(found.name)
        top, scale = getattr(block, "points", 0), getattr(block, "scale", "closeness to the reference")
        best_first = sorted(found.ratings, key=lambda item: -item.mean.value)
        means = ", ".join(f"{item.condition} {item.mean.value:.1f}" for item in best_first)
        return f"average {scale} up to {top}: {means}.{_compared(found.differences)}"
    if found.detection:
        parts = []
        for item in found.detection:
            if found.kind == "real_or_restored":
                parts.append(
                    f"{item.system} was taken for a real photograph in {_of_hundred(item.fooled)} of 100 cases"
                )
            else:
                parts.append(f"{item.system}: {_of_hundred(item.accuracy)} of 100 answers were right")
        guess = " Guessing gets 50." if found.detection else ""
        return "; ".join(parts) + "." + guess
    if found.preference:
        best = found.preference[0]
        sure = "" if _apart(best.strength, found.preference[1].strength) else ", which may be chance"
        return f"{best.system} was preferred most often ({_of_hundred(best.wins)} of 100 comparisons{sure})."
    parts = [f"{item.condition} {_of_hundred(item.accuracy)}" for item in found.expressions]
    return "expressions recognised, of 100: " + ", ".join(parts) + "."


def _compared(differences: tuple[Difference, ...]) -> str:
    if not differences:
        return ""
    if any(item.difference.too_few for item in differences):
        return ""
    clear = [item for item in differences if item.p_holm < SURE]
    if not clear:
        return " No difference between them is larger than chance explains."
    words = []
    for item in clear:
        pair = (item.first, item.second) if item.difference.value > 0 else (item.second, item.first)
        words.append(f"{pair[0]} above {pair[1]}")
    rest = "" if len(clear) == len(differences) else "; the other differences may be chance"
    return f" Clearer than chance: {', '.join(words)}{rest}."


def _apart(one: Estimate, other: Estimate) -> bool:
    return not one.too_few and one.low > other.high


def _of_hundred(estimate: Estimate) -> str:
    return "no" if not math.isfinite(estimate.value) else f"{100 * estimate.value:.0f}"
