"""Places, groups, quotas, time-outs and recruited people, on both databases."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from study_plans import EVERY_KIND, NUM_FACES, every_kind, faces

import demask.study
from demask.errors import ConfigError, InputError, UsageError
from demask.study import answering
from demask.study.answering import Answer
from demask.study.assign import Assignment
from demask.study.codes import AlreadyJoined, PlaceGone, StudyFull, StudyNotOpen
from demask.study.joining import Recruit
from demask.study.plan_file import parse_plan
from demask.study.store import Store

PLAN = """
title = "Recruited"
systems = ["a", "b"]
people = 4
consent = { en = "yes" }
[recruitment]
service = "prolific"
completion_code = "DONE"
timeout_minutes = 30
[[questions]]
name = "age"
at = "start"
choices = ["young", "old"]
text = { en = "Age?" }
[questions.quota]
young = 1
[[blocks]]
kind = "rating"
name = "one"
scale = "quality"
faces = 4
[[blocks]]
kind = "rating"
name = "two"
scale = "realism"
faces = 4
when = { question = "age", replies = ["old"] }
[[groups]]
name = "forth"
blocks = ["one", "two"]
[[groups]]
name = "back"
blocks = ["two", "one"]
"""


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.create(database_url, PLAN, faces(12))
    yield opened
    opened.close()


def someone(store: Store, name: str, reply: str = "old") -> str:
    token = store.enrol("en", recruit=Recruit(person=name, session=f"session-{name}"))
    store.consent(token)
    store.reply(token, "age", reply)
    return token


def finish(store: Store, token: str) -> None:
    for trial in store.session(token).trials:
        store.answer(token, Answer(position=trial.position, value="3", reaction_ms=700, shown_px=256.0))
    store.finish(token)


def test_groups_take_turns_and_stay_balanced(store: Store) -> None:
    first, second = someone(store, "ann"), someone(store, "ben")
    assert [dict.fromkeys(t.block for t in store.session(token).trials) for token in (first, second)] == [
        {"one": None, "two": None},
        {"two": None, "one": None},
    ]
    assert [person.group for person in store.people()] == ["forth", "back"]
    # Sixteen people fill two systems x faces of each block; every picture gets as many answers as every other.
    cells: Counter[tuple[str, str, str]] = Counter()
    for place in range(12):
        cells.update((t.block, t.first, t.face) for t in store.assignment.trials(place))
    for block in ("one", "two"):
        counts = {number for key, number in cells.items() if key[0] == block}
        assert max(counts) - min(counts) <= 1, block


def test_a_block_of_one_group_is_balanced_among_those_who_see_it() -> None:
    plan = parse_plan(PLAN.replace('blocks = ["one", "two"]', 'blocks = ["one"]'))
    assignment = Assignment(plan, faces(12))
    cells = Counter(
        (t.first, t.face) for place in range(24) for t in assignment.trials(place) if t.block == "two"
    )
    assert len(cells) == 2 * 6
    assert max(cells.values()) - min(cells.values()) <= 1


def test_a_branch_leaves_a_block_out_of_session_and_count(store: Store) -> None:
    young, old = someone(store, "ann", "young"), someone(store, "ben", "old")
    assert {trial.block for trial in store.session(young).trials} == {"one"}
    assert {trial.block for trial in store.session(old).trials} == {"one", "two"}
    finish(store, young)
    assert [(person.num_answers, person.num_trials) for person in store.people()] == [(4, 4), (0, 8)]


def test_a_full_quota_sends_away_and_frees_the_place(store: Store) -> None:
    someone(store, "ann", "young")
    sent = someone(store, "ben", "young")
    assert store.session(sent).status == "screened"
    with pytest.raises(PlaceGone):
        store.answer(sent, Answer(position=0, value="3", reaction_ms=1))
    assert [person.person for person in store.people()] == ["p001"]
    third = someone(store, "cat", "old")
    assert store.session(third).status == "active"
    assert store.num_by_status() == {"active": 2, "screened": 1}
    # The group whose turn it was is the new one's.
    assert [person.group for person in store.people()] == ["forth", "back"]


def test_who_takes_too_long_loses_the_place_but_not_the_answers(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, quick = someone(store, "ann"), someone(store, "ben")
    first = store.session(slow).trials[0]
    store.answer(slow, Answer(position=first.position, value="2", reaction_ms=900))
    finish(store, quick)
    later = answering.now_s() + 31 * 60
    monkeypatch.setattr("demask.study.store.now_s", lambda: later)
    next_one = someone(store, "cat")
    assert store.session(slow).status == "timed_out"
    with pytest.raises(PlaceGone, match="timed out"):
        store.answer(slow, Answer(position=1, value="2", reaction_ms=1))
    # The next person judges the very pictures that the slow one was to judge.
    shown = [
        [dataclasses.replace(trial, slot=0) for trial in store.session(token).trials]
        for token in (slow, next_one)
    ]
    assert shown[0] == shown[1]
    finish(store, next_one)
    assert store.session(quick).status == "active"
    assert [(r.person, r.value) for r in store.records() if r.person == "p001"] == [("p001", "2")]
    assert {row["session"]: row["status"] for row in store.recruits()} == {
        "session-ann": "timed_out", "session-ben": "finished", "session-cat": "finished",
    }  # fmt: skip


def test_who_gives_the_submission_back_is_deleted(store: Store) -> None:
    gone = someone(store, "ann")
    store.answer(gone, Answer(position=0, value="2", reaction_ms=900))
    store.device(gone, {"touch": False})
    with pytest.raises(InputError, match="nobody here came"):
        store.returned("session-of-nobody")
    with pytest.raises(InputError):
        store.returned("")
    assert store.returned("session-ann") == 1
    assert (store.num_returned(), store.num_withdrawn(), store.num_enrolled()) == (1, 0, 0)
    assert store.records() == []
    assert store.people() == []
    assert store.recruits() == []


def test_one_person_joins_once(store: Store) -> None:
    token = someone(store, "ann")
    assert store.enrol("en", token=token, recruit=Recruit(person="ann")) == token
    with pytest.raises(AlreadyJoined):
        store.enrol("en", recruit=Recruit(person="ann"))
    with pytest.raises(InputError, match="person has a form"):
        Recruit(person="a b")
    with pytest.raises(InputError, match="session has a form"):
        Recruit(person="ab", session="<b>")
    with pytest.raises(StudyFull):
        store.enrol("en", most=1)


def test_a_study_pauses_closes_and_opens(store: Store) -> None:
    token = someone(store, "ann")
    store.set_state("paused")
    with pytest.raises(StudyNotOpen, match="paused"):
        store.enrol("en")
    assert store.enrol("en", token=token) == token
    store.answer(token, Answer(position=0, value="2", reaction_ms=900))
    store.set_state("closed")
    with pytest.raises(StudyNotOpen, match="closed"):
        store.answer(token, Answer(position=1, value="2", reaction_ms=900))
    store.set_state("open")
    store.answer(token, Answer(position=1, value="2", reaction_ms=900))
    assert store.withdraw(token) == 2
    with pytest.raises(UsageError, match="cannot be 'ajar'"):
        store.set_state("ajar")


def test_no_export_names_a_recruited_person(store: Store) -> None:
    finish(store, someone(store, "ann-the-worker"))
    told = repr(store.records()) + repr(store.people())
    assert "ann-the-worker" not in told
    assert "session-ann" not in told
    assert store.records()[0].shown_px == 256.0


FREE = """
title = "Free"
systems = ["a", "b"]
people = 2
consent = { en = "yes" }
[[blocks]]
kind = "rating"
name = "free"
scale = "quality"
order = "free"
faces = 3
[[blocks]]
kind = "rating"
name = "why"
scale = "quality"
faces = 2
[blocks.follow_up]
after = ["1", "2"]
choices = ["mouth", "skin"]
text = { en = "What is wrong?" }
"""


def test_free_order_keeps_the_last_version(database_url: str) -> None:
    store = Store.create(database_url, FREE, faces(12))
    token = store.enrol("en")
    store.consent(token)
    for position, value in ((2, "1"), (0, "4"), (2, "5")):
        store.draft(token, Answer(position=position, value=value, reaction_ms=500))
    assert store.session(token).drafts == {2: "5", 0: "4"}
    with pytest.raises(InputError, match="1 pictures of block 'free' have no answer"):
        store.close_block(token, "free")
    store.draft(token, Answer(position=1, value="3", reaction_ms=500))
    assert [store.close_block(token, "free") for _ in range(2)] == [3, 3]
    assert [record.value for record in store.records()] == ["4", "3", "5"]
    with pytest.raises(InputError, match="is closed"):
        store.draft(token, Answer(position=1, value="4", reaction_ms=500))
    with pytest.raises(InputError, match="one by one"):
        store.draft(token, Answer(position=3, value="4", reaction_ms=500))
    store.answer(token, Answer(position=3, value="1", reaction_ms=500, follow_up="mouth"))
    with pytest.raises(InputError, match="'nose' is no answer"):
        store.answer(token, Answer(position=4, value="1", reaction_ms=500, follow_up="nose"))
    assert [record.follow_up for record in store.records()] == ["", "", "", "mouth"]
    assert store.withdraw(token) == 4
    store.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('replies = ["old"]', 'replies = ["ancient"]'), "replies names"),
        (('question = "age"', 'question = "eyes"'), "'eyes' is not asked at the start"),
        (("young = 1", "middle = 1"), "quota names 'middle'"),
        (('at = "start"', 'at = "end"'), "quota names 'young'"),
        (('blocks = ["two", "one"]', 'blocks = ["two", "three"]'), r"names \['three'\]"),
        (('completion_code = "DONE"', 'completion_url = "http://x"'), "must start with https"),
        (
            ('scale = "quality"', 'scale = "quality"\norder = "free"\nchecks = 1'),
            "free order cannot have checks",
        ),
        (("[recruitment]", '[display]\nsize = "degrees"\n[recruitment]'), "set both or neither"),
    ],
)
def test_plans_that_contradict_are_refused(change: tuple[str, str], words: str) -> None:
    assert change[0] in PLAN
    with pytest.raises(ConfigError, match=words):
        parse_plan(PLAN.replace(*change, 1))


def test_a_check_looks_like_a_trial_that_was_seen() -> None:
    plan = every_kind()
    for slot in range(12):
        trials = [t for t in Assignment(plan, faces(NUM_FACES)).trials(slot) if t.block == "likability"]
        for place, trial in enumerate(trials):
            if trial.role == "check":
                assert (trial.face, trial.first) in {(t.face, t.first) for t in trials[:place]}
                assert trial.expected in plan.block("likability").answers


def test_example_faces_are_judged_by_nobody() -> None:
    block = '[[blocks.examples]]\ncondition = "a"\nface = "f003"\ncaption = { en = "a 1" }\n'
    plan = parse_plan(PLAN.replace("[[groups]]", block + "[[groups]]", 1))
    shown = {t.face for place in range(12) for t in Assignment(plan, faces(12)).trials(place)}
    assert "f003" not in shown
    with pytest.raises(ConfigError, match="'f003', of which there is no picture"):
        Assignment(plan, faces(3))


def test_todays_database_with_people_in_it_becomes_the_next(database_url: str) -> None:
    """Made by the first migration and filled in its own terms, then opened."""
    labels = faces(NUM_FACES)
    config = Config()
    config.set_main_option("script_location", str(Path(demask.study.__file__).parent / "migrations"))
    engine = sa.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as db:
        config.attributes["connection"] = db
        command.upgrade(config, "0001")
        meta = sa.Table("study", sa.MetaData(), autoload_with=db)
        import json

        told = {face: dataclasses.asdict(label) for face, label in labels.items()}
        facts = {"plan": EVERY_KIND, "labels": json.dumps(told), "simulated": "no", "withdrawn": "2"}
        db.execute(sa.insert(meta), [{"key": key, "value": value} for key, value in facts.items()])
        trials = sa.Table("trials", sa.MetaData(), autoload_with=db)
        assignment = Assignment(every_kind(), labels)
        for slot in range(12):
            rows = [dataclasses.asdict(trial) for trial in assignment.trials(slot)]
            db.execute(sa.insert(trials), [{key: row[key] for key in row if key != "screen"} for row in rows])
        people = sa.Table("participants", sa.MetaData(), autoload_with=db)
        for slot, token in enumerate(("a" * 16, "b" * 16)):
            db.execute(
                sa.insert(people).values(
                    token=token, slot=slot, language="en", simulated=False, enrolled_at=1, consented_at=2
                )
            )
        answers = sa.Table("answers", sa.MetaData(), autoload_with=db)
        db.execute(
            sa.insert(answers).values(
                token="b" * 16, position=0, slot=1, value="5", reaction_ms=700.0, answered_at=3
            )
        )
    engine.dispose()
    store = Store.open(database_url)
    (record,) = store.records()
    assert (record.person, record.value, record.shown_px, record.follow_up) == ("p002", "5", None, "")
    assert (store.state(), store.num_withdrawn(), store.num_returned()) == ("open", 2, 0)
    assert [person.status for person in store.people()] == ["active", "active"]
    session = store.session("b" * 16)
    assert session.answered == {0}
    assert session.trials == assignment.trials(1)
    assert store.answer("b" * 16, Answer(position=1, value="5", reaction_ms=700, shown_px=300.0))
    third = store.enrol("en")
    assert store.session(third).trials == assignment.trials(2)
    with store._engine.begin() as db, pytest.raises(sa.exc.DatabaseError, match="never changed"):
        db.exec_driver_sql("UPDATE answers SET value = '1'")
    assert store.withdraw("b" * 16) == 2
    store.close()
