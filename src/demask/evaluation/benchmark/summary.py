"""From records to the figures that are published: means, intervals, paired differences, wins and losses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from demask.dataset.frozen_set import PORTRAIT
from demask.evaluation.benchmark.judge import FIGURES
from demask.evaluation.benchmark.plan import Plan
from demask.evaluation.bootstrap import Interval, mean_interval, paired_difference
from demask.evaluation.metrics.catalogue import metric_of

Record = dict[str, Any]
Summary = dict[str, Any]

BASE_SLICE = "seen"
GROUP_FIGURES = ("hole_psnr", "hole_lpips", "identity")
GROUPS: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "turn": ("turn of the head", lambda name: name == BASE_SLICE),
    "skin": ("skin as photographed", lambda name: name == BASE_SLICE),
    "source": ("photo source", lambda name: name == BASE_SLICE),
    "kind": ("kind of covering", lambda name: name != PORTRAIT),
}
"""Traits by which results are broken down: their title, and over which slices."""


def summarise(plan: Plan, records: Mapping[str, Record]) -> Summary:
    """All tables of a benchmark, ready for JSON; no timing is in it, so the same results give the same bytes.

    Args:
        plan: What was asked for.
        records: By key; every job of the plan has one.

    Returns:
        `slices`: by hole setting, slice and system: pictures, failures, holes, means, and the paired
        difference to the base; `common`: the means over the pictures that all systems have;
        `groups`: by hole setting, trait, its value and system; `failures`: every one with its reason.
    """
    config = plan.config
    by_system = {system: [records[job.key] for job in jobs] for system, jobs in plan.jobs.items()}
    summary: Summary = {"slices": {}, "common": {}, "groups": {}, "failures": _failures(by_system)}
    for hole in config.holes:
        names = list(
            dict.fromkeys(job.slice for jobs in plan.jobs.values() for job in jobs if job.hole == hole)
        )
        summary["slices"][hole], summary["common"][hole] = {}, {}
        for name in names:
            taken = {
                system: [r for r in found if r["hole"] == hole and r["slice"] == name]
                for system, found in by_system.items()
            }
            base = taken[config.base_name]
            summary["slices"][hole][name] = {
                system: _system(found, base, config.seed) for system, found in taken.items()
            }
            summary["common"][hole][name] = _common(taken, config.seed)
        summary["groups"][hole] = {
            trait: _grouped(
                {
                    system: [r for r in found if r["hole"] == hole and included(r["slice"])]
                    for system, found in by_system.items()
                },
                trait,
                config.seed,
            )
            for trait, (_, included) in GROUPS.items()
        }
    return summary


def _system(found: Sequence[Record], base: Sequence[Record], seed: int) -> Summary:
    done = [record for record in found if record["error"] is None]
    return {
        "num": len(done),
        "num_failed": len(found) - len(done),
        "restored": _mean([float(record["restored"]) for record in done], seed),
        "hole_iou": _mean([_float(record["hole_iou"]) for record in done], seed),
        "hole_reached": _mean([_float(record["hole_reached"]) for record in done], seed),
        "mean": {figure: _mean(_column(done, figure), seed) for figure in FIGURES},
        "against_base": {figure: _against(done, base, figure, seed) for figure in FIGURES},
    }


def _against(found: Sequence[Record], base: Sequence[Record], figure: str, seed: int) -> Summary:
    """A system minus the base on the pictures that both have, and on how many it is the better one."""
    bases = {record["face_id"]: record for record in base if record["error"] is None}
    pairs = [(record, bases[record["face_id"]]) for record in found if record["face_id"] in bases]
    ours = np.array(_column([record for record, _ in pairs], figure))
    theirs = np.array(_column([record for _, record in pairs], figure))
    difference = paired_difference(ours, theirs, seed=seed)
    sign = 1 if metric_of(figure).better == "higher" else -1
    known = np.isfinite(ours) & np.isfinite(theirs)
    gain = sign * (ours - theirs)[known]
    return {
        **difference.as_json(),
        "better_on": round(float((gain > 0).mean()), 5) if known.any() else None,
        "worse_on": round(float((gain < 0).mean()), 5) if known.any() else None,
        "verdict": _verdict(difference, sign),
    }


def _verdict(difference: Interval, sign: int) -> str:
    """`better` or `worse` than the base where the interval leaves no doubt of it, `same`, else `open`."""
    if difference.num == 0:
        return "none"
    if difference.low == difference.high == 0:
        return "same"
    if difference.num == 1:  # One picture always gives an interval of no width.
        return "open"
    low, high = sorted((sign * difference.low, sign * difference.high))
    return "better" if low > 0 else "worse" if high < 0 else "open"


def _common(taken: Mapping[str, Sequence[Record]], seed: int) -> Summary | None:
    """Means over the pictures that every system has; None where all have the same ones anyway."""
    done = {
        system: {record["face_id"]: record for record in found if record["error"] is None}
        for system, found in taken.items()
    }
    shared = set.intersection(*(set(found) for found in done.values()))
    if all(len(found) == len(shared) for found in done.values()):
        return None
    return {
        "num": len(shared),
        "mean": {
            system: {
                figure: _mean(
                    _column([record for face_id, record in found.items() if face_id in shared], figure), seed
                )
                for figure in FIGURES
            }
            for system, found in done.items()
        },
    }


def _grouped(taken: Mapping[str, Sequence[Record]], trait: str, seed: int) -> Summary:
    groups: dict[str, Summary] = defaultdict(dict)
    for system, found in taken.items():
        members: dict[str, list[Record]] = defaultdict(list)
        for record in found:
            if record["error"] is None:
                members[record["traits"][trait]].append(record)
        for value, some in members.items():
            groups[value][system] = {
                "num": len(some),
                **{figure: _mean(_column(some, figure), seed) for figure in GROUP_FIGURES},
            }
    return {value: groups[value] for value in sorted(groups)}


def _failures(by_system: Mapping[str, Sequence[Record]]) -> list[dict[str, str]]:
    return [
        {"system": system, **{name: record[name] for name in ("hole", "slice", "face_id", "error")}}
        for system, found in by_system.items()
        for record in found
        if record["error"] is not None
    ]


def _column(records: Sequence[Record], figure: str) -> list[float]:
    return [_float(record["figures"][figure]) for record in records]


def _float(value: float | None) -> float:
    return float("nan") if value is None else value


def _mean(values: Sequence[float], seed: int) -> dict[str, float | int | None]:
    return mean_interval(values, seed=seed).as_json()
