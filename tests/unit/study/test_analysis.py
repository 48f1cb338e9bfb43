"""From answers to figures, on answers small enough to compute by hand."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from demask.study.agreement import retest
from demask.study.analysis import analyse
from demask.study.exclusion import apply_rule
from demask.study.open_data import answers_csv, figures_csv, people_csv
from demask.study.plan import Exclusion, Plan
from demask.study.plan_file import parse_plan
from demask.study.records import Person
from study_records import answer

PLAN = """
title = "By hand"
systems = ["a", "b"]
people = 4
consent = { en = "yes" }
[[questions]]
name = "age"
kind = "number"
text = { en = "Age?" }
[[questions]]
name = "remarks"
kind = "text"
text = { en = "Remarks?" }
[[blocks]]
kind = "rating"
name = "rate"
scale = "quality"
[[blocks]]
kind = "real_or_restored"
name = "real"
practice = 0
exposure_ms = 1000
[[blocks]]
kind = "real_or_restored"
name = "single"
design = "single"
practice = 0
[[blocks]]
kind = "pair"
name = "pair"
[[blocks]]
kind = "expression"
name = "look"
expressions = ["happy", "sad"]
[[blocks]]
kind = "same_person"
name = "same"
"""


def plan_with(**rule: float) -> Plan:
    return dataclasses.replace(parse_plan(PLAN), exclusion=Exclusion(**rule))  # type: ignore[arg-type]


def someone(name: str, num_answers: int = 10, **replies: str) -> Person:
    return Person(person=name, num_trials=10, num_answers=num_answers, finished=True, replies=replies)


PEOPLE = [someone(f"p{i}") for i in range(1, 5)]


def test_ratings_by_hand() -> None:
    rows = [
        answer("p1", "rate", "5", "a", face="f"), answer("p1", "rate", "2", "b", face="g"),
        answer("p2", "rate", "4", "a", face="g"), answer("p2", "rate", "1", "b", face="f"),
        answer("p3", "rate", "3", "a", face="f"), answer("p3", "rate", "3", "b", face="g"),
        answer("p3", "rate", "1", "b", face="f", role="practice"),
    ]  # fmt: skip
    block = analyse(plan_with(), PEOPLE, rows, simulated=False).blocks[0]
    assert [rating.condition for rating in block.ratings] == ["a", "b"]
    assert [rating.mean.value for rating in block.ratings] == [4.0, 2.0]
    assert [rating.sd for rating in block.ratings] == [1.0, 1.0]
    assert block.ratings[0].sd_pictures == pytest.approx(0.0)  # f: (5 + 3) / 2, g: 4.
    assert block.num_answers == 6
    assert (block.min_per_picture, block.max_per_picture) == (1, 2)
    (difference,) = block.differences
    assert difference.difference.value == 2.0
    assert difference.difference.num_people == 3
    assert 0 < difference.p == difference.p_holm < 1


def test_real_or_restored_by_hand() -> None:
    # Real first: 3 of 4 said first. Real second: 1 of 4 said first. So 6 of 8 right.
    rows = [
        answer(f"p{i % 4 + 1}", "real", value, first, second, expected=expected, face=f"f{i}")
        for i, (value, first, second, expected) in enumerate(
            [("first", "truth", "a", "first")] * 3 + [("second", "truth", "a", "first")]
            + [("second", "a", "truth", "second")] * 3 + [("first", "a", "truth", "second")]
        )
    ]  # fmt: skip
    (told,) = analyse(plan_with(), PEOPLE, rows, simulated=False).blocks[1].detection
    assert told.system == "a"
    assert told.accuracy.value == 0.75
    assert told.fooled.value == 0.25
    assert (told.hit_rate, told.false_alarm_rate) == (3.5 / 5, 1.5 / 5)
    # z(0.7) = 0.524401.
    assert told.d_prime.value == pytest.approx(2 * 0.524401 / math.sqrt(2), abs=1e-5)
    assert told.bias == pytest.approx(0.0, abs=1e-12)
    # Trials 0 and 4 are p1's, and so on; p4 is wrong twice.
    assert told.accuracy_people == (0.75, 0.5)


def test_single_pictures_share_the_real_ones() -> None:
    rows = [
        answer("p1", "single", "real", "truth", expected="real", face="f1"),
        answer("p2", "single", "real", "truth", expected="real", face="f2"),
        answer("p1", "single", "restored", "a", expected="restored", face="f3"),
        answer("p2", "single", "real", "a", expected="restored", face="f4"),
        answer("p3", "single", "real", "b", expected="restored", face="f5"),
    ]
    a, b = analyse(plan_with(), PEOPLE, rows, simulated=False).blocks[2].detection
    assert (a.fooled.value, b.fooled.value) == (0.5, 1.0)
    assert (a.accuracy.value, b.accuracy.value) == (0.75, pytest.approx(2 / 3))
    assert (a.hit_rate, a.false_alarm_rate) == (2.5 / 3, 0.5)


def test_pairs_expressions_and_persons_by_hand() -> None:
    rows = [answer(f"p{i}", "pair", "first", "a", "b", face=f"f{i}") for i in range(1, 4)]
    rows += [answer("p4", "pair", "first", "b", "a", face="f4")]
    rows += [
        answer("p1", "look", "happy", "masked", face="f1", expected="happy"),
        answer("p2", "look", "sad", "masked", face="f1", expected="happy"),
        answer("p1", "look", "sad", "truth", face="f2", expected="sad"),
        answer("p1", "same", "same", "a", "truth", face="f3", expected="same"),
        answer("p1", "same", "same", "a", "truth", face="f4", expected="different"),
    ]
    results = analyse(plan_with(), PEOPLE, rows, simulated=False)
    best, worst = results.blocks[3].preference
    assert (best.system, best.rank, best.wins.value) == ("a", 1, 0.75)
    assert (worst.system, worst.rank, worst.wins.value) == ("b", 2, 0.25)
    assert best.strength.value - worst.strength.value == pytest.approx(math.log(3), abs=2e-3)
    masked, truth = results.blocks[4].expressions
    assert masked.confusion == ((1, 1), (0, 0))
    assert (masked.accuracy.value, truth.accuracy.value) == (0.5, 1.0)
    assert list(masked.per_expression) == ["happy"]
    assert results.blocks[5].detection[0].accuracy.value == 0.5
    assert json.loads(json.dumps(results.as_json()))["blocks"][3]["preference"][0]["system"] == "a"


def test_the_rule_says_whom_and_why() -> None:
    people = [*PEOPLE[:3], someone("p4", num_answers=3)]
    rows = [
        answer("p1", "rate", "3", role="check", expected="5"),
        answer("p1", "rate", "3", role="check", expected="4"),
        answer("p2", "rate", "3", reaction_ms=90),
        answer("p3", "rate", "3", face="f1"), answer("p3", "rate", "3", face="f2"),
        answer("p4", "rate", "3"),
    ]  # fmt: skip
    plan = plan_with(
        max_failed_checks=1, min_answered_fraction=0.5, min_median_reaction_ms=200, max_same_answer_fraction=0.9
    )
    kept = apply_rule(plan, people, rows)
    assert kept.records == ()
    assert kept.excluded == {
        "p1": "failed 2 attention checks, more than 1",
        "p2": "median reaction 90 ms, less than 200 ms",
        "p3": "gave one answer to 100% of rate, more than 90%",
        "p4": "answered 30% of the trials, less than 50%",
    }
    assert apply_rule(plan_with(), people, rows).excluded == {}


def test_answers_with_a_wrong_exposure_are_dropped() -> None:
    rows = [
        answer("p1", "real", "first", "truth", "a", expected="first", seen_ms=1040),
        answer("p1", "real", "first", "truth", "a", expected="first", seen_ms=1090),
        answer("p1", "rate", "3", seen_ms=5000),
    ]
    kept = apply_rule(plan_with(max_exposure_error_ms=50), PEOPLE, rows)
    assert (len(kept.records), kept.num_dropped) == (2, 1)


def test_repeats_by_hand() -> None:
    rows = [
        answer("p1", "rate", "3", face="f1"), answer("p1", "rate", "3", face="f1", role="repeat"),
        answer("p1", "rate", "5", face="f2"), answer("p1", "rate", "2", face="f2", role="repeat"),
        answer("p2", "rate", "1", face="f3", role="repeat"),
    ]  # fmt: skip
    assert retest(rows) == (0.5, 1.5, 2)


def test_simulated_and_real_do_not_mix() -> None:
    with pytest.raises(ValueError, match="must not be mixed"):
        analyse(plan_with(), PEOPLE, [answer("p1", "rate", "3")], simulated=True)


def test_an_empty_study_has_no_figures() -> None:
    results = analyse(plan_with(), [], [], simulated=False)
    assert [block.num_answers for block in results.blocks] == [0] * 6
    assert results.num_counted == 0
    assert figures_csv(results).count("\n") == 1


def test_free_text_stays_home_and_formulas_are_harmless() -> None:
    people = [someone("p1", age="41", remarks="=HYPERLINK(evil)")]
    results = analyse(plan_with(), people, [], simulated=False)
    plain = people_csv(plan_with(), people, results, free_text=False)
    assert plain.splitlines() == [
        "person,num_trials,num_answers,finished,excluded,simulated,group,status,window_px,px_per_cm,frame_ms,age",
        "p1,10,10,yes,,no,,active,,,,41",
    ]  # fmt: skip
    assert ",'=HYPERLINK(evil)" in people_csv(plan_with(), people, results, free_text=True)
    assert answers_csv([answer("p1", "rate", "3")]).splitlines()[1] == "p1,0,rate,main,f,a,,,,3,1000,,,no,,"
