"""From answers to every figure of the report: one pure function."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from demask.study import detection, expressions, mushra, preference, ratings
from demask.study.agreement import Level, alpha, retest
from demask.study.blocks import TRUTH, Block, ExpressionBlock, MushraBlock, RatingBlock
from demask.study.detection import DetectionSummary
from demask.study.exclusion import apply_rule
from demask.study.expressions import ExpressionSummary
from demask.study.intervals import Estimate
from demask.study.mushra import MushraSummary
from demask.study.plan import Exclusion, Plan
from demask.study.preference import PreferenceSummary
from demask.study.ratings import Difference, RatingSummary
from demask.study.records import Person, Record


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureScore:
    """How one picture was judged.

    Attributes:
        condition: What it is.
        face: Whose.
        score: Mean rating, or the fraction of right answers in the other kinds of blocks.
        num: Judgements.
    """

    condition: str
    face: str
    score: float
    num: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockResults:
    """The figures of one block; the lists of other kinds of blocks are empty.

    Attributes:
        name: Of the block.
        kind: Of the block.
        num_answers: Main answers that count.
        min_per_picture: Fewest main answers that one shown picture (or pair) got.
        max_per_picture: Most.
        median_reaction_ms: Over main answers.
        retest: Fraction of repeated trials answered as before, mean absolute change, number of repeats.
        alpha: Krippendorff's alpha (None where nothing is comparable, as in pairs).
        alpha_level: How answers were compared.
        ratings: By condition.
        differences: Between conditions.
        dmos: Difference to the hidden reference plus the highest rating.
        detection: By system.
        preference: By rank.
        expressions: By condition.
        mushra: By condition.
        left_out: Person to reason, whose answers to this block alone do not count.
        follow_up: Condition to how often each answer to the further question was given.
        pictures: Mean score of each picture; only of blocks that rate.
    """

    name: str
    kind: str
    num_answers: int
    min_per_picture: int
    max_per_picture: int
    median_reaction_ms: float
    retest: tuple[float, float, int]
    alpha: Estimate | None
    alpha_level: str
    ratings: tuple[RatingSummary, ...] = ()
    differences: tuple[Difference, ...] = ()
    dmos: Mapping[str, Estimate] = dataclasses.field(default_factory=dict)
    detection: tuple[DetectionSummary, ...] = ()
    preference: tuple[PreferenceSummary, ...] = ()
    expressions: tuple[ExpressionSummary, ...] = ()
    mushra: tuple[MushraSummary, ...] = ()
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
    follow_up: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    pictures: tuple[PictureScore, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """A whole study's figures.

    Attributes:
        title: Of the plan.
        simulated: No person took part.
        kind: Empty for people, `simulated`, or `machines` for networks that judged real pictures.
        num_planned: People planned.
        num_people: People who gave consent and stayed.
        num_finished: Of them, those who reached the end.
        num_withdrawn: People who withdrew; their answers are deleted.
        excluded: Person to reason, by the plan's rule.
        num_dropped: Answers dropped for their exposure time.
        blocks: In the plan's order.
    """

    title: str
    simulated: bool
    kind: str
    num_planned: int
    num_people: int
    num_finished: int
    num_withdrawn: int
    excluded: Mapping[str, str]
    num_dropped: int
    blocks: tuple[BlockResults, ...]

    @property
    def num_counted(self) -> int:
        """People whose answers enter the figures."""
        return self.num_people - len(self.excluded)

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it; NaN becomes null."""
        cleaned = _clean(dataclasses.asdict(self))
        assert isinstance(cleaned, dict)
        return cleaned


def analyse(
    plan: Plan,
    people: Sequence[Person],
    records: Sequence[Record],
    *,
    simulated: bool,
    machines: bool = False,
    num_withdrawn: int = 0,
) -> Results:
    """Compute every figure.

    Args:
        plan: The study; its exclusion rule is applied first, but to networks, which are never careless.
        people: Everybody who consented.
        records: All their answers.
        simulated: Whether no person gave the answers.
        machines: Whether networks gave them.
        num_withdrawn: Of the store.

    Raises:
        ValueError: Simulated and real answers are mixed, or contradict `simulated`.
    """
    if any(record.simulated != simulated for record in records):
        raise ValueError("simulated and real answers must not be mixed")
    kept = apply_rule(dataclasses.replace(plan, exclusion=Exclusion()) if machines else plan, people, records)
    return Results(
        title=plan.title,
        simulated=simulated,
        kind="machines" if machines else "simulated" if simulated else "",
        num_planned=plan.people,
        num_people=len(people),
        num_finished=sum(person.finished for person in people),
        num_withdrawn=num_withdrawn,
        excluded=kept.excluded,
        num_dropped=kept.num_dropped,
        blocks=tuple(
            analyse_block(plan, block, [record for record in kept.records if record.block == block.name])
            for block in plan.blocks
        ),
    )


def analyse_block(plan: Plan, block: Block, records: Sequence[Record]) -> BlockResults:
    """Compute the figures of one block from its answers that count."""
    main = [record for record in records if record.role == "main"]
    shown = block.shown(plan.systems)
    left_out = mushra.left_out(block, main) if isinstance(block, MushraBlock) else {}
    main = [record for record in main if record.person not in left_out]
    seen: dict[tuple[str, str, str], int] = {}
    for record in main:
        pair = sorted((record.first, record.second)) if block.kind == "pair" else [record.first, record.second]
        key = (record.face, pair[0], pair[1])
        seen[key] = seen.get(key, 0) + 1
    level = _level(block)
    found: dict[str, Any] = {}
    if isinstance(block, RatingBlock | MushraBlock):
        compared = ratings.differences(block, main, shown)
        found["ratings"] = tuple(ratings.summarise(block, main, shown))
        found["differences"] = tuple(compared)
        found["dmos"] = ratings.dmos(block, compared) if getattr(block, "hidden_reference", False) else {}
        if isinstance(block, MushraBlock):
            found["mushra"] = tuple(mushra.summarise(main, shown))
    elif isinstance(block, ExpressionBlock):
        found["expressions"] = tuple(expressions.summarise(main, shown, block.expressions))
    elif block.kind == "pair":
        found["preference"] = tuple(preference.summarise(main, shown))
    else:
        found["detection"] = tuple(detection.summarise(block, main, shown))
    return BlockResults(
        name=block.name,
        kind=block.kind,
        num_answers=len(main),
        min_per_picture=min(seen.values(), default=0),
        max_per_picture=max(seen.values(), default=0),
        median_reaction_ms=median(record.reaction_ms for record in main) if main else float("nan"),
        retest=retest(records),
        alpha=alpha(main, block.answers, level) if level and main else None,
        alpha_level=level or "",
        left_out=left_out,
        follow_up=_follow_up(main),
        pictures=tuple(_scores(block, main)),
        **found,
    )


def _follow_up(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for record in records:
        if record.follow_up:
            counts = found.setdefault(record.first, {})
            counts[record.follow_up] = counts.get(record.follow_up, 0) + 1
    return found


def _scores(block: Block, records: Sequence[Record]) -> list[PictureScore]:
    """Every picture with its mean; none for pairs, where a score belongs to two."""
    if block.kind == "pair":
        return []
    rates = isinstance(block, RatingBlock | MushraBlock)
    found: dict[tuple[str, str], list[float]] = {}
    for record in records:
        condition = record.second if record.first == TRUTH and record.second else record.first
        score = float(record.value) if rates else float(record.correct)
        found.setdefault((condition, record.face), []).append(score)
    return [
        PictureScore(condition=condition, face=face, score=sum(scores) / len(scores), num=len(scores))
        for (condition, face), scores in sorted(found.items())
    ]


def _level(block: Block) -> Level | None:
    """How answers are compared for agreement; None where two answers are not about one picture."""
    if isinstance(block, RatingBlock | MushraBlock):
        return "interval" if block.points == 100 else "ordinal"
    return "nominal" if isinstance(block, ExpressionBlock) else None


def _clean(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
