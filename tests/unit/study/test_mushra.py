"""Screens of several systems: who sees what, and the figures by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from study_plans import faces

from demask.errors import ConfigError
from demask.study.analysis import analyse
from demask.study.assign import Assignment
from demask.study.effects import default_effects
from demask.study.folder import new_study, open_study
from demask.study.methods import methods_paragraph
from demask.study.plan_file import parse_plan
from demask.study.records import Person
from demask.study.report import write_report
from drawn_pictures import draw_folders
from study_records import answer

PLAN = """
title = "Side by side"
systems = ["a", "b"]
people = 6
consent = { en = "yes" }
[[blocks]]
kind = "mushra"
name = "all"
faces = 4
break_every = 2
"""


def test_every_face_is_a_screen_of_all_conditions() -> None:
    assignment = Assignment(parse_plan(PLAN), faces(6))
    seen: Counter[str] = Counter()
    for place in range(3):
        trials = assignment.trials(place)
        assert [trial.screen for trial in trials] == [4 * (i // 4) for i in range(16)]
        for start in range(0, 16, 4):
            screen = trials[start : start + 4]
            assert {trial.first for trial in screen} == {"a", "b", "truth", "anchor"}
            assert len({trial.face for trial in screen}) == 1
            seen[screen[0].face] += 1
        assert [trial.position for trial in trials if trial.break_before] == [8]
    assert set(seen.values()) == {2}  # Three people x four screens over six faces.


def test_figures_by_hand() -> None:
    # p1 and p2 find the reference, p3 does not.
    rated = {
        ("p1", "f"): (100, 60, 40, 10), ("p1", "g"): (95, 80, 20, 0),
        ("p2", "f"): (92, 50, 70, 5), ("p2", "g"): (98, 90, 30, 15),
        ("p3", "f"): (50, 100, 10, 5), ("p3", "g"): (100, 0, 0, 0),
    }  # fmt: skip
    rows = [
        answer(person, "all", str(value), condition, face=face)
        for (person, face), values in rated.items()
        for condition, value in zip(("truth", "a", "b", "anchor"), values, strict=True)
    ]
    people = [
        Person(person=name, num_trials=8, num_answers=8, finished=True, replies={})
        for name in ("p1", "p2", "p3")
    ]
    (block,) = analyse(parse_plan(PLAN), people, rows, simulated=False).blocks
    assert block.left_out == {"p3": "rated the hidden reference below 90 on 1 of 2 faces"}
    found = {item.condition: item for item in block.mushra}
    # a got 60 80 50 90, b 40 20 70 30: a is best on three of four screens.
    assert (found["a"].median, found["a"].quartiles, found["a"].best) == (70, (57.5, 82.5), 0.75)
    assert (found["b"].median, found["b"].best, found["truth"].best) == (35, 0.25, 1.0)
    means = {item.condition: item.mean for item in block.ratings}
    assert [means[name].value for name in ("a", "b", "truth", "anchor")] == pytest.approx([70, 40, 96.25, 7.5])
    assert all(0 <= mean.low <= mean.value <= mean.high <= 100 for mean in means.values())
    assert means["a"].too_few  # Two people, two faces.
    difference = next(item for item in block.differences if (item.first, item.second) == ("a", "b"))
    assert difference.difference.value == pytest.approx(30)
    scores = {(item.condition, item.face): item.score for item in block.pictures}
    assert (scores["a", "f"], scores["b", "g"]) == (55, 25)


@pytest.mark.parametrize("line", ["checks = 1", "points = 10", "order = 'free'", "conditions = ['masked']"])
def test_what_mushra_has_not(line: str) -> None:
    with pytest.raises(ConfigError, match=r"MUSHRA|free order|it can show a, b"):
        parse_plan(PLAN + line)


def test_an_anchor_is_made_and_a_rehearsal_reported(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    folders = draw_folders(tmp_path, ("a", "b", "truth"), num=6)
    new_study(tmp_path / "plan.toml", tmp_path / "s", folders)
    study = open_study(tmp_path / "s")
    anchor = study.files[study.ids["anchor", "f000"]]
    assert anchor.suffix == ".png"
    assert anchor.read_bytes() != study.files[study.ids["truth", "f000"]].read_bytes()
    # The open reference has another name than the hidden one, and is the same picture.
    assert study.ids["reference", "f000"] != study.ids["truth", "f000"]
    assert study.files[study.ids["reference", "f000"]] == study.files[study.ids["truth", "f000"]]
    store = study.rehearse(default_effects(study.plan), people=6)
    results = write_report(store, tmp_path / "out", pictures=study)
    store.close()
    html = (tmp_path / "out" / "report.html").read_text()
    assert "middle half of the ratings" in html
    assert "Pictures with their scores" in html
    assert "data:image/webp" in html
    assert "after MUSHRA, ITU-R BS.1534-3" in methods_paragraph(study.plan, results)
