"""FID and KID against closed forms and sums done by hand."""

import math

import numpy as np
import pytest

from demask.errors import InputError
from demask.evaluation.metrics.distributions import fid, frechet_distance, kid


@pytest.fixture
def features() -> np.ndarray:
    rng = np.random.default_rng(4)
    return rng.normal(size=(60, 8)) @ rng.normal(size=(8, 8)) + 3


def test_frechet_distance_of_axis_parallel_gaussians() -> None:
    first, second = np.array([1.0, 4.0, 9.0]), np.array([4.0, 4.0, 0.0])
    shift = np.array([1.0, 0.0, -2.0])
    expected = 5 + ((np.sqrt(first) - np.sqrt(second)) ** 2).sum()
    got = frechet_distance(np.zeros(3), np.diag(first), shift, np.diag(second))
    assert got == pytest.approx(expected, rel=1e-12)


def test_frechet_distance_of_covariances_that_do_not_commute() -> None:
    # For 2 x 2 matrices tr (A B)^(1/2) = sqrt(tr AB + 2 sqrt(det AB)).
    a, b = np.array([[2.0, 0.7], [0.7, 1.0]]), np.array([[1.0, -0.9], [-0.9, 3.0]])
    root = math.sqrt(np.trace(a @ b) + 2 * math.sqrt(np.linalg.det(a) * np.linalg.det(b)))
    expected = np.trace(a) + np.trace(b) - 2 * root
    assert frechet_distance(np.zeros(2), a, np.zeros(2), b) == pytest.approx(expected, rel=1e-12)


def test_frechet_distance_keeps_its_digits_where_covariances_are_singular() -> None:
    direction = np.linspace(1, 2, 200)
    covariance = np.outer(direction, direction)
    scale = np.trace(covariance)
    assert frechet_distance(np.zeros(200), covariance, np.zeros(200), covariance) < 1e-7 * scale
    # Rank one against nine times itself: (3 - 1)^2 of its trace.
    got = frechet_distance(np.zeros(200), 9 * covariance, np.zeros(200), covariance)
    assert got == pytest.approx(4 * scale, rel=1e-7)


def test_fid_of_a_set_with_itself_and_with_its_shift(features: np.ndarray) -> None:
    assert fid(features, features[::-1]).value == pytest.approx(0, abs=1e-9)
    assert fid(features, features + 2).value == pytest.approx(8 * 4, rel=1e-9)


def test_fid_of_samples_nears_that_of_their_gaussians() -> None:
    rng = np.random.default_rng(9)
    wide = fid(rng.normal(size=(20000, 2)), rng.normal(1, 2, size=(20000, 2)))
    assert wide.value == pytest.approx(2 * 1 + 2 * (2 - 1) ** 2, rel=0.05)


def test_fid_of_fewer_pictures_than_features_is_a_number() -> None:
    rng = np.random.default_rng(2)
    distance = fid(rng.normal(size=(10, 64)).astype(np.float32), rng.normal(size=(12, 64)).astype(np.float32))
    assert distance.value > 0
    assert distance.few
    assert distance.num == (10, 12)


def test_few_means_below_twice_the_features(features: np.ndarray) -> None:
    assert not fid(features, features).few
    assert not fid(features[:16], features).few
    assert fid(features[:15], features).few


def test_kid_by_hand() -> None:
    # k(0, 1) = 1; k(2, 3) = 7^3; between the sets 1, 1, 3^3 and 4^3.
    distance = kid(np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]]))
    assert distance.value == pytest.approx(1 + 343 - 2 * 93 / 4)


def test_kid_takes_sets_of_two_sizes_and_does_not_depend_on_blocks(
    features: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = kid(features, features[:21] + 0.5).value
    monkeypatch.setattr("demask.evaluation.metrics.distributions._KERNEL_ROWS", 7)
    assert kid(features, features[:21] + 0.5).value == pytest.approx(whole, rel=1e-12)


def test_kid_is_unbiased() -> None:
    rng = np.random.default_rng(8)
    values = [kid(rng.normal(size=(20, 4)), rng.normal(size=(20, 4))).value for _ in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(400)
    assert min(values) < 0


@pytest.mark.parametrize("formula", [fid, kid])
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_picture_without_finite_features_is_left_out(features: np.ndarray, formula, poison: float) -> None:
    spoilt = np.vstack([features, features[:1]])
    spoilt[30, 5] = poison
    got = formula(spoilt, features + 1)
    clean = formula(np.delete(spoilt, 30, axis=0), features + 1)
    assert got.num_left_out == 1
    assert got.num == (60, 60)
    assert got.value == clean.value


@pytest.mark.parametrize("formula", [fid, kid])
def test_one_picture_makes_no_distribution(features: np.ndarray, formula) -> None:
    assert math.isnan(formula(features[:1], features).value)


@pytest.mark.parametrize("formula", [fid, kid])
def test_features_of_two_networks_are_refused(features: np.ndarray, formula) -> None:
    with pytest.raises(InputError, match="one network"):
        formula(features, features[:, :5])
