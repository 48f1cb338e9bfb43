"""The tables of a study's database; `migrations` makes them.

No name, address or anything else of a person is stored: a participant is a random token.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Double, ForeignKey, ForeignKeyConstraint, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Base of all tables; its metadata is what migrations are compared with."""


class MetaRow(Base):
    """Facts about the study: plan, labels, whether the people are simulated."""

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


class ParticipantRow(Base):
    """One person; times in whole seconds since 1970, UTC."""

    __tablename__ = "participants"

    token: Mapped[str] = mapped_column(String(40), primary_key=True)
    slot: Mapped[int] = mapped_column(Integer, unique=True)
    language: Mapped[str] = mapped_column(String(20))
    simulated: Mapped[bool] = mapped_column(Boolean)
    enrolled_at: Mapped[int] = mapped_column(Integer)
    consented_at: Mapped[int | None] = mapped_column(Integer)
    finished_at: Mapped[int | None] = mapped_column(Integer)


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


class ReplyRow(Base):
    """The reply to one question about the person."""

    __tablename__ = "replies"

    token: Mapped[str] = mapped_column(ForeignKey("participants.token"), primary_key=True)
    question: Mapped[str] = mapped_column(String(80), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
