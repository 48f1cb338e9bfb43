"""Who may join a study, at which place in the balanced order, and when a place is given away again."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from demask.errors import InputError
from demask.study.assign import Assignment
from demask.study.codes import AlreadyJoined, StudyFull, StudyNotOpen
from demask.study.plan import Plan, Recruitment
from demask.study.tables import MetaRow, ParticipantRow, ReplyRow, TrialRow

ACTIVE, TIMED_OUT, SCREENED = "active", "timed_out", "screened"
OPEN, PAUSED, CLOSED = "open", "paused", "closed"
STATES = (OPEN, PAUSED, CLOSED)

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recruit:
    """Who somebody is to the service that sent them; empty = the link did not say.

    Attributes:
        person: Prolific's participant or MTurk's worker.
        study: Prolific's study or MTurk's HIT.
        session: Prolific's submission or MTurk's assignment.
    """

    person: str
    study: str = ""
    session: str = ""

    def __post_init__(self) -> None:
        for name in ("person", "study", "session"):
            value = getattr(self, name)
            if not _ID.fullmatch(value) and (value or name == "person"):
                raise InputError(f"the link's {name} has a form that no recruiting service uses; open it again")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What somebody who joins brings along.

    Attributes:
        token: Their code.
        language: Of the pages.
        simulated: Whether it is a simulated participant.
        recruit: Who sent them, if anybody did.
        most: Take nobody in beyond so many; None = no limit.
    """

    token: str
    language: str
    simulated: bool
    recruit: Recruit | None
    most: int | None


def state_of(db: Connection) -> str:
    """Whether the study is open, paused or closed."""
    return str(db.scalar(sa.select(MetaRow.value).where(MetaRow.key == "state")) or OPEN)


def take_place(db: Connection, assignment: Assignment, wish: Wish, *, now: int) -> None:
    """Let somebody in, at the first place that nobody has.

    A place is a stretch of the balanced assignment; a slot is the row of trials of one person. They differ
    only for people who got the place of another whose answers are kept.

    Raises:
        StudyNotOpen: The study is paused or closed.
        StudyFull: `wish.most` people are there.
        AlreadyJoined: The recruited person takes part under another code.
    """
    plan = assignment.plan
    state = state_of(db)
    if state != OPEN:
        raise StudyNotOpen(state)
    service = plan.recruitment.service
    if wish.recruit is not None and service != "none":
        same = (ParticipantRow.recruit_service == service, ParticipantRow.recruit_person == wish.recruit.person)
        if db.scalar(sa.select(ParticipantRow.slot).where(*same)) is not None:
            raise AlreadyJoined
    release_late(db, plan.recruitment, now=now)
    rows = db.execute(sa.select(ParticipantRow.slot, ParticipantRow.place, ParticipantRow.status)).all()
    places = {row.place for row in rows if row.status == ACTIVE}
    if wish.most is not None and len(places) >= wish.most:
        raise StudyFull(wish.most)
    place = next(number for number in range(len(places) + 1) if number not in places)
    slots = {row.slot for row in rows}
    slot = place
    if place in slots:
        slot = next(
            number for number in range(plan.people, plan.people + len(slots) + 1) if number not in slots
        )
    recruit = wish.recruit if service != "none" else None
    db.execute(
        sa.insert(ParticipantRow).values(
            token=wish.token,
            slot=slot,
            place=place,
            language=wish.language,
            simulated=wish.simulated,
            enrolled_at=now,
            status=ACTIVE,
            recruit_service=service if recruit else None,
            recruit_person=recruit.person if recruit else None,
            recruit_study=recruit.study if recruit else None,
            recruit_session=recruit.session if recruit else None,
        )
    )
    if slot >= plan.people:  # What an earlier person at this slot saw may be another stretch.
        db.execute(sa.delete(TrialRow).where(TrialRow.slot == slot))
        write_trials(db, assignment, place, slot)


def write_trials(db: Connection, assignment: Assignment, place: int, slot: int) -> None:
    """Store the session of one place under one slot."""
    trials = assignment.trials(place, slot=slot)
    db.execute(sa.insert(TrialRow), [dataclasses.asdict(trial) for trial in trials])


def release_late(db: Connection, recruitment: Recruitment, *, now: int) -> None:
    """Take the place of everybody who agreed too long ago and has not finished."""
    if not recruitment.timeout_minutes:
        return
    db.execute(
        sa.update(ParticipantRow)
        .where(
            ParticipantRow.status == ACTIVE,
            ParticipantRow.finished_at.is_(None),
            ParticipantRow.enrolled_at < now - 60 * recruitment.timeout_minutes,
        )
        .values(status=TIMED_OUT)
    )


def quota_is_full(db: Connection, plan: Plan, token: str, question: str, value: str) -> bool:
    """Whether as many others as are wanted gave this reply."""
    wanted = next(item for item in plan.questions if item.name == question).quota.get(value)
    if wanted is None:
        return False
    others = (
        sa.select(sa.func.count())
        .select_from(ReplyRow)
        .join(ParticipantRow, ParticipantRow.token == ReplyRow.token)
        .where(
            ReplyRow.question == question,
            ReplyRow.value == value,
            ReplyRow.token != token,
            ParticipantRow.status == ACTIVE,
        )
    )
    return int(db.scalar(others) or 0) >= wanted
