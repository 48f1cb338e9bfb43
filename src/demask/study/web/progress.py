"""How far a study is: what the admin page shows. No answer's value, no code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from demask.study.plan import Plan
from demask.study.records import Person, Record


def progress(
    plan: Plan, people: Sequence[Person], records: Sequence[Record], *, enrolled: int, withdrawn: int
) -> dict[str, Any]:
    """Counts of people and answers.

    Args:
        plan: The study.
        people: Everybody who consented.
        records: All their answers.
        enrolled: Slots taken, by people who have not agreed yet too.
        withdrawn: People who withdrew.
    """
    failed = Counter(record.person for record in records if record.role == "check" and not record.correct)
    return {
        "title": plan.title,
        "people": {
            "planned": plan.people,
            "enrolled": enrolled,
            "agreed": len(people),
            "finished": sum(person.finished for person in people),
            "withdrawn": withdrawn,
        },
        "participants": [
            {
                "person": person.person,
                "answers": person.num_answers,
                "trials": person.num_trials,
                "failed_checks": failed[person.person],
                "finished": person.finished,
            }
            for person in people
        ],
        "blocks": [_block(plan, name, records) for name in (block.name for block in plan.blocks)],
    }


def _block(plan: Plan, name: str, records: Sequence[Record]) -> dict[str, Any]:
    wanted = plan.block(name).exposure_ms
    main = [record for record in records if record.block == name and record.role == "main"]
    cells = Counter((record.first, record.second, record.face) for record in main)
    off = [
        abs(seen - wanted)
        for record in main
        for seen in (record.first_ms, record.second_ms)
        if seen is not None
    ]
    return {
        "block": name,
        "answers": len(main),
        "most_per_picture": max(cells.values(), default=0),
        "exposure_ms": wanted,
        "exposures": len(off),
        "exposure_off_median_ms": median(off) if off else None,
        "exposure_off_most_ms": max(off, default=None),
    }
