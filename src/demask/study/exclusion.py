"""Leave out people and answers by the plan's rule, and say whom and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from demask.study.plan import Plan
from demask.study.records import Person, Record


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What the rule leaves.

    Attributes:
        records: Answers that count.
        excluded: Person to reason.
        num_dropped: Single answers of people who stay that were dropped for their exposure time.
    """

    records: tuple[Record, ...]
    excluded: dict[str, str]
    num_dropped: int


def apply_rule(plan: Plan, people: Sequence[Person], records: Sequence[Record]) -> Kept:
    """Apply `plan.exclusion`; the order of reasons is the order of its settings."""
    by_person: dict[str, list[Record]] = {person.person: [] for person in people}
    for record in records:
        by_person[record.person].append(record)
    excluded = {}
    for person in people:
        reason = _reason(plan, person, by_person[person.person])
        if reason:
            excluded[person.person] = reason
    staying = [record for record in records if record.person not in excluded]
    kept = tuple(record for record in staying if _well_exposed(plan, record))
    return Kept(records=kept, excluded=excluded, num_dropped=len(staying) - len(kept))


def _reason(plan: Plan, person: Person, records: Sequence[Record]) -> str:
    rule = plan.exclusion
    failed = sum(record.role == "check" and not record.correct for record in records)
    if rule.max_failed_checks is not None and failed > rule.max_failed_checks:
        return f"failed {failed} attention checks, more than {rule.max_failed_checks}"
    fraction = person.num_answers / max(1, person.num_trials)
    if fraction < rule.min_answered_fraction:
        return f"answered {fraction:.0%} of the trials, less than {rule.min_answered_fraction:.0%}"
    main = [record for record in records if record.role == "main"]
    if rule.min_median_reaction_ms and main:
        reaction = median(record.reaction_ms for record in main)
        if reaction < rule.min_median_reaction_ms:
            return f"median reaction {reaction:.0f} ms, less than {rule.min_median_reaction_ms:.0f} ms"
    for block in plan.blocks:
        values = [record.value for record in main if record.block == block.name]
        if block.kind == "rating" and len(values) > 1:
            same = Counter(values).most_common(1)[0][1] / len(values)
            if same > rule.max_same_answer_fraction:
                most = rule.max_same_answer_fraction
                return f"gave one answer to {same:.0%} of {block.name}, more than {most:.0%}"
    return ""


def _well_exposed(plan: Plan, record: Record) -> bool:
    """Whether the pictures stayed as long as the plan wants, where it limits them and we measured."""
    limit, wanted = plan.exclusion.max_exposure_error_ms, plan.block(record.block).exposure_ms
    if limit is None or not wanted or record.role == "check":
        return True
    return all(seen is None or abs(seen - wanted) <= limit for seen in (record.first_ms, record.second_ms))
