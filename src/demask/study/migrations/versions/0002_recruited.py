"""Recruited people, places apart from slots, devices, screens of several trials, drafts of free order."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _of_participants() -> list[sa.Column[Any]]:
    return [
        sa.Column("place", sa.Integer, nullable=False, server_default="0"),
        sa.Column("status", sa.String(20), nullable=False, server_default="active"),
        sa.Column("recruit_service", sa.String(20)),
        sa.Column("recruit_person", sa.String(100)),
        sa.Column("recruit_study", sa.String(100)),
        sa.Column("recruit_session", sa.String(100)),
    ]


def _of_answers() -> list[sa.Column[Any]]:
    return [
        sa.Column("shown_px", sa.Double),
        sa.Column("follow_up", sa.String(80), nullable=False, server_default=""),
    ]


def upgrade() -> None:
    """Add columns and tables; who is there keeps place, trials and answers."""
    op.add_column("trials", sa.Column("screen", sa.Integer, nullable=False, server_default="-1"))
    for column in _of_participants():
        op.add_column("participants", column)
    op.execute("UPDATE participants SET place = slot")
    for column in _of_answers():
        op.add_column("answers", column)
    op.create_index(
        "participants_recruited", "participants", ["recruit_service", "recruit_person"], unique=True
    )
    op.create_table(
        "drafts",
        sa.Column("token", sa.String(40), sa.ForeignKey("participants.token"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.String(20), nullable=False),
        sa.Column("reaction_ms", sa.Double, nullable=False),
        sa.Column("shown_px", sa.Double),
    )
    op.create_table(
        "devices",
        sa.Column("token", sa.String(40), sa.ForeignKey("participants.token"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("looked_at", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("devices")
    op.drop_table("drafts")
    op.drop_index("participants_recruited", "participants")
    for column in _of_answers():
        op.drop_column("answers", column.name)
    for column in _of_participants():
        op.drop_column("participants", column.name)
    op.drop_column("trials", "screen")
