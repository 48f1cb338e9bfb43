"""How often the study's 95 % intervals hold the exact figure, over many simulated studies with known effects.

python benchmarks/study_intervals.py --out docs/measured/study_intervals.json

46 people, 60 faces, people and faces drawn anew in each study. Every kind of interval that a report prints is
counted. Also writes a table beside the report (.md).
"""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import combinations

import numpy as np
from scipy.special import expit
from scipy.stats import norm

import _common
from demask.study.analysis import analyse_block
from demask.study.assign import Assignment
from demask.study.blocks import EXPRESSIONS, TRUTH, Block, ExpressionBlock, MushraBlock, RatingBlock
from demask.study.effects import Effects, default_effects
from demask.study.intervals import Estimate
from demask.study.plan import Plan
from demask.study.plan_file import parse_plan
from demask.study.simulate import Crowd
from demask.study.trials import FaceLabel, Trial

COVERAGE = """
title = "t"
systems = ["ours", "pix2pix"]
people = 46
consent = { en = "y" }
across_blocks = "shared"
[[blocks]]
kind = "rating"
name = "rating"
scale = "likability"
points = 7
hidden_reference = true
[[blocks]]
kind = "rating"
name = "slider"
scale = "quality"
points = 100
[[blocks]]
kind = "mushra"
name = "mushra"
faces = 12
[[blocks]]
kind = "real_or_restored"
name = "real"
practice = 0
[[blocks]]
kind = "real_or_restored"
name = "single"
design = "single"
practice = 0
[[blocks]]
kind = "pair"
name = "pair"
[[blocks]]
kind = "expression"
name = "expression"
[[blocks]]
kind = "same_person"
name = "same"
"""


WANTED = (0.93, 0.97)


def faces(num: int) -> dict[str, FaceLabel]:
    """Faces with expressions in turn and no identities."""
    return {f"f{i:03d}": FaceLabel(expression=EXPRESSIONS[i % len(EXPRESSIONS)]) for i in range(num)}


def exact_figures(plan: Plan, effects: Effects) -> dict[str, float]:
    """Name of a statistic to the value that it would have with endless people and faces."""
    exact: dict[str, float] = {}
    for block in plan.blocks:
        shown = block.shown(plan.systems)
        for name in shown:
            key = f"{block.name}/{name}/"
            if _always_found(block, name):
                continue
            if isinstance(block, RatingBlock | MushraBlock):
                fractions, mean = effects.rating_probabilities(block, name), effects.mean_rating(block, name)
                top = fractions[80:].sum() if block.points == 100 else fractions[-2:].sum()
                exact |= {
                    key + "mean": mean,
                    key + "bootstrap": mean,
                    key + "rescaled": 100 * (mean - block.lowest) / (block.points - block.lowest),
                    key + "top two": 100 * float(top),
                    key + "of maximum": 100 * mean / block.points,
                }
            elif isinstance(block, ExpressionBlock):
                exact[key + "accuracy"] = effects.recognised[name]
                exact |= {f"{key}{label}": effects.recognised[name] for label in block.expressions}
            elif block.kind == "pair":
                theta = np.array([effects.strength[other] for other in shown])
                exact[key + "strength"] = effects.strength[name] - float(theta.mean())
                exact[key + "wins"] = float(expit(effects.strength[name] - theta).sum() - 0.5) / (
                    len(theta) - 1
                )
            elif block.kind == "same_person":
                hit, false = effects.called_same[name], effects.called_same_wrongly[name]
                exact |= {
                    key + "accuracy": (hit + 1 - false) / 2,
                    key + "d'": float(norm.ppf(hit) - norm.ppf(false)),
                }
            elif "restored" in block.answers:
                hit, false = effects.called_real[TRUTH], effects.called_real[name]
                # Half of all pictures are real, and every system is held against all of them.
                right = (len(shown) * hit + 1 - false) / (len(shown) + 1)
                exact |= {
                    key + "fooled": false,
                    key + "accuracy": right,
                    key + "d'": float(norm.ppf(hit) - norm.ppf(false)),
                }
            else:
                right = effects.detected[name]
                exact |= {
                    key + "accuracy": right,
                    key + "fooled": 1 - right,
                    key + "d'": float(np.sqrt(2) * norm.ppf(right)),
                }
        if isinstance(block, RatingBlock | MushraBlock):
            means = {name: _mean(effects, block, name) for name in shown}
            exact |= {
                f"{block.name}/{one} - {other}/difference": means[one] - means[other]
                for one, other in combinations(shown, 2)
            }
            exact[f"{block.name}//alpha"] = exact_alpha(effects, block, shown)
            if isinstance(block, RatingBlock) and block.hidden_reference:
                exact |= {
                    f"{block.name}/{name}/DMOS": means[name] - means[TRUTH] + block.points
                    for name in shown
                    if name != TRUTH
                }
    return exact


def _always_found(block: Block, condition: str) -> bool:
    """The hidden reference of a MUSHRA screen gets 100 from every simulated person: nothing to be sure of."""
    return isinstance(block, MushraBlock) and condition == TRUTH


def _mean(effects: Effects, block: RatingBlock | MushraBlock, condition: str) -> float:
    return float(block.points) if _always_found(block, condition) else effects.mean_rating(block, condition)


def exact_alpha(effects: Effects, block: RatingBlock | MushraBlock, shown: tuple[str, ...]) -> float:
    """Krippendorff's alpha of endless people and pictures, the conditions in equal parts."""
    z = np.linspace(-6, 6, 2001)
    weight = norm.pdf(z) / norm.pdf(z).sum() / len(shown)
    of_picture = np.hypot(effects.sd_face, effects.sd_picture)
    of_rest = np.hypot(effects.sd_person, effects.sd_noise)
    num = block.points - block.lowest
    edges = (np.arange(num) + 0.5) / num
    together = np.zeros((num + 1, num + 1))  # Chance that two people give these two ratings to one picture.
    for name in shown:
        if _always_found(block, name):
            together[-1, -1] += weight.sum()
            continue
        below = norm.cdf((edges - effects.level[name] - of_picture * z[:, None]) / of_rest)
        fractions = np.diff(below, axis=1, prepend=0.0, append=1.0)
        together += (fractions * weight[:, None]).T @ fractions
    single = together.sum(axis=0)
    # The ordinal metric: what lies between, halves of both ends. On a slider the difference itself.
    points = np.arange(num + 1.0) if block.points == 100 else np.cumsum(single) - single / 2
    apart = (points[:, None] - points) ** 2
    return float(1 - (together * apart).sum() / (np.outer(single, single) * apart).sum())


def estimates(plan: Plan, crowd: Crowd, sessions: list[list[Trial]]) -> Iterator[tuple[str, Estimate]]:
    """The same statistics of one simulated study."""
    records = [record for slot, trials in enumerate(sessions) for record in crowd.records(slot, trials)]
    for block in plan.blocks:
        found = analyse_block(plan, block, [record for record in records if record.block == block.name])
        for rating in found.ratings:
            key = f"{block.name}/{rating.condition}/"
            yield key + "mean", rating.mean
            low, high = rating.bootstrap
            yield key + "bootstrap", dataclasses.replace(rating.mean, low=low, high=high)
            yield key + "rescaled", rating.index_rescaled
            yield key + "top two", rating.index_top_two
            yield key + "of maximum", rating.index_of_maximum
        if found.alpha is not None:
            yield f"{block.name}//alpha", found.alpha
        for compared in found.differences:
            yield f"{block.name}/{compared.first} - {compared.second}/difference", compared.difference
        for name, moved in found.dmos.items():
            yield f"{block.name}/{name}/DMOS", moved
        for seen in found.expressions:
            yield f"{block.name}/{seen.condition}/accuracy", seen.accuracy
            for label, recognised in seen.per_expression.items():
                yield f"{block.name}/{seen.condition}/{label}", recognised
        for preferred in found.preference:
            yield f"{block.name}/{preferred.system}/strength", preferred.strength
            yield f"{block.name}/{preferred.system}/wins", preferred.wins
        for told in found.detection:
            key = f"{block.name}/{told.system}/"
            yield key + "d'", told.d_prime
            yield key + "fooled", told.fooled
            yield key + "accuracy", told.accuracy


def coverage(
    plan: Plan, labels: Mapping[str, FaceLabel], *, studies: int, first_seed: int = 0
) -> tuple[int, dict[str, float]]:
    """Studies simulated, and the fraction whose interval holds the exact figure, by statistic.

    An interrupt ends it early, with the studies that were done by then.
    """
    effects = default_effects(plan)
    effects = Effects(**{**vars(effects), "careless": 0.0})
    exact = exact_figures(plan, effects)
    assignment = Assignment(plan, labels)
    sessions = [
        [trial for trial in assignment.trials(slot) if trial.role == "main"] for slot in range(plan.people)
    ]
    held: Counter[str] = Counter()
    done = 0
    with suppress(KeyboardInterrupt):
        while done < studies:
            found = list(estimates(plan, Crowd(plan, effects, first_seed + done), sessions))
            done += 1
            held.update(name for name, one in found if name in exact and one.low <= exact[name] <= one.high)
            if done % 25 == 0:
                low = [f"{name} {held[name] / done:.2f}" for name in exact if held[name] / done < WANTED[0]]
                print(f"{done} of {studies} studies; low so far: {low}", file=sys.stderr, flush=True)
    return done, {name: held[name] / max(1, done) for name in exact}


def main() -> None:
    """Simulate, count, write."""
    parser = _common.parser(__doc__)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--people", type=int, default=46)
    parser.add_argument("--faces", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of the first study; the next has the next")
    wanted = parser.parse_args()
    plan = dataclasses.replace(parse_plan(COVERAGE), people=wanted.people)
    done, held = coverage(plan, faces(wanted.faces), studies=wanted.studies, first_seed=wanted.seed)
    outside = [name for name, fraction in held.items() if not WANTED[0] <= fraction <= WANTED[1]]
    known = (0.95 * 0.05 / max(1, done)) ** 0.5
    lines = [
        f"{done} simulated studies of {plan.people} people and {wanted.faces} faces: the fraction of",
        f"the 95 % intervals that hold the exact figure, each known to ± {known:.3f} (one standard error). "
        f"{len(outside) or 'None'} of {len(held)} outside {WANTED[0]} to {WANTED[1]}.",
        "",
        "| block | of | figure | held |",
        "|---|---|---|---|",
    ]
    for name, fraction in held.items():
        block, of, figure = name.split("/")
        lines.append(f"| {block} | {of} | {figure} | {fraction:.3f}{' (outside)' if name in outside else ''} |")
    facts = {
        "studies": done,
        "people": plan.people,
        "faces": wanted.faces,
        "coverage": held,
        "outside": outside,
    }
    _common.write_report(wanted.out, facts, table="\n".join(lines))


if __name__ == "__main__":
    main()
