"""Keep a study's people and answers: append-only, safe to repeat, deleted on withdrawal."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from demask.errors import InputError, OutputExists, UsageError
from demask.study import read_back
from demask.study.assign import Assignment
from demask.study.codes import StudyFull, UnknownParticipant, check_code, new_code
from demask.study.database import forget_log, open_engine
from demask.study.plan_file import parse_plan
from demask.study.records import Person, Record
from demask.study.tables import AnswerRow, MetaRow, ParticipantRow, ReplyRow, TrialRow
from demask.study.trials import FaceLabel, Trial

_NUMBER = re.compile(r"-?\d{1,9}([.,]\d{1,9})?")
_REPLY_LENGTH = 2000
_ENROL_TRIES = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a page hands in; times in milliseconds, as measured in the browser."""

    position: int
    value: str
    reaction_ms: float
    first_ms: float | None = None
    second_ms: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """Where one participant stands; `answered` are positions."""

    token: str
    language: str
    consented: bool
    finished: bool
    trials: tuple[Trial, ...]
    answered: frozenset[int]
    replies: Mapping[str, str]


class Store:
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
        labels = {face: FaceLabel(**label) for face, label in json.loads(meta["labels"]).items()}
        self.assignment = Assignment(self.plan, labels)

    @classmethod
    def create(
        cls, url: str, plan_text: str, labels: Mapping[str, FaceLabel], *, simulated: bool = False
    ) -> Store:
        """Make the database of a new study with the trials of all planned people.

        Args:
            url: See `database.open_engine`.
            plan_text: The plan file's text.
            labels: Every face by name.
            simulated: Only simulated people may ever answer here, and everything made from it says so.

        Raises:
            OutputExists: A study is there already.
            ConfigError: The plan is wrong, or there are not enough faces.
        """
        plan = parse_plan(plan_text)
        assignment = Assignment(plan, labels)
        meta = {
            "plan": plan_text,
            "labels": json.dumps({face: dataclasses.asdict(label) for face, label in labels.items()}),
            "simulated": "yes" if simulated else "no",
            "withdrawn": "0",
        }
        engine = open_engine(url)
        try:
            with engine.begin() as db:
                if db.execute(sa.select(MetaRow.key)).first() is not None:
                    raise OutputExists(f"{_shown(url)} holds a study already; name another database")
                db.execute(sa.insert(MetaRow), [{"key": key, "value": value} for key, value in meta.items()])
                for slot in range(plan.people):
                    _write_trials(db, assignment, slot)
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
        self, language: str, *, simulated: bool = False, token: str | None = None, most: int | None = None
    ) -> str:
        """Take the first free slot for a new participant and return their secret code.

        The code opens the session, brings it back after a closed tab, and deletes it.

        Args:
            language: Of the pages.
            simulated: Whether it is a simulated participant.
            token: A code of `new_code`'s form that the participant's page drew; where it is enrolled
                already nothing changes, so that a page may ask again until it is heard. None = draw one.
            most: Take nobody in beyond so many; None = no limit.

        Raises:
            UsageError: The language is not offered, or real and simulated people would mix.
            InputError: The code is not of the right form.
            StudyFull: `most` are enrolled already.
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
                    if self._is_enrolled(db, token):
                        return token
                    taken = set(db.scalars(sa.select(ParticipantRow.slot)))
                    if most is not None and len(taken) >= most:
                        raise StudyFull(most)
                    slot = next(number for number in range(len(taken) + 1) if number not in taken)
                    db.execute(
                        sa.insert(ParticipantRow).values(
                            token=token, slot=slot, language=language, simulated=simulated, enrolled_at=_now()
                        )
                    )
                    if slot >= self.plan.people:
                        self._ensure_trials(db, slot)
                return token
            except IntegrityError:
                continue  # Somebody took the slot at the same moment.
        raise InputError("enrolment failed many times in a row; the database is overloaded, try again")

    def knows(self, token: str) -> bool:
        """Whether a participant has this code."""
        with self._engine.begin() as db:
            return self._is_enrolled(db, token)

    def num_enrolled(self) -> int:
        """How many slots are taken, by people who have not agreed yet too."""
        with self._engine.begin() as db:
            return int(db.scalar(sa.select(sa.func.count()).select_from(ParticipantRow)) or 0)

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
            row = self._participant(db, token)
            answered = db.scalars(sa.select(AnswerRow.position).where(AnswerRow.token == token))
            replies = db.execute(sa.select(ReplyRow.question, ReplyRow.value).where(ReplyRow.token == token))
            return Session(
                token=token,
                language=row.language,
                consented=row.consented_at is not None,
                finished=row.finished_at is not None,
                trials=read_back.trials(db, row.slot),
                answered=frozenset(answered),
                replies={row.question: row.value for row in replies},
            )

    def answer(self, token: str, answer: Answer) -> bool:
        """Store an answer for good; when this returns it is on the disk.

        A second answer to one trial changes nothing, so a page may send again until it is heard.

        Returns:
            Whether it is the first answer to this trial.

        Raises:
            UnknownParticipant: The code is unknown.
            InputError: No such trial, no such answer, impossible times, or no consent yet.
        """
        return self.answer_all(token, [answer]) == 1

    def answer_all(self, token: str, answers: Sequence[Answer]) -> int:
        """Store several answers in one transaction, all or none; otherwise as `answer`.

        Returns:
            How many were the first to their trials.
        """
        for answer in answers:
            times = [answer.reaction_ms, answer.first_ms, answer.second_ms]
            if not all(time_ms is None or 0 <= time_ms < 1e9 for time_ms in times):
                raise InputError(f"times are {times}; they must be milliseconds from 0 up")
        try:
            with self._engine.begin() as db:
                row = self._participant(db, token)
                if row.consented_at is None:
                    raise InputError("no consent was given yet; answers come after it")
                query = sa.select(TrialRow.position, TrialRow.block).where(TrialRow.slot == row.slot)
                block_of = {trial.position: trial.block for trial in db.execute(query)}
                facts = {"token": token, "slot": row.slot, "answered_at": _now()}
                new = 0
                for answer in answers:
                    block = block_of.get(answer.position)
                    if block is None:
                        raise InputError(f"there is no trial {answer.position} in this session")
                    if answer.value not in self.plan.block(block).answers:
                        raise InputError(f"{answer.value!r} is no answer in block {block!r}")
                    new += self._insert_once(db, AnswerRow, dataclasses.asdict(answer) | facts)
                return new
        except IntegrityError:
            raise UnknownParticipant from None  # Withdrawn while we wrote.

    def reply(self, token: str, question: str, value: str) -> bool:
        """Store the reply to a question about the person; the first one stays.

        Raises:
            UnknownParticipant: The code is unknown.
            InputError: The plan has no such question or choice, or the reply is no number or too long.
        """
        known = {item.name: item for item in self.plan.questions}
        if question not in known:
            raise InputError(f"the plan has no question {question!r}")
        if known[question].choices and value not in known[question].choices:
            raise InputError(f"{value!r} is no choice of {question!r}: {', '.join(known[question].choices)}")
        if known[question].kind == "number" and not _NUMBER.fullmatch(value):
            raise InputError(f"{value!r} is no number; {question!r} asks for one, such as 30 or 2.5")
        if len(value) > _REPLY_LENGTH:
            raise InputError(f"a reply has {len(value)} characters; {_REPLY_LENGTH} are the most")
        with self._engine.begin() as db:
            self._participant(db, token)
            return self._insert_once(db, ReplyRow, {"token": token, "question": question, "value": value})

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
            gone = db.execute(sa.delete(AnswerRow).where(AnswerRow.token == token)).rowcount
            db.execute(sa.delete(ReplyRow).where(ReplyRow.token == token))
            db.execute(sa.delete(ParticipantRow).where(ParticipantRow.token == token))
            count = sa.cast(sa.cast(MetaRow.value, sa.Integer) + 1, sa.String)
            db.execute(sa.update(MetaRow).where(MetaRow.key == "withdrawn").values(value=count))
        forget_log(self._engine)
        return int(gone)

    def num_withdrawn(self) -> int:
        """How many people withdrew; nothing else is kept of them."""
        with self._engine.begin() as db:
            return int(db.scalar(sa.select(MetaRow.value).where(MetaRow.key == "withdrawn")) or 0)

    def people(self) -> list[Person]:
        """Every participant who consented, without their codes."""
        with self._engine.begin() as db:
            return read_back.people(db)

    def records(self) -> list[Record]:
        """Every answer with its trial, by person and position."""
        with self._engine.begin() as db:
            return read_back.records(db)

    def _participant(self, db: Connection, token: str) -> Any:
        row = db.execute(
            sa.select(
                ParticipantRow.slot,
                ParticipantRow.language,
                ParticipantRow.consented_at,
                ParticipantRow.finished_at,
            ).where(ParticipantRow.token == token)
        ).first()
        if row is None:
            raise UnknownParticipant
        return row

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
                .values({column.key: _now()} | more)
            )

    def _ensure_trials(self, db: Connection, slot: int) -> None:
        if db.execute(sa.select(TrialRow.position).where(TrialRow.slot == slot)).first() is None:
            _write_trials(db, self.assignment, slot)

    def _insert_once(self, db: Connection, table: type[AnswerRow | ReplyRow], values: dict[str, Any]) -> bool:
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(table).values(values).on_conflict_do_nothing()
        return db.execute(insert.returning(table.token)).first() is not None


def _write_trials(db: Connection, assignment: Assignment, slot: int) -> None:
    db.execute(sa.insert(TrialRow), [dataclasses.asdict(trial) for trial in assignment.trials(slot)])


def _shown(url: str) -> str:
    return sa.make_url(url).render_as_string(hide_password=True)


def _now() -> int:
    return int(time.time())
