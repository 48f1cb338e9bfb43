"""The first tables, and a trigger that refuses to change an answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQLITE_TRIGGER = """
CREATE TRIGGER answers_append_only BEFORE UPDATE ON answers
BEGIN SELECT RAISE(ABORT, 'an answer is never changed'); END
"""
_POSTGRES_FUNCTION = """
CREATE FUNCTION answers_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'an answer is never changed'; END $$
"""
_POSTGRES_TRIGGER = """
CREATE TRIGGER answers_append_only BEFORE UPDATE ON answers
FOR EACH ROW EXECUTE FUNCTION answers_append_only()
"""


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "study",
        sa.Column("key", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "trials",
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("block", sa.String(80), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("face", sa.String(255), nullable=False),
        sa.Column("first", sa.String(80), nullable=False),
        sa.Column("second", sa.String(80), nullable=False),
        sa.Column("second_face", sa.String(255), nullable=False),
        sa.Column("expected", sa.String(20), nullable=False),
        sa.Column("break_before", sa.Boolean, nullable=False),
    )
    op.create_table(
        "participants",
        sa.Column("token", sa.String(40), primary_key=True),
        sa.Column("slot", sa.Integer, nullable=False, unique=True),
        sa.Column("language", sa.String(20), nullable=False),
        sa.Column("simulated", sa.Boolean, nullable=False),
        sa.Column("enrolled_at", sa.Integer, nullable=False),
        sa.Column("consented_at", sa.Integer),
        sa.Column("finished_at", sa.Integer),
    )
    op.create_table(
        "answers",
        sa.Column("token", sa.String(40), sa.ForeignKey("participants.token"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("value", sa.String(20), nullable=False),
        sa.Column("reaction_ms", sa.Double, nullable=False),
        sa.Column("first_ms", sa.Double),
        sa.Column("second_ms", sa.Double),
        sa.Column("answered_at", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["slot", "position"], ["trials.slot", "trials.position"]),
    )
    op.create_table(
        "replies",
        sa.Column("token", sa.String(40), sa.ForeignKey("participants.token"), primary_key=True),
        sa.Column("question", sa.String(80), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_POSTGRES_FUNCTION)
        op.execute(_POSTGRES_TRIGGER)
    else:
        op.execute(_SQLITE_TRIGGER)


def downgrade() -> None:
    """Drop everything."""
    for table in ("replies", "answers", "participants", "trials", "study"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION answers_append_only")
