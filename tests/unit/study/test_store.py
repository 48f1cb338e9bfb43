"""The store, on SQLite and on a real PostgreSQL: once is once, kept is kept, withdrawn is gone."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from study_plans import faces, new_store

from demask.errors import InputError, OutputExists, UsageError
from demask.study.answering import Answer
from demask.study.codes import UnknownParticipant
from demask.study.database import open_engine
from demask.study.joining import Recruit
from demask.study.store import Store
from demask.study.tables import Base

WRITER = Path(__file__).with_name("writer.py")


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = new_store(database_url)
    yield made
    made.close()


def joined(store: Store) -> str:
    token = store.enrol("en")
    store.consent(token)
    return token


def test_a_session_is_stored_and_read_back(store: Store) -> None:
    token = joined(store)
    session = store.session(token)
    assert session.trials == store.assignment.trials(0)
    for trial in session.trials[:5]:
        value = trial.expected or "4"
        assert store.answer(
            token, Answer(position=trial.position, value=value, reaction_ms=812.5, first_ms=999.5)
        )
    store.reply(token, "age", "30-49")
    assert store.session(token).answered == frozenset(range(5))
    records = store.records()
    assert [record.position for record in records] == [0, 1, 2, 3, 4]
    assert {record.person for record in records} == {"p001"}
    assert (records[0].reaction_ms, records[0].first_ms, records[0].second_ms) == (812.5, 999.5, None)
    (person,) = store.people()
    assert (person.num_answers, person.num_trials) == (5, len(session.trials))
    assert person.replies == {"age": "30-49"}


def test_an_answer_counts_once_and_never_changes(store: Store) -> None:
    token = joined(store)
    assert store.answer(token, Answer(position=0, value="3", reaction_ms=1.0))
    assert not store.answer(token, Answer(position=0, value="3", reaction_ms=1.0))
    assert not store.answer(token, Answer(position=0, value="7", reaction_ms=2.0))
    assert [record.value for record in store.records()] == ["3"]
    with pytest.raises(DBAPIError, match="never changed"), store._engine.begin() as db:
        db.execute(sa.text("UPDATE answers SET value = '1'"))


def test_what_makes_no_sense_is_refused(store: Store) -> None:
    token = store.enrol("en")
    with pytest.raises(InputError, match="no consent"):
        store.answer(token, Answer(position=0, value="3", reaction_ms=1.0))
    store.consent(token)
    for answer, words in (
        (Answer(position=0, value="8", reaction_ms=1.0), "no answer in block"),
        (Answer(position=10_000, value="3", reaction_ms=1.0), "no trial 10000"),
        (Answer(position=0, value="3", reaction_ms=-1.0), "milliseconds"),
        (Answer(position=0, value="3", reaction_ms=float("nan")), "milliseconds"),
        (Answer(position=0, value="3", reaction_ms=1.0, shown_px=-1.0), "pixels"),
    ):
        with pytest.raises(InputError, match=words):
            store.answer(token, answer)
    with pytest.raises(InputError, match="no choice"):
        store.reply(token, "age", "5")
    with pytest.raises(InputError, match="no question"):
        store.reply(token, "name", "Ann")
    with pytest.raises(UnknownParticipant):
        store.session("nobody")
    with pytest.raises(UsageError, match="not offered"):
        store.enrol("fr")
    with pytest.raises(UsageError, match="for real people"):
        store.enrol("en", simulated=True)
    assert store.records() == []


def test_withdrawal_deletes_and_frees_the_slot(store: Store) -> None:
    first, second = joined(store), joined(store)
    for token in (first, second):
        store.answer(token, Answer(position=0, value="3", reaction_ms=1.0))
        store.reply(token, "remarks", "words of " + token)
    assert store.withdraw(first) == 1
    assert {record.person for record in store.records()} == {"p002"}
    assert [person.replies["remarks"] for person in store.people()] == ["words of " + second]
    assert store.num_withdrawn() == 1
    for action in (store.session, store.withdraw, store.consent):
        with pytest.raises(UnknownParticipant):
            action(first)
    assert store.session(joined(store)).trials == store.assignment.trials(0)


def test_withdrawn_words_are_not_left_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    store = new_store(path)
    token = joined(store)
    store.reply(token, "remarks", "a very telling remark")
    assert any(b"telling remark" in file.read_bytes() for file in tmp_path.iterdir())
    store.withdraw(token)
    assert not any(b"telling remark" in file.read_bytes() for file in tmp_path.iterdir())
    assert not any(token.encode() in file.read_bytes() for file in tmp_path.iterdir())
    store.close()


def test_more_people_than_planned_go_on_in_balance(store: Store) -> None:
    tokens = [store.enrol("en") for _ in range(store.plan.people + 2)]
    assert len(set(tokens)) == len(tokens)
    assert store.session(tokens[-1]).trials == store.assignment.trials(store.plan.people + 1)


def test_many_enrol_and_answer_at_once(store: Store) -> None:
    def one(_: int) -> str:
        token = joined(store)
        for position in range(6):
            for _again in range(2):
                value = store.plan.block(store.session(token).trials[position].block).answers[0]
                store.answer(token, Answer(position=position, value=value, reaction_ms=1.0))
        return token

    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(one, range(24)))
    assert len(set(tokens)) == 24
    records = store.records()
    assert len(records) == len({(record.person, record.position) for record in records}) == 24 * 6


def test_nothing_acknowledged_is_lost_to_kills(store: Store, database_url: str) -> None:
    tokens = [joined(store) for _ in range(3)]
    said: list[tuple[str, int]] = []
    for kill_after in (5, 40, 90):
        with subprocess.Popen(
            [sys.executable, str(WRITER), database_url, *tokens], stdout=subprocess.PIPE, text=True
        ) as writer:
            timer = threading.Timer(120, writer.kill)
            timer.start()
            assert writer.stdout is not None
            lines = []
            for line in writer.stdout:
                lines.append(line)
                if len(lines) == kill_after:
                    # Three threads are writing at this very moment.
                    os.kill(writer.pid, signal.SIGKILL)
                    lines += writer.stdout.readlines()
                    break
            timer.cancel()
        assert writer.returncode == -signal.SIGKILL
        said += [
            (name, int(position)) for name, position in map(str.split, (x for x in lines if x.endswith("\n")))
        ]
        kept = {(token, position) for token in tokens for position in store.session(token).answered}
        assert set(said) <= kept
    assert len(said) == len(set(said))
    subprocess.run([sys.executable, str(WRITER), database_url, *tokens], check=True, capture_output=True)
    records = store.records()
    assert len(records) == sum(len(store.session(token).trials) for token in tokens)
    assert all(record.reaction_ms == 500 + record.position for record in records)


SHORT = """
title = "Short"
systems = ["a"]
people = 200
consent = { en = "yes" }
[[blocks]]
kind = "rating"
name = "r"
scale = "quality"
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_200_people_at_once_with_kills(database_url: str) -> None:
    store = Store.create(database_url, SHORT, faces(12))
    tokens = [joined(store) for _ in range(200)]
    said: set[tuple[str, str]] = set()
    for num_kills in (4, 4, 0):
        groups = [tokens[start::4] for start in range(4)]
        writers = [
            subprocess.Popen(
                [sys.executable, str(WRITER), database_url, *group], stdout=subprocess.PIPE, text=True
            )
            for group in groups
        ]
        for number, writer in enumerate(writers):
            assert writer.stdout is not None
            lines = []
            for line in writer.stdout:
                lines.append(line)
                if num_kills and len(lines) == 60 + 17 * number:
                    os.kill(writer.pid, signal.SIGKILL)
            writer.stdout.close()
            assert writer.wait() == (-signal.SIGKILL if num_kills else 0)
            said |= {tuple(line.split()) for line in lines if line.endswith("\n")}  # type: ignore[misc]
        kept = {(token, str(position)) for token in tokens for position in store.session(token).answered}
        assert said <= kept
    records = store.records()
    assert len(records) == len({(record.person, record.position) for record in records}) == 200 * 12
    store.close()


def test_sqlite_syncs_every_commit(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 's.sqlite'}")
    with engine.begin() as db:
        settings = [db.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert settings == ["wal", 2]
    engine.dispose()


def test_migrations_make_the_tables_that_the_code_reads(database_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = open_engine(database_url)
    with engine.begin() as db:
        assert compare_metadata(MigrationContext.configure(db), Base.metadata) == []
    engine.dispose()


def test_only_studies_and_only_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    with pytest.raises(InputError, match="holds no study"):
        Store.open(url)
    new_store(url).close()
    with pytest.raises(OutputExists, match="holds a study already"):
        new_store(url)
    with pytest.raises(UsageError, match="sqlite or postgresql"):
        open_engine("mysql://root@localhost/x")
    with pytest.raises(UsageError, match="no database URL"):
        open_engine("study.sqlite")


def test_no_column_could_hold_a_name_or_an_address(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    new_store(path).close()
    with sqlite3.connect(path) as db:
        columns = {row[1] for row in db.execute("PRAGMA table_info(participants)")}
    db.close()
    assert columns == {
        "token", "slot", "place", "language", "simulated", "enrolled_at", "consented_at", "finished_at",
        "status", "recruit_service", "recruit_person", "recruit_study", "recruit_session",
    }  # fmt: skip
    # The last three hold a recruiting service's codes, and nothing that is no code.
    for words in ("Ann Smith", "ann@example.org", "192.0.2.7", "2001:db8::7"):
        for field in ("person", "study", "session"):
            with pytest.raises(InputError, match="a form that no recruiting service uses"):
                Recruit(**{"person": "5f1e", field: words})
