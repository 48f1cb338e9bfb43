"""From records to the figures that are published: means, intervals, paired differences, wins and losses.

A record is what was measured on one picture of one system in one setting, as JSON holds it: `setting`, `slice`,
`face_id`, `error`, and unless that says why there is nothing, `figures` by name (null where there is none),
`restored`, the facts of the hole (`HOLE_FACTS`) and the `traits` it is broken down by. Where it comes from (a
benchmark, an idea, two folders that `demask score` was given) does not matter here.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from demask.dataset.frozen_set import PHOTO_SLICES
from demask.evaluation.bootstrap import Interval, mean_interval, paired_difference, paired_ratio
from demask.evaluation.metrics.comparison import FIGURES
from demask.evaluation.metrics.metric_catalogue import metric_of

Record = dict[str, Any]
Summary = dict[str, Any]

HOLE_FACTS = ("hole_iou", "hole_reached", "hole_extra", "covering_left")
BASE_SLICE = "seen"
UNSEEN_SLICES = ("unseen_colours", "unseen_types")
GROUP_FIGURES = ("hole_psnr", "hole_lpips", "identity")
GROUPS: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "turn": ("turn of the head", lambda name: name == BASE_SLICE),
    "skin": ("skin as photographed", lambda name: name == BASE_SLICE),
    "source": ("photo source", lambda name: name == BASE_SLICE),
    "kind": ("kind of covering", lambda name: name not in PHOTO_SLICES),
}
"""Traits by which results are broken down: their title, and over which slices."""


def aggregate(by_system: Mapping[str, Sequence[Record]], *, base: str, seed: int = 0) -> Summary:
    """All tables, ready for JSON; no timing is in them, so the same records give the same bytes.

    Args:
        by_system: The records of each system; those of `base` among them.
        base: The system that the others are compared with.
        seed: Of the bootstrap.

    Returns:
        `slices`: by setting, slice and system: pictures, failures, holes, means, and the paired difference to
        the base; `expressions`: how often what a face shows is named as its label says, and what it is named;
        `common`: the means over the pictures that all systems have; `unseen`: the figures of a slice
        of unseen coverings over those of the same faces in seen ones; `groups`: by setting, trait, its value
        and system; `failures`: every one with its reason.
    """
    summary: Summary = {"slices": {}, "common": {}, "unseen": {}, "groups": {}}
    for setting in _named(by_system, "setting"):
        inside = _where(by_system, setting=setting)
        slices = {name: _where(inside, slice=name) for name in _named(inside, "slice")}
        summary["slices"][setting] = {
            name: {system: of_system(found, taken[base], seed=seed) for system, found in taken.items()}
            for name, taken in slices.items()
        }
        summary["common"][setting] = {name: _common(taken, seed) for name, taken in slices.items()}
        summary["unseen"][setting] = {
            name: {
                system: _over_seen(found, slices[BASE_SLICE][system], seed) for system, found in taken.items()
            }
            for name, taken in slices.items()
            if name in UNSEEN_SLICES and BASE_SLICE in slices
        }
        summary["groups"][setting] = {
            trait: _grouped(
                {name: [r for r in found if included(r["slice"])] for name, found in inside.items()},
                trait,
                seed,
            )
            for trait, (_, included) in GROUPS.items()
        }
    summary["expressions"] = _expressions(by_system, seed)
    return summary | {"failures": _failures(by_system)}


def of_system(
    found: Sequence[Record], base: Sequence[Record], *, figures: Sequence[str] = FIGURES, seed: int = 0
) -> Summary:
    """One system in one setting on one slice.

    Args:
        found: Its records.
        base: Those of the system it is compared with, on the same slice.
        figures: Which.
        seed: Of the bootstrap.
    """
    done = [record for record in found if record["error"] is None]
    facts = {
        name: _mean([_float(record[name]) for record in done], seed)
        for name in ("restored", *HOLE_FACTS)
        if all(name in record for record in done)
    }
    return {
        "num": len(done),
        "num_failed": len(found) - len(done),
        **facts,
        "mean": {figure: _mean(_column(done, figure), seed) for figure in figures},
        "against_base": {figure: _against(done, base, figure, seed) for figure in figures},
    }


def _named(by_system: Mapping[str, Sequence[Record]], key: str) -> list[str]:
    return list(dict.fromkeys(record[key] for found in by_system.values() for record in found))


def _where(by_system: Mapping[str, Sequence[Record]], **wanted: str) -> dict[str, list[Record]]:
    return {
        system: [r for r in found if all(r[key] == value for key, value in wanted.items())]
        for system, found in by_system.items()
    }


def _over_seen(found: Sequence[Record], seen: Sequence[Record], seed: int) -> Summary:
    """Figures of a slice over those of the seen coverings on the same faces; 1 = no change."""
    bases = {record["face_id"]: record for record in seen if record["error"] is None}
    pairs = [(r, bases[r["face_id"]]) for r in found if r["error"] is None and r["face_id"] in bases]

    def ratio(take: Callable[[Record], float | None]) -> dict[str, float | int | None]:
        ours, theirs = [_float(take(here)) for here, _ in pairs], [_float(take(there)) for _, there in pairs]
        return paired_ratio(ours, theirs, seed=seed).as_json()

    def of(figure: str) -> dict[str, float | int | None]:
        return ratio(lambda record: record["figures"][figure])

    return {
        "hole_iou": ratio(lambda record: record["hole_iou"]),
        **{figure: of(figure) for figure in FIGURES},
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


def _expressions(by_system: Mapping[str, Sequence[Record]], seed: int) -> Summary:
    """By setting, slice and system, over faces whose expression is labelled and was named."""
    summary: Summary = {}
    for system, found in by_system.items():
        for setting in _named({system: found}, "setting"):
            for name in _named(_where({system: found}, setting=setting), "slice"):
                here = _where({system: found}, setting=setting, slice=name)[system]
                named = [r["expressions"] for r in here if r["error"] is None and r.get("expressions")]
                labelled = [one for one in named if one["label"]]
                if labelled:
                    summary.setdefault(setting, {}).setdefault(name, {})[system] = {
                        "num": len(labelled),
                        **{
                            side: _mean([float(one[side] == one["label"]) for one in labelled], seed)
                            for side in ("truth", "masked", "restored")
                        },
                        "named": {
                            label: dict(Counter(one["restored"] for one in labelled if one["label"] == label))
                            for label in sorted({one["label"] for one in labelled})
                        },
                    }
    return summary


def _failures(by_system: Mapping[str, Sequence[Record]]) -> list[dict[str, str]]:
    return [
        {"system": system, **{name: record[name] for name in ("setting", "slice", "face_id", "error")}}
        for system, found in by_system.items()
        for record in found
        if record["error"] is not None
    ]


def _column(records: Sequence[Record], figure: str) -> list[float]:
    return [_float(record["figures"][figure]) for record in records]


def number(value: float | None) -> float | None:
    """A figure for JSON: null where there is none."""
    return None if value is None or not math.isfinite(value) else float(value)


def _float(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _mean(values: Sequence[float], seed: int) -> dict[str, float | int | None]:
    return mean_interval(values, seed=seed).as_json()
