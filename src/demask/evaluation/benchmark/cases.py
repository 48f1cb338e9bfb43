"""Which pictures the page shows: a seeded sample, and the best and worst of each system."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from demask.evaluation.benchmark.benchmark_plan import Job, Plan

Record = dict[str, Any]
Place = tuple[str, str]
"""Slice and face_id."""

NUM_SAMPLES = 8
NUM_OF_BASE, NUM_OF_OTHERS = 3, 1
RANKED_BY = ("hole_lpips", "hole_mse")
"""Worst is highest; the second where the first has no weights."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One picture and what every system made of it.

    Attributes:
        place: Which picture.
        why: For whom it is a best or worst case; empty in the sample.
        jobs: By system; a system that was not asked for it is absent.
    """

    place: Place
    why: tuple[str, ...]
    jobs: Mapping[str, Job]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cases:
    """What is shown, and the figure that ranks it."""

    ranked_by: str
    sample: tuple[Case, ...]
    worst: tuple[Case, ...]
    best: tuple[Case, ...]


def choose_cases(plan: Plan, records: Mapping[str, Record], setting: str) -> Cases:
    """Choose by seed and figures alone, so that a resumed run shows the same.

    Args:
        plan: What was measured.
        records: By key, of every job.
        setting: The one whose pictures are kept.
    """
    jobs = {
        system: {(job.slice, job.face_id): job for job in asked if job.setting == setting}
        for system, asked in plan.jobs.items()
    }
    done = [
        record for asked in jobs.values() for job in asked.values() if not (record := records[job.key])["error"]
    ]
    known = [name for name in RANKED_BY if any(record["figures"][name] is not None for record in done)]
    figure = known[0] if known else RANKED_BY[-1]

    def case(place: Place, why: Sequence[str] = ()) -> Case:
        found = {system: asked[place] for system, asked in jobs.items() if place in asked}
        return Case(place=place, why=tuple(why), jobs=found)

    worst: dict[Place, list[str]] = {}
    best: dict[Place, list[str]] = {}
    base = plan.config.base_name
    for system in sorted(jobs, key=lambda name: name != base):
        count = NUM_OF_BASE if system == base else NUM_OF_OTHERS
        ranked = _ranked(jobs[system], records, figure)
        for place in ranked[:count]:
            best.setdefault(place, []).append(system)
        for place in ranked[::-1][:count]:
            worst.setdefault(place, []).append(system)
    return Cases(
        ranked_by=figure,
        sample=tuple(case(place) for place in _sample(plan, jobs)),
        worst=tuple(case(place, why) for place, why in worst.items()),
        best=tuple(case(place, why) for place, why in best.items()),
    )


def _ranked(jobs: Mapping[Place, Job], records: Mapping[str, Record], figure: str) -> list[Place]:
    """Best first; pictures without the figure have no rank."""
    values = {}
    for place, job in jobs.items():
        record = records[job.key]
        if record["error"] is None and record["figures"][figure] is not None:
            values[place] = record["figures"][figure]
    return sorted(values, key=lambda place: (values[place], place))


def _sample(plan: Plan, jobs: Mapping[str, Mapping[Place, Job]]) -> list[Place]:
    """Slices in turn, pictures in the order of their hash, those first that most systems have."""

    def order(place: Place) -> tuple[int, bytes]:
        systems = sum(place in asked for asked in jobs.values())
        text = f"{plan.config.seed}/benchmark/sample/{place[0]}/{place[1]}"
        return -systems, hashlib.blake2b(text.encode()).digest()

    places = sorted({place for asked in jobs.values() for place in asked}, key=order)
    names = list(dict.fromkeys(row["slice"] for row in plan.rows))
    turns = zip_longest(*([place for place in places if place[0] == name] for name in names))
    chosen = [place for turn in turns for place in turn if place is not None]
    # Another face each time, as long as there are others.
    first = {place[1]: place for place in reversed(chosen)}
    fresh = [place for place in chosen if first[place[1]] == place]
    return (fresh + [place for place in chosen if place not in fresh])[:NUM_SAMPLES]
