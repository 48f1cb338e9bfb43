"""The tables of a study's database; `migrations` makes them.

No name or address is stored: a participant is a random token. Who is sent by a recruiting service brings its
code for the person, which stays in `participants` and in no export of answers.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Double, ForeignKey, ForeignKeyConstraint, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Base of all tables; its metadata is what migrations are compared with."""


class MetaRow(Base):
    """Facts about the study: plan, labels, state, whether the people are simulated."""

    __tablename__ = "study"

    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class TrialRow(Base):
    """One trial of one slot, as `trials.Trial`."""

    __tablename__ = "trials"

    slot: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    block: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(10))
    face: Mapped[str] = mapped_column(String(255))
    first: Mapped[str] = mapped_column(String(80))
    second: Mapped[str] = mapped_column(String(80))
    second_face: Mapped[str] = mapped_column(String(255))
    expected: Mapped[str] = mapped_column(String(20))
    break_before: Mapped[bool] = mapped_column(Boolean)
    screen: Mapped[int] = mapped_column(Integer, server_default="-1")


class ParticipantRow(Base):
    """One person; times in whole seconds since 1970, UTC.

    `slot` names the person's trials, `place` the stretch of the assignment that they are.
    """

    __tablename__ = "participants"
    # Whoever a recruiting service sends joins once; the others are NULL there, of which there may be many.
    __table_args__ = (Index("participants_recruited", "recruit_service", "recruit_person", unique=True),)

    token: Mapped[str] = mapped_column(String(40), primary_key=True)
    slot: Mapped[int] = mapped_column(Integer, unique=True)
    language: Mapped[str] = mapped_column(String(20))
    simulated: Mapped[bool] = mapped_column(Boolean)
    enrolled_at: Mapped[int] = mapped_column(Integer)
    consented_at: Mapped[int | None] = mapped_column(Integer)
    finished_at: Mapped[int | None] = mapped_column(Integer)
    place: Mapped[int] = mapped_column(Integer, server_default="0")
    status: Mapped[str] = mapped_column(String(20), server_default="active")
    recruit_service: Mapped[str | None] = mapped_column(String(20))
    recruit_person: Mapped[str | None] = mapped_column(String(100))
    recruit_study: Mapped[str | None] = mapped_column(String(100))
    recruit_session: Mapped[str | None] = mapped_column(String(100))


class AnswerRow(Base):
    """One answer; never changed, only deleted with its participant."""

    __tablename__ = "answers"
    __table_args__ = (ForeignKeyConstraint(["slot", "position"], ["trials.slot", "trials.position"]),)

    token: Mapped[str] = mapped_column(ForeignKey("participants.token"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    slot: Mapped[int] = mapped_column(Integer)
    value: Mapped[str] = mapped_column(String(20))
    reaction_ms: Mapped[float] = mapped_column(Double)
    first_ms: Mapped[float | None] = mapped_column(Double)
    second_ms: Mapped[float | None] = mapped_column(Double)
    answered_at: Mapped[int] = mapped_column(Integer)
    shown_px: Mapped[float | None] = mapped_column(Double)
    follow_up: Mapped[str] = mapped_column(String(80), server_default="")


class ReplyRow(Base):
    """The reply to one question about the person."""

    __tablename__ = "replies"

    token: Mapped[str] = mapped_column(ForeignKey("participants.token"), primary_key=True)
    question: Mapped[str] = mapped_column(String(80), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class DraftRow(Base):
    """One version of an answer in a block of free order; the last one becomes the answer."""

    __tablename__ = "drafts"

    token: Mapped[str] = mapped_column(ForeignKey("participants.token"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    value: Mapped[str] = mapped_column(String(20))
    reaction_ms: Mapped[float] = mapped_column(Double)
    shown_px: Mapped[float | None] = mapped_column(Double)


class DeviceRow(Base):
    """What a participant's screen was like, each time the study was opened."""

    __tablename__ = "devices"

    token: Mapped[str] = mapped_column(ForeignKey("participants.token"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    facts: Mapped[str] = mapped_column(Text)
    looked_at: Mapped[int] = mapped_column(Integer)
