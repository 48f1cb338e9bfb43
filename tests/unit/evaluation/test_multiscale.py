"""MS-SSIM: values that follow from the formula, regions, pictures that break naive code."""

import math

import cv2
import numpy as np
import pytest

from demask.errors import InputError
from demask.evaluation.metrics.multiscale import EXPONENTS, MIN_SIDE_PX, ms_ssim


def flat(level: int, size: int = 192) -> np.ndarray:
    return np.full((size, size, 3), level, np.uint8)


@pytest.fixture
def picture() -> np.ndarray:
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (32, 40, 3), np.uint8)
    return cv2.resize(small, (240, 200), interpolation=cv2.INTER_CUBIC)


def test_identical_pictures_are_perfect(picture: np.ndarray) -> None:
    assert ms_ssim(picture, picture) == pytest.approx(1, abs=1e-12)
    assert ms_ssim(flat(0), flat(0)) == pytest.approx(1, abs=1e-12)


def test_flat_pictures_differ_by_the_coarsest_luminance_alone() -> None:
    c1 = (0.01 * 255) ** 2
    luminance = (2 * 100 * 140 + c1) / (100**2 + 140**2 + c1)
    assert ms_ssim(flat(100), flat(140)) == pytest.approx(luminance ** EXPONENTS[-1], abs=1e-9)


def test_an_inverted_picture_has_none() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (192, 192, 3), np.uint8)
    assert ms_ssim(255 - noise, noise) == 0


def test_channels_count_alike(picture: np.ndarray) -> None:
    other = picture.copy()
    other[:, :, 1] = 255 - other[:, :, 1]
    assert ms_ssim(other, picture) == pytest.approx(2 / 3, abs=1e-9)


def test_it_falls_with_the_damage(picture: np.ndarray) -> None:
    scores = [ms_ssim(cv2.GaussianBlur(picture, (0, 0), sigma), picture) for sigma in (1, 2, 4, 8)]
    assert scores == sorted(scores, reverse=True)


def test_odd_sides_are_measured(picture: np.ndarray) -> None:
    odd = picture[:199, :237]
    assert 0 < ms_ssim(cv2.GaussianBlur(odd, (0, 0), 2), odd) < 1


def test_a_region_sees_the_damage_near_it(picture: np.ndarray) -> None:
    hole = np.zeros(picture.shape[:2], bool)
    hole[110:170, 60:160] = True
    damaged = picture.copy()
    damaged[hole] = 128
    assert ms_ssim(damaged, picture, hole) < ms_ssim(damaged, picture) < 1
    assert ms_ssim(picture, picture, hole) == pytest.approx(1, abs=1e-12)
    assert ms_ssim(damaged, picture, np.ones_like(hole)) == pytest.approx(ms_ssim(damaged, picture), abs=1e-12)


@pytest.mark.parametrize("at", [(0, 0), (100, 100), (199, 239)])
def test_a_hole_of_one_pixel_has_a_figure(picture: np.ndarray, at: tuple[int, int]) -> None:
    hole = np.zeros(picture.shape[:2], bool)
    hole[at] = True
    assert 0 <= ms_ssim(cv2.GaussianBlur(picture, (0, 0), 3), picture, hole) < 1


def test_an_empty_region_has_no_figure(picture: np.ndarray) -> None:
    assert math.isnan(ms_ssim(picture, picture, np.zeros(picture.shape[:2], bool)))


def test_small_and_unequal_pictures_are_refused(picture: np.ndarray) -> None:
    assert np.isfinite(ms_ssim(flat(1, MIN_SIDE_PX), flat(2, MIN_SIDE_PX)))
    with pytest.raises(InputError, match="176 px a side"):
        ms_ssim(flat(1, MIN_SIDE_PX - 1), flat(1, MIN_SIDE_PX - 1))
    with pytest.raises(InputError, match="cannot be compared"):
        ms_ssim(picture, picture[1:])
