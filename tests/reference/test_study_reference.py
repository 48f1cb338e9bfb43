"""The study's statistics against published worked examples and hand computation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from demask.study import agreement, detection, preference, ratings
from demask.study.blocks import RatingBlock
from demask.study.intervals import (
    bootstrap_mean,
    from_influence,
    holm,
    mean_estimate,
    proportion_estimate,
    spread_of,
    wilson,
)
from demask.study.records import Record
from study_records import answer


def record(
    person: str, face: str, value: str, first: str = "s", second: str = "", expected: str = ""
) -> Record:
    return answer(person, "b", value, first, second, face=face, expected=expected)


@pytest.mark.parametrize(
    ("hits", "num", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_newcombes_table(hits: int, num: int, low: float, high: float) -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (score, no continuity correction).
    assert wilson(hits / num, num) == pytest.approx((low, high), abs=5e-5)


def test_two_way_variance_is_statsmodels() -> None:
    # statsmodels 0.15: OLS on a constant, cov_cluster_2groups(use_correction=True) gives 0.479166...
    values = np.array([5, 4, 3, 6, 5, 4, 2, 3, 7, 6, 5, 5], float)
    people, faces = [f"p{i // 4}" for i in range(12)], [f"f{i % 4}" for i in range(12)]
    influence = (values - values.mean()) / 12
    spread = spread_of(influence, people, faces)
    assert spread.variance == pytest.approx(0.47916667, abs=1e-8)
    # t with min(3, 4) - 1 = 2 degrees of freedom: 4.302653.
    assert (spread.freedom, spread.quantile) == pytest.approx((2, 4.302653), abs=1e-6)
    estimate = from_influence(55 / 12, influence, people, faces)
    assert estimate.high - estimate.value == pytest.approx(4.302653 * math.sqrt(0.47916667), abs=1e-5)


def test_two_way_variance_by_hand() -> None:
    # Two people, two faces, values 1 2 / 3 6: mean 3, influence -1/2, -1/4, 0, 3/4.
    # People: (-3/4)^2 + (3/4)^2 = 9/8, times 2. Faces: (-1/2)^2 + (1/2)^2 = 1/2, times 2.
    # Single: 1/4 + 1/16 + 9/16 = 7/8, times 4/3. Sum: 9/4 + 1 - 7/6 = 25/12.
    influence = (np.array([1.0, 2.0, 3.0, 6.0]) - 3) / 4
    spread = spread_of(influence, ["a", "a", "b", "b"], ["x", "y", "x", "y"])
    assert spread.variance == pytest.approx(25 / 12)


def test_heavy_tails_cost_degrees_of_freedom() -> None:
    # Twenty people with one judgement each, one of them far off: sums 19 x -1 and 19, over 20.
    # Kurtosis of them: mean fourth power over squared mean square = (19 + 19^4) / 20 / 19^2 = 18.0526, excess
    # 15.0526. Both ways of clustering are the same, V = V + V - V, so its tails count twice.
    influence = np.array([-1.0] * 19 + [19.0]) / 20
    names = [str(i) for i in range(20)]
    assert spread_of(influence, names, names).freedom == pytest.approx(2 / (2 / 19 + 2 * (6517 / 361 - 3) / 20))
    # Sums without a tail keep them all.
    assert spread_of(np.array([-1.0, 1.0] * 10), names, names).freedom == pytest.approx(19)


def test_no_interval_leaves_its_scale() -> None:
    # Two people on a slider, 48 on average: a plain interval read [-269.7, 365.7].
    values, people, faces = np.array([0.0, 100.0, 23.0, 69.0]), list("aabb"), list("xyxy")
    mean = mean_estimate(values, people, faces, scale=(0, 100))
    assert 0 <= mean.low < 48 == mean.value < mean.high <= 100
    assert mean.too_few
    difference = from_influence(60.0, np.array([30.0, -30.0, 25.0, -25.0]), people, faces, scale=(-100, 100))
    assert -100 <= difference.low < 60 < difference.high <= 100
    # By the logit: d = 1 of 0 +- 2, error 0.5: logit(3/4) +- t 0.5 / 4 / (3/16), t with 3 degrees: 3.182446.
    influence, four = np.array([0.25, -0.25, 0.25, -0.25]) * math.sqrt(3 / 4), list("abcd")
    found = from_influence(1.0, influence, four, four, scale=(-2, 2))
    spread = spread_of(influence, four, four)
    assert spread.variance == pytest.approx(0.25)
    half = spread.quantile * 0.5 / 4 / (3 / 16)
    low, high = (4 / (1 + math.exp(-(math.log(3) + change))) - 2 for change in (-half, half))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_people_who_all_agree_do_not_make_an_interval_of_no_width() -> None:
    estimate = mean_estimate(np.full(12, 3.0), list("abcdef") * 2, ["x"] * 6 + ["y"] * 6, scale=(1, 5))
    assert estimate.value == 3
    assert estimate.low < 2.5 < 3.5 < estimate.high


def test_an_interval_without_clusters_is_the_textbooks() -> None:
    # Each judgement by another person on another face: s / sqrt(n), and Wilson's interval of the mean's place.
    values = np.array([2.0, 4.0, 4.0, 6.0])
    spread = spread_of((values - 4) / 4, list("abcd"), list("wxyz"))
    assert spread.variance == pytest.approx(8 / 3 / 4)
    estimate = mean_estimate(values, list("abcd"), list("wxyz"), scale=(1, 7))
    num = 0.25 / (8 / 3 / 4 / 36)
    low, high = wilson(0.5, num, quantile=spread.quantile)
    assert (estimate.low, estimate.high) == pytest.approx((1 + 6 * low, 1 + 6 * high))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_shares_stay_in_their_range_at_the_ends() -> None:
    people, faces = [f"p{i // 5}" for i in range(50)], [f"f{i % 5}" for i in range(50)]
    estimate = proportion_estimate(np.ones(50), people, faces)
    # All agree: as many independent answers as people, t with 4 degrees of freedom.
    assert (estimate.low, estimate.high) == pytest.approx(wilson(1.0, 10, quantile=2.776445), abs=1e-6)


def test_pigeonhole_bootstrap_has_owens_variance() -> None:
    # Owen 2007, lemma 1 for a balanced table without effects: about 3 sigma^2 / N.
    rng = np.random.default_rng(0)
    values = rng.normal(size=2500)
    people, faces = [f"p{i // 50}" for i in range(2500)], [f"f{i % 50}" for i in range(2500)]
    low, high = bootstrap_mean(values, people, faces, draws=4000)
    assert (high - low) / (2 * 1.96) == pytest.approx(math.sqrt(3 / 2500), rel=0.08)


def test_d_prime_is_stanislaw_and_todorovs() -> None:
    # Behavior Research Methods 31 (1999): 20 of 25 hits, 10 of 25 false alarms: d' 1.095, c -0.294.
    assert detection.d_prime(20 / 25, 10 / 25) == pytest.approx(1.095, abs=5e-4)


def test_log_linear_correction_by_hand() -> None:
    assert detection.corrected_rate(20, 25) == pytest.approx(20.5 / 26)
    assert detection.corrected_rate(0, 10) == pytest.approx(0.5 / 11)


def test_two_alternatives_by_macmillan_and_creelman() -> None:
    # Detection Theory (2005), table A5.2: 76 % right without bias is d' = 1.00.
    assert detection.d_prime(0.76, 0.24, two_alternatives=True) == pytest.approx(1.0, abs=2e-3)


CODERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)


@pytest.mark.parametrize(("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_krippendorffs(level: agreement.Level, value: float) -> None:
    # Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), example C and its other metrics.
    rows = [
        record(f"p{coder}", f"f{unit}", answer)
        for coder, line in enumerate(CODERS)
        for unit, answer in enumerate(line.split())
        if answer != "."
    ]
    found = agreement.alpha(rows, ("1", "2", "3", "4", "5"), level)
    assert found.value == pytest.approx(value, abs=5e-4)
    assert found.low < value < found.high <= 1
    # What the jackknife takes is the library's to the last digits.
    counts = np.array(
        [[sum(r.face == f"f{u}" and r.value == v for r in rows) for v in "12345"] for u in range(12)]
    )
    domain = [1, 2, 3, 4, 5] if level == "nominal" else [1.0, 2.0, 3.0, 4.0, 5.0]
    quick, slow = agreement._quick_alpha(counts, domain, level), agreement._alpha(counts, domain, level)
    assert quick == pytest.approx(slow, abs=1e-12)
    # An answer less, by a step and by a new sum; units with one, two and more answers are among them.
    without, num = agreement._without_each(counts.astype(float), domain, level)
    cells = list(zip(*np.nonzero(counts), strict=True))
    assert num.sum() == len(rows)
    for cell, stepped in zip(cells, without, strict=True):
        less = counts.astype(float)
        less[cell] -= 1
        assert stepped == pytest.approx(agreement._quick_alpha(less, domain, level), abs=1e-12)


BASEBALL = {
    "Milwaukee": (0, 7, 9, 7, 7, 9, 11),
    "Detroit": (6, 0, 7, 5, 11, 9, 9),
    "Toronto": (4, 6, 0, 7, 7, 8, 12),
    "New York": (6, 8, 6, 0, 6, 7, 10),
    "Boston": (6, 2, 6, 7, 0, 7, 12),
    "Cleveland": (4, 4, 5, 6, 6, 0, 6),
    "Baltimore": (2, 4, 1, 3, 1, 7, 0),
}


def test_bradley_terry_is_agrestis_baseball() -> None:
    # Agresti, Categorical Data Analysis (2002), sec. 10.6, American League 1987, Baltimore = 0.
    teams = tuple(BASEBALL)
    games = [
        record(f"p{game}", f"f{game}-{home}-{away}", "first", home, away)
        for home, wins in BASEBALL.items()
        for away, number in zip(teams, wins, strict=True)
        for game in range(number)
    ]
    found = {item.system: item.strength.value for item in preference.summarise(games, teams)}
    published = (1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0.0)
    for team, value in zip(teams, published, strict=True):
        assert found[team] - found["Baltimore"] == pytest.approx(value, abs=6e-3)


def test_bradley_terry_interval_of_two_is_the_logit_of_a_share() -> None:
    # Two systems, 30 of 40 independent wins: log-odds log 3, variance 1 / (40 p q); each strength is half.
    games = [record(f"p{i}", f"f{i}", "first" if i < 30 else "second", "a", "b") for i in range(40)]
    best, _ = preference.summarise(games, ("a", "b"))
    assert best.strength.value == pytest.approx(math.log(3) / 2, abs=1e-3)
    half = 2.022691 * math.sqrt(1 / (40 * 0.75 * 0.25) * 40 / 39) / 2
    assert best.strength.high - best.strength.value == pytest.approx(half, rel=1e-3)


def test_the_three_likability_indices_by_hand() -> None:
    # Ratings 7 7 6 5 on 7 categories: mean 6.25; (6.25 - 1) / 6; 3 of 4 in the top two; 6.25 / 7.
    rows = [record(f"p{i}", f"f{i}", value) for i, value in enumerate(("7", "7", "6", "5"))]
    (found,) = ratings.summarise(RatingBlock(name="b", scale="likability", points=7), rows, ("s",))
    assert found.mean.value == 6.25
    assert found.sd == pytest.approx(math.sqrt(11 / 12))
    assert found.index_rescaled.value == pytest.approx(87.5)
    assert found.index_top_two.value == pytest.approx(75.0)
    assert found.index_of_maximum.value == pytest.approx(89.285714)
    assert found.histogram == (0, 0, 0, 0, 1, 1, 2)


def test_dmos_is_p910s() -> None:
    # ITU-T P.910: DMOS = rating of the system - rating of the reference + 5, here 3.5 - 4.5 + 5.
    block = RatingBlock(name="b", scale="quality", hidden_reference=True)
    rows = [
        record(f"p{i}", f"f{i}", value, first)
        for i, (value, first) in enumerate((("3", "s"), ("4", "s"), ("4", "truth"), ("5", "truth")))
    ]
    compared = ratings.differences(block, rows, ("s", "truth"))
    assert ratings.dmos(block, compared)["s"].value == pytest.approx(4.0)
