"""Alembic's entry: run the migrations on the connection that `database.migrate` hands over."""

from __future__ import annotations

from alembic import context

from demask.study.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
