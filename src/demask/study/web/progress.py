"""How far a study is: what the admin page shows. No answer's value, no code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from demask.study.joining import SCREENED, TIMED_OUT
from demask.study.plan import Plan
from demask.study.records import Record
from demask.study.store import Store


def progress(store: Store) -> dict[str, Any]:
    """Counts of people and answers."""
    plan, people, records, status = store.plan, store.people(), store.records(), store.num_by_status()
    failed = Counter(record.person for record in records if record.role == "check" and not record.correct)
    return {
        "title": plan.title,
        "state": store.state(),
        "service": plan.recruitment.service,
        "people": {
            "planned": plan.people,
            "enrolled": status.get("active", 0),
            "agreed": len(people),
            "finished": sum(person.finished for person in people),
            "withdrawn": store.num_withdrawn(),
            "returned": store.num_returned(),
            "timed out": status.get(TIMED_OUT, 0),
            "sent away": status.get(SCREENED, 0),
        },
        "quotas": [
            {
                "question": question.name,
                "reply": reply,
                "people": sum(
                    person.replies.get(question.name) == reply for person in people if person.status == "active"
                ),
                "wanted": wanted,
            }
            for question in plan.questions
            for reply, wanted in question.quota.items()
        ],
        "participants": [
            {
                "person": person.person,
                "group": person.group,
                "answers": person.num_answers,
                "trials": person.num_trials,
                "failed_checks": failed[person.person],
                "finished": person.finished,
                "status": person.status,
            }
            for person in people
        ],
        "blocks": [_block(plan, block.name, records) for block in plan.blocks],
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
    sizes = [record.shown_px for record in main if record.shown_px is not None]
    return {
        "block": name,
        "answers": len(main),
        "most_per_picture": max(cells.values(), default=0),
        "exposure_ms": wanted,
        "exposures": len(off),
        "exposure_off_median_ms": median(off) if off else None,
        "exposure_off_most_ms": max(off, default=None),
        "shown_px": [min(sizes), max(sizes)] if sizes else None,
    }
