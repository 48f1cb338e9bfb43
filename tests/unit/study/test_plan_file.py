"""Plans: what is read, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_plans import EVERY_KIND, every_kind

from demask.errors import ConfigError, InputError
from demask.study.blocks import RatingBlock, RealOrRestoredBlock
from demask.study.plan_file import parse_plan, read_plan

SMALL = """
title = "t"
systems = ["a", "b"]
consent = { en = "yes" }
[[blocks]]
kind = "rating"
name = "q"
scale = "quality"
"""


def test_every_kind_is_read() -> None:
    plan = every_kind()
    assert [block.kind for block in plan.blocks] == [
        "rating", "rating", "real_or_restored", "real_or_restored", "pair", "expression", "same_person",
    ]  # fmt: skip
    rating = plan.blocks[0]
    assert isinstance(rating, RatingBlock)
    assert rating.answers == ("1", "2", "3", "4", "5", "6", "7")
    assert rating.shown(plan.systems) == ("ours", "pix2pix", "truth")
    assert plan.conditions == ("ours", "pix2pix", "truth", "masked")
    assert plan.exclusion.max_failed_checks == 1


def test_pix2pix_practice_and_exposure_are_the_default() -> None:
    block = RealOrRestoredBlock(name="r")
    assert (block.practice, block.exposure_ms, block.design) == (10, 1000, "pair")


def test_a_slider_goes_from_0_to_100() -> None:
    answers = RatingBlock(name="r", scale="realism", points=100).answers
    assert (answers[0], answers[-1], len(answers)) == ("0", "100", 101)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("seed = 3", "sede = 3"), "no setting 'sede'; did you mean 'seed'?"),
        (("repeats = 2", "repaets = 2"), r"no setting 'blocks\[0\].repaets'; did you mean 'repeats'?"),
        (('scale = "quality"', 'scale = "qualty"'), "did you mean 'quality'?"),
        (('kind = "pair"', 'kind = "pear"'), "did you mean 'pair'?"),
        (("points = 7", "points = 6"), "choose 5, 7, 10 or 100"),
        (("points = 7", "points = true"), r"blocks\[0\].points is True; it must be a whole number"),
        (("people = 12", "people = 0"), "people is 0"),
        (("max_failed_checks = 1", "max_failed = 1"), "did you mean 'max_failed_checks'?"),
        (('consent = { en = "I take part." }', 'consent = { de = "Ja." }'), "consent has no text for en"),
        (('name = "real"', 'name = "likability"'), "'likability' stands there twice"),
        (('same_pictures_as = "likability"', 'same_pictures_as = "real"'), "no earlier block"),
        (('systems = ["ours", "pix2pix"]', 'systems = ["truth"]'), "cannot name a system"),
        (('title = "Every kind"\n', ""), "title is missing"),
        (
            ('text = { en = "How old are you?" }', 'text = { de = "Wie alt?" }'),
            "questions.age.text says nothing in en",
        ),
        (('"50+"]', '"50+"]\nshown = { en = ["young", "old"] }'), "shown.en has 2 texts for 3 choices"),
    ],
)
def test_wrong_plans_are_refused(change: tuple[str, str], words: str) -> None:
    assert change[0] in EVERY_KIND
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        parse_plan(EVERY_KIND.replace(*change, 1))


def test_a_plan_from_before_shares_were_called_fractions() -> None:
    older = parse_plan(SMALL + "[exclusion]\nmin_answered_share = 0.8\nmax_same_answer_share = 0.9\n")
    assert older == parse_plan(
        SMALL + "[exclusion]\nmin_answered_fraction = 0.8\nmax_same_answer_fraction = 0.9\n"
    )
    assert (older.exclusion.min_answered_fraction, older.exclusion.max_same_answer_fraction) == (0.8, 0.9)
    with pytest.raises(ConfigError, match=r"no setting 'exclusion\.bored_share'"):
        parse_plan(SMALL + "[exclusion]\nbored_share = 0.8\nmax_same_answer_share = 0.9\n")


def test_a_pair_needs_two() -> None:
    with pytest.raises(ConfigError, match="two conditions"):
        parse_plan(SMALL.replace('["a", "b"]', '["a"]') + '[[blocks]]\nkind = "pair"\nname = "p"\n')


def test_neither_missing_nor_broken_files_pass(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_plan(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes('title = "\xe9"'.encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        read_plan(tmp_path / "latin.toml")
    with pytest.raises(InputError, match="not TOML"):
        parse_plan("title = ")
