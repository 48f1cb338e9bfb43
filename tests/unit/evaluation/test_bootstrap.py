"""Bootstrap intervals: seeded, of the right width, paired."""

import math

import numpy as np
import pytest

from demask.evaluation.bootstrap import FEW, mean_interval, paired_difference, paired_ratio, too_few


def test_same_values_and_seed_give_the_same_interval() -> None:
    values = np.random.default_rng(0).normal(5, 2, 200)
    assert mean_interval(values, seed=4) == mean_interval(values, seed=4)
    assert mean_interval(values, seed=4) != mean_interval(values, seed=5)


def test_the_interval_covers_the_true_mean_about_19_times_in_20() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        interval = mean_interval(rng.normal(0, 1, 60), seed=trial)
        hits += interval.low <= 0 <= interval.high
    assert 180 <= hits <= 198


def test_of_few_pictures_it_covers_less_and_that_is_said() -> None:
    rng = np.random.default_rng(7)

    def coverage(num: int) -> float:
        intervals = [mean_interval(rng.normal(0, 1, num), seed=trial) for trial in range(300)]
        return sum(interval.low <= 0 <= interval.high for interval in intervals) / 300

    assert coverage(4) < 0.88
    assert coverage(FEW) > 0.9
    assert too_few(1) == "one picture says little: intervals over fewer than 20 are too narrow"
    assert too_few(FEW - 1)
    assert not too_few(FEW)


def test_the_width_is_that_of_the_normal_theory() -> None:
    values = np.random.default_rng(2).normal(0, 3, 400)
    interval = mean_interval(values)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert interval.value == pytest.approx(values.mean())


def test_pairs_are_drawn_together() -> None:
    theirs = np.random.default_rng(3).normal(0, 10, 100)
    shifted = paired_difference(theirs + 2, theirs)
    assert (shifted.value, shifted.low, shifted.high) == pytest.approx((2, 2, 2))
    halved = paired_ratio(abs(theirs) / 2, abs(theirs))
    assert (halved.value, halved.low, halved.high) == pytest.approx((0.5, 0.5, 0.5))


def test_pictures_without_a_figure_are_left_out_and_counted() -> None:
    interval = mean_interval([1.0, math.nan, 3.0])
    assert (interval.value, interval.num) == (2.0, 2)
    pairs = paired_difference([1.0, math.nan, 3.0], [0.0, 0.0, math.nan])
    assert (pairs.value, pairs.num) == (1.0, 1)


def test_no_pictures_at_all_is_nan_not_an_error() -> None:
    interval = mean_interval([])
    assert math.isnan(interval.value)
    assert interval.as_json() == {"value": None, "low": None, "high": None, "num": 0}


def test_pairs_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        paired_difference([1.0], [1.0, 2.0])


def test_a_ratio_to_nothing_is_no_number() -> None:
    none = paired_ratio([0.0, 0.0], [0.0, 0.0])
    assert none.num == 2
    assert all(np.isnan(end) for end in (none.value, none.low, none.high))
