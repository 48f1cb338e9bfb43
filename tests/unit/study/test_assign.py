"""The promises of the assignment, for many plans."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_plans import EVERY_KIND, every_kind, faces

from demask.errors import ConfigError
from demask.study.assign import Assignment
from demask.study.blocks import Block, RatingBlock, RealOrRestoredBlock, SamePersonBlock
from demask.study.plan import Plan
from demask.study.plan_file import parse_plan
from demask.study.trials import FaceLabel, Trial


def plan_of(*blocks: Block, systems: int = 4, seed: int = 0) -> Plan:
    names = tuple(f"s{i}" for i in range(systems))
    return Plan(title="t", systems=names, blocks=blocks, consent={"en": "yes"}, seed=seed)


def counts(trials: list[Trial]) -> Counter[tuple[str, str, str]]:
    return Counter((t.face, t.first, t.second) for t in trials if t.role == "main")


def test_46_people_4_systems_60_faces() -> None:
    assignment = Assignment(plan_of(RatingBlock(name="r", scale="quality")), faces(60))
    seen = counts([trial for slot in range(46) for trial in assignment.trials(slot)])
    assert len(seen) == 240
    assert set(seen.values()) == {11, 12}


@settings(max_examples=60, deadline=None)
@given(data=st.data(), systems=st.integers(1, 5), num_faces=st.integers(4, 40), seed=st.integers(0, 9))
def test_every_picture_about_equally_often_and_no_face_twice(
    data: st.DataObject, systems: int, num_faces: int, seed: int
) -> None:
    num = data.draw(st.integers(1, num_faces))
    people = data.draw(st.integers(1, 30))
    block = RatingBlock(
        name="r", scale="quality", faces=num, repeats=data.draw(st.integers(0, max(1, num // 2)))
    )
    plan = plan_of(block, systems=systems, seed=seed)
    assignment = Assignment(plan, faces(num_faces))
    everything = []
    for slot in range(people):
        trials = assignment.trials(slot)
        assert [trial.position for trial in trials] == list(range(len(trials)))
        main = [trial for trial in trials if trial.role == "main"]
        assert len(main) == num
        assert len({trial.face for trial in main}) == num
        per_system = Counter(trial.first for trial in main)
        few, many = min(per_system[name] for name in plan.systems), max(per_system.values())
        assert many - few <= 3  # A window may straddle two rounds and the rest of a face count.
        everything += main
    seen = counts(everything)
    cells = [seen[face, name, ""] for face in assignment.labels for name in plan.systems]
    assert max(cells) - min(cells) <= 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), slot=st.integers(0, 200))
def test_nobody_sees_one_face_in_two_conditions_unplanned(seed: int, slot: int) -> None:
    plan = parse_plan(EVERY_KIND.replace("seed = 3", f"seed = {seed}"))
    trials = Assignment(plan, faces(70)).trials(slot)
    single = {"likability", "quality", "single", "expression"}
    conditions: dict[str, set[str]] = {}
    blocks: dict[str, set[str]] = {}
    for trial in trials:
        for condition, face in trial.pictures:
            blocks.setdefault(face, set()).add(trial.block)
            if trial.block in single:
                conditions.setdefault(face, set()).add(condition)
    assert all(len(seen) == 1 for seen in conditions.values())
    assert all(len(seen) == 1 or seen == {"likability", "quality"} for seen in blocks.values())


def test_same_seed_same_trials_whatever_the_order_of_files() -> None:
    labels = faces(70)
    first = Assignment(every_kind(), labels)
    again = Assignment(every_kind(), dict(reversed(labels.items())))
    assert [first.trials(slot) for slot in range(5)] == [again.trials(slot) for slot in range(5)]
    assert first.trials(0) != first.trials(1)


def test_the_same_pictures_are_judged_again() -> None:
    trials = Assignment(every_kind(), faces(70)).trials(5)
    one, two = (
        {(t.face, t.first) for t in trials if t.block == name and t.role == "main"}
        for name in ("likability", "quality")
    )
    assert one == two
    assert len(one) == 12


def test_sides_and_answers_are_balanced() -> None:
    assignment = Assignment(every_kind(), faces(70))
    trials = [trial for slot in range(48) for trial in assignment.trials(slot) if trial.role == "main"]
    for block in ("real", "single", "same"):
        right = Counter(trial.expected for trial in trials if trial.block == block)
        assert len(right) == 2
        assert max(right.values()) - min(right.values()) <= 0.02 * sum(right.values())
    sides = Counter((t.first, t.second) for t in trials if t.block == "preference")
    assert set(sides) == {("ours", "pix2pix"), ("pix2pix", "ours")}
    assert abs(sides["ours", "pix2pix"] - sides["pix2pix", "ours"]) <= 2


def test_practice_comes_first_and_on_faces_of_its_own() -> None:
    assignment = Assignment(every_kind(), faces(70))
    practice, judged = set(), set()
    for slot in range(30):
        real = [trial for trial in assignment.trials(slot) if trial.block == "real"]
        assert [trial.role for trial in real[:4]] == ["practice"] * 4
        practice |= {trial.face for trial in real[:4]}
        judged |= {trial.face for trial in real[4:]}
    assert not practice & judged


def test_repeats_come_late_and_checks_say_their_answer() -> None:
    trials = [t for t in Assignment(every_kind(), faces(70)).trials(2) if t.block == "likability"]
    repeats = [t for t in trials if t.role == "repeat"]
    assert len(repeats) == 2
    for repeat in repeats:
        original = next(t for t in trials if t.role == "main" and t.face == repeat.face)
        assert original.first == repeat.first
        assert repeat.position - original.position >= 1
    checks = [t for t in trials if t.role == "check"]
    assert len(checks) == 2
    assert all(t.expected in {"1", "2", "3", "4", "5", "6", "7"} and t.pictures for t in checks)
    assert [t.position for t in trials if t.break_before] == [5, 10, 15]


def test_same_person_shows_another_photograph_and_no_stranger_twice() -> None:
    labels = {f"p{i}_{j}": FaceLabel(identity=f"p{i}") for i in range(12) for j in range(2)}
    plan = plan_of(SamePersonBlock(name="same", reference="other_photo"), systems=2)
    for slot in range(8):
        trials = Assignment(plan, labels).trials(slot)
        for trial in trials:
            same = labels[trial.face].identity == labels[trial.second_face].identity
            assert same == (trial.expected == "same")
            assert trial.face != trial.second_face
            assert (trial.first in plan.systems, trial.second) == (True, "truth")
        shown = [face for trial in trials for _, face in trial.pictures]
        assert len(shown) == len(set(shown))


def test_expressions_are_the_labels() -> None:
    labels = faces(70)
    trials = [t for t in Assignment(every_kind(), labels).trials(0) if t.block == "expression"]
    assert {t.first for t in trials} == {"masked", "ours", "pix2pix", "truth"}
    assert all(t.expected == labels[t.face].expression for t in trials)


def test_too_few_faces_and_too_many_repeats_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs 8 faces"):
        Assignment(every_kind(), faces(70, expressions=False))
    with pytest.raises(ConfigError, match=r"the plan needs 52 faces in all \(12 likability \+ 10 real \+"):
        Assignment(every_kind(), faces(30))
    with pytest.raises(ConfigError, match="ask for 5 or fewer"):
        Assignment(plan_of(RatingBlock(name="r", scale="quality", repeats=6)), faces(10))
    only = Plan(title="t", systems=("s",), blocks=(RealOrRestoredBlock(name="r"),), consent={"en": "y"})
    with pytest.raises(ConfigError, match="needs 11 faces"):
        Assignment(only, faces(10))
