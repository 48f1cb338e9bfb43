"""Open a study's database so that a committed answer survives a kill and a power cut."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from demask.errors import UsageError
from demask.extras import install_command

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_S = 30.0


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file."""
    return sa.URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def open_engine(url: str) -> Engine:
    """Connect to SQLite or PostgreSQL and bring the tables up to date.

    SQLite runs in WAL mode with synchronous=FULL: the log is synced to the disk before a commit returns
    (sqlite.org/pragma.html#pragma_synchronous), which WAL's usual NORMAL does not promise. Deleted
    content is overwritten with zeros (secure_delete), since a withdrawal must delete.

    Args:
        url: As SQLAlchemy writes it: sqlite:///file.sqlite, postgresql://user@host/name.

    Raises:
        UsageError: The URL names another kind of database, or the driver is not installed.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            kind = parsed.get_backend_name()
            raise UsageError(f"the database is {kind}; studies are kept in sqlite or postgresql")
        sqlite = parsed.get_backend_name() == "sqlite"
        wait = {"timeout": _BUSY_S} if sqlite else {}
        # Errors go to logs, and a statement's parameters are codes and people's own words.
        engine = sa.create_engine(parsed, pool_pre_ping=not sqlite, connect_args=wait, hide_parameters=True)
    except ArgumentError:
        raise UsageError(
            f"{url!r} is no database URL; write sqlite:///study.sqlite or postgresql://..."
        ) from None
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise UsageError(f"no driver for this database ({error}); run: {install_command('postgres')}") from None
    if sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    _migrate(engine)
    return engine


def forget_log(engine: Engine) -> None:
    """Empty SQLite's log, so that what was deleted does not live on beside the file.

    Readers that hold the log open are waited for; where that takes too long, the next call does it.
    """
    if engine.dialect.name != "sqlite":
        return
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.close()
    finally:
        connection.close()


def _prepare_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    # The driver must not open transactions by itself: `_begin_immediate` does.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    # Taking the write lock at once makes writers queue; two readers that both wished to write would fail.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
