"""Take answers, replies and what a screen is like into a study's database: append-only, safe to repeat."""

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
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError

from demask.errors import InputError
from demask.study.codes import PlaceGone, StudyNotOpen, UnknownParticipant
from demask.study.joining import ACTIVE, CLOSED, SCREENED, quota_is_full, state_of
from demask.study.plan import Plan
from demask.study.tables import AnswerRow, DeviceRow, DraftRow, ParticipantRow, ReplyRow, TrialRow

_NUMBER = re.compile(r"-?\d{1,9}([.,]\d{1,9})?")
_REPLY_LENGTH = 2000
_MOST_DEVICES = 50


def now_s() -> int:
    """Whole seconds since 1970, UTC."""
    return int(time.time())


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a page hands in; times in milliseconds, as measured in the browser."""

    position: int
    value: str
    reaction_ms: float
    first_ms: float | None = None
    second_ms: float | None = None
    shown_px: float | None = None
    follow_up: str = ""


class Answering:
    """The part of a store that a participant's page writes to."""

    _engine: Engine
    plan: Plan

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
            if not all(number is None or 0 <= number < 1e9 for number in times):
                raise InputError(f"times are {times}; they must be milliseconds from 0 up")
            if answer.shown_px is not None and not 0 <= answer.shown_px < 1e9:
                raise InputError(f"the shown width is {answer.shown_px}; it must be pixels from 0 up")
        try:
            with self._engine.begin() as db:
                row = self._answering(db, token)
                blocks = self._blocks(db, row.slot)
                facts = {"token": token, "slot": row.slot, "answered_at": now_s()}
                new = 0
                for answer in answers:
                    self._check(blocks, answer)
                    new += self._insert_once(db, AnswerRow, dataclasses.asdict(answer) | facts)
                return new
        except IntegrityError:
            raise UnknownParticipant from None  # Withdrawn while we wrote.

    def draft(self, token: str, answer: Answer) -> None:
        """Keep one version of an answer in a block of free order; the last version counts.

        Raises:
            UnknownParticipant: The code is unknown.
            InputError: As `answer`, or the block's order is not free, or it is closed.
        """
        with self._engine.begin() as db:
            row = self._answering(db, token)
            blocks = self._blocks(db, row.slot)
            self._check(blocks, answer)
            block = self.plan.block(blocks[answer.position])
            if block.order != "free":
                raise InputError(f"block {block.name!r} takes answers one by one, not drafts")
            own = (DraftRow.token == token, DraftRow.position == answer.position)
            number = db.scalar(sa.select(sa.func.count()).select_from(DraftRow).where(*own)) or 0
            given = (AnswerRow.token == token, AnswerRow.position == answer.position)
            if db.scalar(sa.select(AnswerRow.position).where(*given)) is not None:
                raise InputError(f"block {block.name!r} is closed; its answers stay as they are")
            db.execute(
                sa.insert(DraftRow).values(
                    token=token,
                    position=answer.position,
                    number=number,
                    value=answer.value,
                    reaction_ms=answer.reaction_ms,
                    shown_px=answer.shown_px,
                )
            )

    def close_block(self, token: str, block: str) -> int:
        """Turn the last drafts of a block of free order into answers; repeating it changes nothing.

        Returns:
            How many answers it has.

        Raises:
            UnknownParticipant: The code is unknown.
            InputError: Trials of the block have no draft.
        """
        with self._engine.begin() as db:
            row = self._answering(db, token)
            positions = [position for position, name in self._blocks(db, row.slot).items() if name == block]
            query = sa.select(DraftRow).where(DraftRow.token == token, DraftRow.position.in_(positions))
            last = {draft.position: draft for draft in db.execute(query.order_by(DraftRow.number))}
            if not positions or set(positions) - last.keys():
                left = len(set(positions) - last.keys())
                raise InputError(f"{left} pictures of block {block!r} have no answer yet; answer them first")
            for draft in last.values():
                values = {"position": draft.position, "value": draft.value, "reaction_ms": draft.reaction_ms}
                facts = {"token": token, "slot": row.slot, "answered_at": now_s(), "shown_px": draft.shown_px}
                self._insert_once(db, AnswerRow, values | facts)
            return len(last)

    def device(self, token: str, facts: Mapping[str, Any]) -> None:
        """Keep what the participant's screen is like, once for each time the study is opened.

        Raises:
            UnknownParticipant: The code is unknown.
        """
        with self._engine.begin() as db:
            self._participant(db, token)
            own = sa.select(sa.func.count()).select_from(DeviceRow).where(DeviceRow.token == token)
            number = db.scalar(own) or 0
            if number < _MOST_DEVICES:
                db.execute(
                    sa.insert(DeviceRow).values(
                        token=token, number=number, facts=json.dumps(dict(facts)), looked_at=now_s()
                    )
                )

    def reply(self, token: str, question: str, value: str) -> bool:
        """Store the reply to a question about the person; the first one stays.

        Where a quota is full the person is sent away: the session's status says `screened`.

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
            first = self._insert_once(db, ReplyRow, {"token": token, "question": question, "value": value})
            if first and quota_is_full(db, self.plan, token, question, value):
                own = sa.update(ParticipantRow).where(ParticipantRow.token == token)
                db.execute(own.values(status=SCREENED))
            return first

    def _participant(self, db: Connection, token: str) -> Any:
        row = db.execute(
            sa.select(
                ParticipantRow.slot,
                ParticipantRow.language,
                ParticipantRow.consented_at,
                ParticipantRow.finished_at,
                ParticipantRow.status,
            ).where(ParticipantRow.token == token)
        ).first()
        if row is None:
            raise UnknownParticipant
        return row

    def _answering(self, db: Connection, token: str) -> Any:
        """The row of a participant who may answer now."""
        row = self._participant(db, token)
        if row.consented_at is None:
            raise InputError("no consent was given yet; answers come after it")
        if row.status != ACTIVE:
            raise PlaceGone(row.status)
        if state_of(db) == CLOSED:
            raise StudyNotOpen(CLOSED)
        return row

    def _blocks(self, db: Connection, slot: int) -> dict[int, str]:
        """Block of each position."""
        query = sa.select(TrialRow.position, TrialRow.block).where(TrialRow.slot == slot)
        return {trial.position: trial.block for trial in db.execute(query)}

    def _check(self, blocks: Mapping[int, str], answer: Answer) -> None:
        """Refuse an answer that a session cannot have."""
        name = blocks.get(answer.position)
        if name is None:
            raise InputError(f"there is no trial {answer.position} in this session")
        block = self.plan.block(name)
        if answer.value not in block.answers:
            raise InputError(f"{answer.value!r} is no answer in block {name!r}")
        if answer.follow_up and (block.follow_up is None or answer.follow_up not in block.follow_up.choices):
            raise InputError(f"{answer.follow_up!r} is no answer to the further question of block {name!r}")

    def _insert_once(self, db: Connection, table: type[AnswerRow | ReplyRow], values: dict[str, Any]) -> bool:
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(table).values(values).on_conflict_do_nothing()
        return db.execute(insert.returning(table.token)).first() is not None
