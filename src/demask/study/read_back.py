"""Read a study's database back: trials, people, answers."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from demask.study.joining import SCREENED
from demask.study.plan import Plan
from demask.study.records import Person, Record
from demask.study.tables import AnswerRow, DeviceRow, ParticipantRow, ReplyRow, TrialRow
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


def people(db: Connection, plan: Plan) -> list[Person]:
    """Every participant who consented and was not sent away, by slot."""
    query = (
        sa.select(
            ParticipantRow.token,
            ParticipantRow.slot,
            ParticipantRow.place,
            ParticipantRow.status,
            ParticipantRow.finished_at,
        )
        .where(ParticipantRow.consented_at.is_not(None), ParticipantRow.status != SCREENED)
        .order_by(ParticipantRow.slot)
    )
    replies: dict[str, dict[str, str]] = {}
    for token, question, value in db.execute(sa.select(ReplyRow.token, ReplyRow.question, ReplyRow.value)):
        replies.setdefault(token, {})[question] = value
    devices: dict[str, list[dict[str, Any]]] = {}
    for token, facts in db.execute(
        sa.select(DeviceRow.token, DeviceRow.facts).order_by(DeviceRow.token, DeviceRow.number)
    ):
        devices.setdefault(token, []).append(json.loads(facts))
    trials: dict[int, Counter[str]] = {}
    for slot, block in db.execute(sa.select(TrialRow.slot, TrialRow.block)):
        trials.setdefault(slot, Counter())[block] += 1
    of_token = sa.select(AnswerRow.token, sa.func.count()).group_by(AnswerRow.token)
    answers = {row[0]: row[1] for row in db.execute(of_token)}
    found = []
    for row in db.execute(query):
        own = replies.get(row.token, {})
        group, _ = plan.group_of(row.place)
        out = plan.left_out(own)
        counts = trials.get(row.slot, Counter())
        found.append(
            Person(
                person=pseudonym(row.slot),
                num_trials=sum(number for block, number in counts.items() if block not in out),
                num_answers=answers.get(row.token, 0),
                finished=row.finished_at is not None,
                replies=own,
                group=group.name if group else "",
                status=row.status,
                devices=tuple(devices.get(row.token, ())),
            )
        )
    return found


def recruits(db: Connection) -> list[dict[str, str]]:
    """Everybody whom a recruiting service sent: what it calls them, and how they stand, for payment."""
    rows = db.execute(
        sa.select(ParticipantRow)
        .where(ParticipantRow.recruit_person.is_not(None))
        .order_by(ParticipantRow.slot)
    ).all()
    return [
        {
            "service": row.recruit_service,
            "person": row.recruit_person,
            "study": row.recruit_study,
            "session": row.recruit_session,
            "status": "finished" if row.finished_at is not None else row.status,
            "minutes": "" if row.finished_at is None else f"{(row.finished_at - row.enrolled_at) / 60:.1f}",
        }
        for row in rows
    ]


def records(db: Connection) -> list[Record]:
    """Every answer with its trial, by slot and position."""
    columns = [getattr(TrialRow, name) for name in _TRIAL_FIELDS if name not in ("break_before", "screen")]
    same_trial = sa.and_(AnswerRow.slot == TrialRow.slot, AnswerRow.position == TrialRow.position)
    query = (
        sa.select(
            *columns,
            AnswerRow.value,
            AnswerRow.reaction_ms,
            AnswerRow.first_ms,
            AnswerRow.second_ms,
            AnswerRow.shown_px,
            AnswerRow.follow_up,
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
