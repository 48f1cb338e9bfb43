"""Raw answers, figures and people as CSV and JSON; free text stays home unless asked for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

from demask.csv_text import csv_text
from demask.study.analysis import Results
from demask.study.intervals import Estimate
from demask.study.plan import Plan
from demask.study.records import FIELDS, Person, Record

_WHERE = ("group", "status", "window_px", "px_per_cm", "frame_ms")
_ESTIMATE = ("value", "low", "high", "num", "num_people", "num_faces")


def answers_csv(records: Sequence[Record]) -> str:
    """Every answer, practice and checks included, one line each."""
    return csv_text(FIELDS, ([_text(getattr(record, name)) for name in FIELDS] for record in records))


def people_csv(plan: Plan, people: Sequence[Person], results: Results, *, free_text: bool) -> str:
    """Every participant with the reason for exclusion and the replies.

    Args:
        plan: Names the questions.
        people: Everybody who consented.
        results: Says who was left out.
        free_text: Also write what people wrote in their own words, which may tell who they are.
    """
    questions = [item.name for item in plan.questions if free_text or item.kind != "text"]
    header = ("person", "num_trials", "num_answers", "finished", "excluded", "simulated", *_WHERE, *questions)
    rows = (
        [
            person.person,
            str(person.num_trials),
            str(person.num_answers),
            _text(person.finished),
            results.excluded.get(person.person, ""),
            _text(results.simulated),
            person.group,
            person.status,
            *_screen(person),
            *(person.replies.get(name, "") for name in questions),
        ]
        for person in people
    )
    return csv_text(header, rows)


def _screen(person: Person) -> list[str]:
    """The screen on which a person came last."""
    facts = person.devices[-1] if person.devices else {}
    size = facts.get("window_px")
    return [
        "x".join(map(str, size)) if size else "",
        _text(facts.get("px_per_cm")),
        _text(facts.get("frame_ms")),
    ]


def figures_csv(results: Results) -> str:
    """Every estimate with its interval, one line each, in long form."""
    rows = []
    for block in results.blocks:
        for of, figure, estimate in _estimates(dataclasses.asdict(block), ""):
            values = [_text(estimate[name]) for name in _ESTIMATE]
            rows.append([block.name, of, figure, *values, _text(results.simulated)])
    return csv_text(("block", "of", "figure", *_ESTIMATE, "simulated"), rows)


def results_json(results: Results, plan_text: str) -> str:
    """All figures with the plan that they answer."""
    return json.dumps({**results.as_json(), "plan": plan_text}, indent=1, ensure_ascii=False) + "\n"


def answers_json(records: Sequence[Record]) -> str:
    """Every answer as a JSON list."""
    return json.dumps([dataclasses.asdict(record) for record in records], indent=1) + "\n"


def _estimates(tree: Any, of: str, figure: str = "") -> Iterable[tuple[str, str, dict[str, Any]]]:
    """(what it is of, figure, estimate) for every estimate in nested results."""
    if isinstance(tree, dict) and set(tree) == set(_ESTIMATE):
        yield of, figure, tree
    elif isinstance(tree, dict):
        own = tree.get("condition") or tree.get("system") or of
        if "first" in tree and "second" in tree:
            own = f"{tree['first']} - {tree['second']}"
        for key, item in tree.items():
            if key == "dmos":
                yield from ((system, key, estimate) for system, estimate in item.items())
            else:
                yield from _estimates(item, own, f"{figure}.{key}" if figure else key)
    elif isinstance(tree, list | tuple):
        for item in tree:
            yield from _estimates(item, of, figure)


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


assert {field.name for field in dataclasses.fields(Estimate)} == set(_ESTIMATE)
