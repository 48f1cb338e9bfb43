"""Keep a study's people and answers: append-only, safe to repeat, deleted on withdrawal."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from demask.errors import InputError, OutputExists, UsageError
from demask.study import read_back
from demask.study.answering import Answering, now_s
from demask.study.assign import Assignment
from demask.study.codes import UnknownParticipant, check_code, new_code
from demask.study.database import forget_log, open_engine
from demask.study.joining import (
    ACTIVE,
    STATES,
    Recruit,
    Wish,
    state_of,
    take_place,
    write_trials,
)
from demask.study.plan_file import parse_plan
from demask.study.records import Person, Record
from demask.study.tables import AnswerRow, DeviceRow, DraftRow, MetaRow, ParticipantRow, ReplyRow
from demask.study.trials import FaceLabel, Trial

_ENROL_TRIES = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """Where one participant stands.

    Attributes:
        token: The code.
        slot: Names the trials.
        language: Of the pages.
        consented: Whether they agreed.
        finished: Whether they reached the end.
        status: `active`, `timed_out` or `screened`.
        trials: In order, without blocks that are left out after the replies at the start.
        answered: Positions.
        drafts: Position to value, in blocks of free order that are not closed.
        replies: By question.
    """

    token: str
    slot: int
    language: str
    consented: bool
    finished: bool
    status: str
    trials: tuple[Trial, ...]
    answered: frozenset[int]
    drafts: Mapping[int, str]
    replies: Mapping[str, str]


class Store(Answering):
    """One study's database.

    Use `Store.create` once, then `Store.open`. Safe to share among threads and processes.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        with self._engine.begin() as db:
            meta = {row.key: row.value for row in db.execute(sa.select(MetaRow.key, MetaRow.value))}
        if "plan" not in meta:
            self.close()
            raise InputError(f"{_shown(url)} holds no study; make one with `demask study new`")
        self.plan = parse_plan(meta["plan"])
        self.plan_text = meta["plan"]
        self.simulated = meta["simulated"] == "yes"
        self.machines = meta.get("machines") == "yes"
        labels = {face: FaceLabel(**label) for face, label in json.loads(meta["labels"]).items()}
        self.assignment = Assignment(self.plan, labels)

    @classmethod
    def create(
        cls,
        url: str,
        plan_text: str,
        labels: Mapping[str, FaceLabel],
        *,
        simulated: bool = False,
        machines: bool = False,
    ) -> Store:
        """Make the database of a new study with the trials of all planned people.

        Args:
            url: See `database.open_engine`.
            plan_text: The plan file's text.
            labels: Every face by name.
            simulated: Only simulated people may ever answer here, and everything made from it says so.
            machines: They are networks that look at the pictures.

        Raises:
            OutputExists: A study is there already.
            ConfigError: The plan is wrong, or there are not enough faces.
        """
        plan = parse_plan(plan_text)
        assignment = Assignment(plan, labels)
        meta = {
            "plan": plan_text,
            "labels": json.dumps({face: dataclasses.asdict(label) for face, label in labels.items()}),
            "simulated": "yes" if simulated or machines else "no",
            "machines": "yes" if machines else "no",
            "withdrawn": "0",
        }
        engine = open_engine(url)
        try:
            with engine.begin() as db:
                if db.execute(sa.select(MetaRow.key)).first() is not None:
                    raise OutputExists(f"{_shown(url)} holds a study already; name another database")
                db.execute(sa.insert(MetaRow), [{"key": key, "value": value} for key, value in meta.items()])
                for slot in range(plan.people):
                    write_trials(db, assignment, slot, slot)
        finally:
            engine.dispose()
        return cls(url)

    @classmethod
    def open(cls, url: str) -> Store:
        """Open a study's database.

        Raises:
            InputError: There is no study in it.
        """
        return cls(url)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def enrol(
        self,
        language: str,
        *,
        simulated: bool = False,
        token: str | None = None,
        most: int | None = None,
        recruit: Recruit | None = None,
    ) -> str:
        """Take the first free place for a new participant and return their secret code.

        The code opens the session, brings it back after a closed tab, and deletes it.

        Args:
            language: Of the pages.
            simulated: Whether it is a simulated participant.
            token: A code of `new_code`'s form that the participant's page drew; where it is enrolled
                already nothing changes, so that a page may ask again until it is heard. None = draw one.
            most: Take nobody in beyond so many; None = no limit.
            recruit: Who sent them; kept where the plan names a service.

        Raises:
            UsageError: The language is not offered, or real and simulated people would mix.
            InputError: The code is not of the right form.
            StudyFull: `most` are enrolled already.
            StudyNotOpen: The study is paused or closed.
            AlreadyJoined: The recruited person takes part under another code.
        """
        self._offered(language)
        if simulated != self.simulated:
            kinds = ("simulated", "real") if self.simulated else ("real", "simulated")
            raise UsageError(f"this database is for {kinds[0]} people; no {kinds[1]} one can join it")
        wanted = None if token is None else check_code(token)
        for _ in range(_ENROL_TRIES):
            token = wanted or new_code()
            try:
                with self._engine.begin() as db:
                    if not self._is_enrolled(db, token):
                        wish = Wish(
                            token=token, language=language, simulated=simulated, recruit=recruit, most=most
                        )
                        take_place(db, self.assignment, wish, now=now_s())
                return token
            except IntegrityError:
                continue  # Somebody took the place at the same moment.
        raise InputError("enrolment failed many times in a row; the database is overloaded, try again")

    def state(self) -> str:
        """Whether the study is open, paused (nobody new joins) or closed (no answers either)."""
        with self._engine.begin() as db:
            return state_of(db)

    def set_state(self, state: str) -> None:
        """Open, pause or close the study; people who withdraw are heard in any state.

        Raises:
            UsageError: There is no such state.
        """
        if state not in STATES:
            raise UsageError(f"a study cannot be {state!r}; it can be {', '.join(STATES)}")
        with self._engine.begin() as db:
            self._set_meta(db, "state", state)

    def knows(self, token: str) -> bool:
        """Whether a participant has this code."""
        with self._engine.begin() as db:
            return self._is_enrolled(db, token)

    def num_by_status(self) -> dict[str, int]:
        """How many people there are of each status, those who have not agreed yet too."""
        with self._engine.begin() as db:
            query = sa.select(ParticipantRow.status, sa.func.count()).group_by(ParticipantRow.status)
            return {status: int(number) for status, number in db.execute(query)}

    def num_enrolled(self) -> int:
        """How many places are taken, by people who have not agreed yet too."""
        return self.num_by_status().get(ACTIVE, 0)

    def consent(self, token: str, language: str | None = None) -> None:
        """Note that the participant agreed; repeating it changes nothing.

        Args:
            token: The participant's code.
            language: The one in which they read what they agreed to; None = the one of their enrolment.

        Raises:
            UnknownParticipant: The code is unknown.
            UsageError: The language is not offered.
        """
        self._stamp(
            token, ParticipantRow.consented_at, **({"language": self._offered(language)} if language else {})
        )

    def finish(self, token: str) -> None:
        """Note that the participant reached the end; repeating it changes nothing."""
        self._stamp(token, ParticipantRow.finished_at)

    def session(self, token: str) -> Session:
        """Everything needed to go on where the participant stopped.

        Raises:
            UnknownParticipant: The code is unknown.
        """
        with self._engine.begin() as db:
            person = self._participant(db, token)
            answered = db.scalars(sa.select(AnswerRow.position).where(AnswerRow.token == token))
            replied = db.execute(sa.select(ReplyRow.question, ReplyRow.value).where(ReplyRow.token == token))
            replies = {row.question: row.value for row in replied}
            drafts = db.execute(
                sa.select(DraftRow.position, DraftRow.value)
                .where(DraftRow.token == token)
                .order_by(DraftRow.position, DraftRow.number)
            )
            out = self.plan.left_out(replies)
            return Session(
                token=token,
                slot=person.slot,
                language=person.language,
                consented=person.consented_at is not None,
                finished=person.finished_at is not None,
                status=person.status,
                trials=tuple(trial for trial in read_back.trials(db, person.slot) if trial.block not in out),
                answered=frozenset(answered),
                drafts={row.position: row.value for row in drafts},
                replies=replies,
            )

    def withdraw(self, token: str) -> int:
        """Delete a participant with every answer and reply; the slot is free again.

        Returns:
            How many answers were deleted.

        Raises:
            UnknownParticipant: The code is unknown.
        """
        with self._engine.begin() as db:
            # The row is locked first, so that no answer slips in between (PostgreSQL; SQLite locks whole).
            found = db.execute(sa.select(ParticipantRow).where(ParticipantRow.token == token).with_for_update())
            if found.first() is None:
                raise UnknownParticipant
            gone = self._forget(db, token)
            self._count(db, "withdrawn")
        forget_log(self._engine)
        return gone

    def returned(self, session: str) -> int:
        """Delete a recruited person who gave the submission back at the service; the place is free again.

        Giving back withdraws the consent there, so nothing is kept but their number.

        Args:
            session: What the service calls the submission.

        Returns:
            How many answers were deleted.

        Raises:
            InputError: Nobody came with this submission.
        """
        with self._engine.begin() as db:
            own = sa.select(ParticipantRow.token).where(ParticipantRow.recruit_session == session)
            token = db.scalar(own.with_for_update()) if session else None
            if token is None:
                raise InputError("nobody here came with this submission; look it up in recruits.csv")
            gone = self._forget(db, token)
            self._count(db, "returned")
        forget_log(self._engine)
        return gone

    def num_withdrawn(self) -> int:
        """How many people withdrew; nothing else is kept of them."""
        return self._counted("withdrawn")

    def num_returned(self) -> int:
        """How many people gave their submission back; nothing else is kept of them."""
        return self._counted("returned")

    def people(self) -> list[Person]:
        """Every participant who consented, without their codes."""
        with self._engine.begin() as db:
            return read_back.people(db, self.plan)

    def recruits(self) -> list[dict[str, str]]:
        """Everybody whom a recruiting service sent, by what it calls them; for payment, never for analysis."""
        with self._engine.begin() as db:
            return read_back.recruits(db)

    def records(self) -> list[Record]:
        """Every answer with its trial, by person and position."""
        with self._engine.begin() as db:
            return read_back.records(db)

    def _is_enrolled(self, db: Connection, token: str) -> bool:
        query = sa.select(ParticipantRow.slot).where(ParticipantRow.token == token)
        return db.execute(query).first() is not None

    def _offered(self, language: str) -> str:
        if language not in self.plan.languages:
            raise UsageError(f"language {language!r} is not offered; choose {', '.join(self.plan.languages)}")
        return language

    def _stamp(self, token: str, column: Any, **more: str) -> None:
        with self._engine.begin() as db:
            self._participant(db, token)
            db.execute(
                sa.update(ParticipantRow)
                .where(ParticipantRow.token == token, column.is_(None))
                .values({column.key: now_s()} | more)
            )

    def _forget(self, db: Connection, token: str) -> int:
        gone = db.execute(sa.delete(AnswerRow).where(AnswerRow.token == token)).rowcount
        for table in (DraftRow, DeviceRow, ReplyRow, ParticipantRow):
            db.execute(sa.delete(table).where(table.token == token))
        return int(gone)

    def _counted(self, key: str) -> int:
        with self._engine.begin() as db:
            return int(db.scalar(sa.select(MetaRow.value).where(MetaRow.key == key)) or 0)

    def _count(self, db: Connection, key: str) -> None:
        count = sa.cast(sa.cast(MetaRow.value, sa.Integer) + 1, sa.String)
        if not db.execute(sa.update(MetaRow).where(MetaRow.key == key).values(value=count)).rowcount:
            self._set_meta(db, key, "1")

    def _set_meta(self, db: Connection, key: str, value: str) -> None:
        if not db.execute(sa.update(MetaRow).where(MetaRow.key == key).values(value=value)).rowcount:
            db.execute(sa.insert(MetaRow).values(key=key, value=value))


def _shown(url: str) -> str:
    return sa.make_url(url).render_as_string(hide_password=True)
