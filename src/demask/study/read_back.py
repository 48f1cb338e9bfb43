"""Read a study's database back: trials, people, answers."""

from __future__ import annotations

import dataclasses

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from demask.study.records import Person, Record
from demask.study.tables import AnswerRow, ParticipantRow, ReplyRow, TrialRow
from demask.study.trials import Trial

_TRIAL_FIELDS = tuple(field.name for field in dataclasses.fields(Trial))


def pseudonym(slot: int) -> str:
    """What a person is called in every output."""
    return f"p{slot + 1:03d}"


def trials(db: Connection, slot: int) -> tuple[Trial, ...]:
    """The session of one slot, in order."""
    columns = [getattr(TrialRow, name) for name in _TRIAL_FIELDS]
    rows = db.execute(sa.select(*columns).where(TrialRow.slot == slot).order_by(TrialRow.position))
    return tuple(Trial(**row) for row in rows.mappings())


def people(db: Connection) -> list[Person]:
    """Every participant who consented, by slot."""
    num_trials = sa.select(sa.func.count()).where(TrialRow.slot == ParticipantRow.slot).scalar_subquery()
    num_answers = sa.select(sa.func.count()).where(AnswerRow.token == ParticipantRow.token).scalar_subquery()
    query = (
        sa.select(
            ParticipantRow.token,
            ParticipantRow.slot,
            ParticipantRow.finished_at,
            num_trials.label("num_trials"),
            num_answers.label("num_answers"),
        )
        .where(ParticipantRow.consented_at.is_not(None))
        .order_by(ParticipantRow.slot)
    )
    replies: dict[str, dict[str, str]] = {}
    for token, question, value in db.execute(sa.select(ReplyRow.token, ReplyRow.question, ReplyRow.value)):
        replies.setdefault(token, {})[question] = value
    return [
        Person(
            person=pseudonym(row.slot),
            num_trials=row.num_trials,
            num_answers=row.num_answers,
            finished=row.finished_at is not None,
            replies=replies.get(row.token, {}),
        )
        for row in db.execute(query)
    ]


def records(db: Connection) -> list[Record]:
    """Every answer with its trial, by slot and position."""
    columns = [getattr(TrialRow, name) for name in _TRIAL_FIELDS if name != "break_before"]
    same_trial = sa.and_(AnswerRow.slot == TrialRow.slot, AnswerRow.position == TrialRow.position)
    query = (
        sa.select(
            *columns,
            AnswerRow.value,
            AnswerRow.reaction_ms,
            AnswerRow.first_ms,
            AnswerRow.second_ms,
            ParticipantRow.simulated,
        )
        .join_from(AnswerRow, TrialRow, same_trial)
        .join(ParticipantRow, ParticipantRow.token == AnswerRow.token)
        .order_by(AnswerRow.slot, AnswerRow.position)
    )
    found = []
    for row in db.execute(query).mappings():
        facts = dict(row)
        found.append(Record(person=pseudonym(facts.pop("slot")), **facts))
    return found
