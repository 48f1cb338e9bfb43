"""Simulated people: known effects are what falls out, and nothing hides that nobody answered."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from study_plans import every_kind, faces, new_store

from demask.errors import ConfigError, UsageError
from demask.study.assign import Assignment
from demask.study.blocks import RatingBlock
from demask.study.effects import Effects, default_effects, read_effects
from demask.study.plan_file import parse_plan
from demask.study.power import power_of_rating
from demask.study.simulate import Crowd, simulate


def test_exact_rating_shares_by_hand() -> None:
    # Level 0.5 on five categories, sd 0.25: the middle one reaches from 0.375 to 0.625, half an sd each side.
    effects = Effects(level={"s": 0.5}, sd_person=0.15, sd_face=0.0, sd_picture=0.0, sd_noise=0.2)
    shares = effects.rating_probabilities(RatingBlock(name="r", scale="quality"), "s")
    assert shares.sum() == pytest.approx(1.0)
    assert shares[2] == pytest.approx(norm.cdf(0.5) - norm.cdf(-0.5))
    assert effects.mean_rating(RatingBlock(name="r", scale="quality"), "s") == pytest.approx(3.0)


def test_answers_fall_as_the_effects_say() -> None:
    plan = every_kind()
    effects = dataclasses.replace(default_effects(plan), careless=0.0)
    records = []
    for crowd in range(12):  # Each with other people and other faces.
        assignment = Assignment(dataclasses.replace(plan, seed=crowd), faces(70))
        people = Crowd(plan, effects, crowd)
        for slot in range(40):
            records += [r for r in people.records(slot, assignment.trials(slot)) if r.role == "main"]

    def share(block: str, first: str, value: str) -> float:
        return float(np.mean([r.value == value for r in records if r.block == block and r.first == first]))

    assert share("single", "ours", "real") == pytest.approx(effects.called_real["ours"], abs=0.06)
    assert share("single", "truth", "real") == pytest.approx(effects.called_real["truth"], abs=0.06)
    seen = [r.correct for r in records if r.block == "expression" and r.first == "masked"]
    assert np.mean(seen) == pytest.approx(effects.recognised["masked"], abs=0.06)
    won = [("first", "second")[r.first != "ours"] == r.value for r in records if r.block == "preference"]
    odds = effects.strength["ours"] - effects.strength["pix2pix"]
    assert np.mean(won) == pytest.approx(1 / (1 + np.exp(-odds)), abs=0.06)
    rating = plan.blocks[0]
    assert isinstance(rating, RatingBlock)
    rated = [int(r.value) for r in records if r.block == "likability" and r.first == "pix2pix"]
    assert np.mean(rated) == pytest.approx(effects.mean_rating(rating, "pix2pix"), abs=0.2)


def test_careless_people_fail_checks_and_others_do_not() -> None:
    plan = every_kind()
    trials = Assignment(plan, faces(70)).trials(0)
    for careless, right in ((0.0, True), (1.0, False)):
        effects = dataclasses.replace(default_effects(plan), careless=careless)
        checks = [
            r.correct
            for seed in range(10)
            for r in Crowd(plan, effects, seed).records(0, trials)
            if r.role == "check"
        ]
        assert all(checks) == right


def test_a_simulated_study_is_stamped_in_the_store(tmp_path: Path) -> None:
    store = new_store(tmp_path / "s.sqlite", simulated=True)
    simulate(store, default_effects(store.plan), people=3)
    records = store.records()
    assert records
    assert all(record.simulated for record in records)
    with pytest.raises(UsageError, match="for simulated people; no real one"):
        store.enrol("en")
    assert [person.finished for person in store.people()] == [True] * 3
    again = new_store(tmp_path / "t.sqlite", simulated=True)
    simulate(again, default_effects(store.plan), people=3)
    assert again.records() == records
    real = new_store(tmp_path / "r.sqlite")
    with pytest.raises(UsageError, match="for real people"):
        simulate(real, default_effects(store.plan), people=1)
    for opened in (store, again, real):
        opened.close()


def test_effects_are_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "effects.toml"
    path.write_text("careless = 0.2\n[level]\nours = 0.4\n")
    effects = read_effects(path, every_kind())
    usual = default_effects(every_kind())
    assert (effects.careless, effects.level["ours"]) == (0.2, 0.4)
    assert effects.level["pix2pix"] == usual.level["pix2pix"]
    assert effects.strength == usual.strength
    path.write_text("carless = 0.2\n")
    with pytest.raises(ConfigError, match="did you mean 'careless'"):
        read_effects(path, every_kind())
    path.write_text("[recognised]\nours = 1.0\n")
    with pytest.raises(ConfigError, match="between 0 and 1"):
        read_effects(path, every_kind())


def test_power_grows_with_the_difference() -> None:
    plan, labels = every_kind(), faces(70)
    block = plan.blocks[0]
    assert isinstance(block, RatingBlock)
    found = []
    for level in (0.5, 0.75):
        effects = dataclasses.replace(
            default_effects(plan), level={"ours": level, "pix2pix": 0.5, "truth": 0.8}
        )
        found.append(power_of_rating(plan, labels, effects, block, "ours", "pix2pix", studies=40))
    assert found[0].difference == 0
    assert found[0].power < 0.2
    assert found[1].difference == pytest.approx(1.4, abs=0.1)
    assert found[1].power > 0.9


def test_intervals_hold_the_exact_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few small studies only; benchmarks/study_intervals.py simulates hundreds."""
    folder = Path(__file__).parents[3] / "benchmarks"
    monkeypatch.syspath_prepend(folder)
    spec = importlib.util.spec_from_file_location("study_intervals", folder / "study_intervals.py")
    assert spec is not None
    assert spec.loader is not None
    intervals = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(intervals)
    plan = dataclasses.replace(parse_plan(intervals.COVERAGE), people=16)
    done, held = intervals.coverage(plan, intervals.faces(20), studies=8)
    assert done == 8
    assert len(held) > 90
    # Eight intervals of 95 %: fewer than five hold once in three thousand times.
    assert {name: share for name, share in held.items() if share < 5 / 8} == {}
