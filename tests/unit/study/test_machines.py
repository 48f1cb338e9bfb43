"""Networks answer a plan on its pictures: stamped, apart from people, and each by what it sees."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from demask.errors import InputError, OutputExists, UsageError
from demask.study.analysis import analyse
from demask.study.blocks import EXPRESSIONS
from demask.study.database import sqlite_url
from demask.study.folder import StudyFolder, new_study, open_study
from demask.study.machines import Expression, Likeness, Realism, SamePerson, judge
from demask.study.report import write_report
from demask.types import Floats32, ImageU8
from drawn_pictures import draw_readable_folders, read_colour

CONDITIONS = ("good", "bad", "truth")
PLAN = """
title = "Judged"
systems = ["good", "bad"]
people = 4
across_blocks = "shared"
consent = { en = "yes" }
[exclusion]
min_median_reaction_ms = 300
max_same_answer_fraction = 0.4
[[blocks]]
kind = "rating"
name = "rate"
scale = "quality"
hidden_reference = true
checks = 1
[[blocks]]
kind = "pair"
name = "pairs"
[[blocks]]
kind = "real_or_restored"
name = "real"
practice = 0
[[blocks]]
kind = "same_person"
name = "same"
"""


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    (tmp_path / "plan.toml").write_text(PLAN)
    new_study(tmp_path / "plan.toml", tmp_path / "s", draw_readable_folders(tmp_path, CONDITIONS, num=8))
    return open_study(tmp_path / "s")


def seen(picture: ImageU8) -> tuple[str, str]:
    """Condition and face of a drawn picture; OpenCV wrote blue first."""
    red, green, _ = picture[0, 0]
    return read_colour(CONDITIONS, int(red), int(green))


def distance(picture: ImageU8, truth: ImageU8) -> float:
    assert seen(truth) == ("truth", seen(picture)[1])
    return {"good": 0.125, "bad": 0.5, "truth": 0.0}[seen(picture)[0]]


def embed(picture: ImageU8) -> Floats32 | None:
    condition, face = seen(picture)
    found = np.zeros(8, np.float32)
    found[int(face[1:]) if condition != "bad" else 0] = 1  # `bad` gives everybody one face.
    return None if condition == "good" and face == "f001" else found


def real(picture: ImageU8) -> Floats32:
    return np.array([{"good": 1.0, "bad": -1.0, "truth": 0.5}[seen(picture)[0]]], np.float32)


def test_machines_answer_by_what_they_see(study: StudyFolder, tmp_path: Path) -> None:
    judges = [Likeness(distance=distance), SamePerson(embed=embed), Realism(score=real, name="net")]
    store = study.new_machines()
    able = judge(study, store, judges, people=4)
    assert able == {
        "rate": "LPIPS to the truth", "pairs": "LPIPS to the truth", "real": "net", "same": "face embeddings",
    }  # fmt: skip
    records = store.records()
    assert all(record.simulated for record in records)
    for record in records:
        if record.block == "rate" and record.role == "main":
            # 1 - 0.125 / 0.5 is three quarters of the way from 1 to 5.
            assert record.value == {"good": "4", "bad": "1", "truth": "5"}[record.first]
        elif record.role == "check":
            assert record.correct
        elif record.block == "pairs":
            assert record.value == ("first" if record.first == "good" else "second")
        elif record.block == "real":  # `good` looks more real than the truth.
            restored = record.second if record.first == "truth" else record.first
            assert record.correct == (restored == "bad")
        elif record.first == "good":
            assert record.correct
            assert record.face != "f001"  # No face was found there.
    with pytest.raises(UsageError, match="no real one can join"):
        store.enrol("en")
    results = write_report(store, tmp_path / "out")
    store.close()
    # Networks need no time and are sure of themselves; the rule is for people.
    assert (results.kind, results.num_counted, results.excluded) == ("machines", 4, {})
    html = (tmp_path / "out" / "report.html").read_text()
    assert "<title>MACHINES - Judged</title>" in html
    assert html.count("MACHINE JUDGES: networks answered, no person took part.</p>") == 7
    assert (tmp_path / "out" / "methods.txt").read_text().startswith("MACHINE JUDGES")
    with pytest.raises(OutputExists, match="to judge again"):
        study.new_machines()
    people = study.store()
    assert people.records() == []
    people.close()
    # Named as the people's database they are refused, and so are records of both.
    with pytest.raises(InputError, match="answers of networks, which mix with no others"):
        study.store(sqlite_url(study.path / "machines.sqlite"))
    with pytest.raises(ValueError, match="must not be mixed"):
        analyse(study.plan, [], [*records, dataclasses.replace(records[0], simulated=False)], simulated=True)


def test_a_plan_that_no_machine_can_answer(study: StudyFolder) -> None:
    store = study.new_machines()
    with pytest.raises(InputError, match="no machine here"):
        judge(study, store, [], people=1)
    store.close()


def test_an_expression_is_the_likeliest_of_those_offered() -> None:
    from demask.study.blocks import ExpressionBlock
    from demask.study.trials import Trial

    block = ExpressionBlock(name="e", expressions=("sad", "angry"))
    scores = np.arange(len(EXPRESSIONS), dtype=np.float32)
    one = Expression(score=lambda picture: scores, name="net")
    trial = Trial(slot=0, position=0, block="e", role="main", face="f", first="truth")
    assert one.judges(block)
    assert one(block, trial, lambda condition, face: np.zeros((4, 4, 3), np.uint8)) == "angry"
