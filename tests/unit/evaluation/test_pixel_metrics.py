"""MSE, PSNR, SSIM and hole IoU: numbers, regions, pictures that break naive formulas."""

import math

import numpy as np
import pytest

from demask.errors import InputError
from demask.evaluation.metrics.pixels import PSNR_CAP_DB, hole_iou, mse, psnr, ssim, ssim_map


def flat(level: int, size: int = 64) -> np.ndarray:
    return np.full((size, size, 3), level, np.uint8)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)


def test_identical_pictures_are_perfect(picture: np.ndarray) -> None:
    assert mse(picture, picture) == 0
    assert psnr(picture, picture) == PSNR_CAP_DB
    assert ssim(picture, picture) == pytest.approx(1, abs=1e-12)


def test_errors_are_on_the_scale_of_grey_levels() -> None:
    assert mse(flat(10), flat(13)) == 9
    assert psnr(flat(0), flat(255)) == pytest.approx(0)
    assert psnr(flat(10), flat(13)) == pytest.approx(10 * math.log10(255**2 / 9))


def test_uint8_differences_do_not_wrap_around() -> None:
    assert mse(flat(0), flat(255)) == mse(flat(255), flat(0)) == 255**2


def test_a_region_counts_only_its_own_pixels(picture: np.ndarray) -> None:
    hole = np.zeros((64, 64), bool)
    hole[20:30, 20:30] = True
    other = picture.copy()
    other[~hole] = 0
    assert mse(other, picture, hole) == 0
    other[25, 25] = picture[25, 25] ^ 1
    assert mse(other, picture, hole) == pytest.approx(1 / 100)


def test_an_empty_region_has_no_figure(picture: np.ndarray) -> None:
    nothing = np.zeros((64, 64), bool)
    assert math.isnan(mse(picture, picture, nothing))
    assert math.isnan(psnr(flat(1), flat(2), nothing))
    assert math.isnan(ssim(picture, picture, nothing))


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_flat_pictures_are_stable(level: int) -> None:
    assert ssim(flat(level), flat(level)) == pytest.approx(1, abs=1e-9)
    assert -1 <= ssim(flat(level), flat(255 - level)) <= 1
    assert np.isfinite(ssim_map(flat(level), flat(255 - level))).all()


@pytest.mark.parametrize("at", [(0, 0), (32, 32), (63, 63)])
def test_a_hole_of_one_pixel_has_every_figure(picture: np.ndarray, at: tuple[int, int]) -> None:
    hole = np.zeros((64, 64), bool)
    hole[at] = True
    other = 255 - picture
    assert np.isfinite(
        [mse(other, picture, hole), psnr(other, picture, hole), ssim(other, picture, hole)]
    ).all()
    assert ssim(other, picture, hole) == pytest.approx(ssim_map(other, picture)[at])


def test_ssim_leaves_windows_on_invalid_pixels_out(picture: np.ndarray) -> None:
    valid = np.ones((64, 64), bool)
    valid[:, 40:] = False
    other = picture.copy()
    other[:, 40:] = 255 - other[:, 40:]
    assert ssim(other, picture, valid=valid) == pytest.approx(1, abs=1e-12)
    assert ssim(other, picture) < 0.9


def test_ssim_of_the_hole_is_the_mean_of_the_map_inside(picture: np.ndarray) -> None:
    other = np.roll(picture, 1, axis=0)
    hole = np.zeros((64, 64), bool)
    hole[20:40, 15:50] = True
    assert ssim(other, picture, hole) == pytest.approx(ssim_map(other, picture)[hole].mean())


def test_hole_iou_counts_pixels() -> None:
    one, two = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
    one[:4], two[2:6] = True, True
    assert hole_iou(one, two) == pytest.approx(16 / 48)
    assert hole_iou(one, one) == 1
    assert hole_iou(one, np.zeros_like(one)) == 0
    assert hole_iou(np.zeros_like(one), np.zeros_like(one)) == 1
    assert hole_iou(one, two, valid=np.arange(8)[:, None].repeat(8, 1) >= 2) == pytest.approx(16 / 32)


def test_pictures_that_do_not_match_are_refused(picture: np.ndarray) -> None:
    with pytest.raises(InputError, match="shapes"):
        mse(picture, picture[:32])
    with pytest.raises(InputError, match="uint8"):
        ssim(picture / 255.0, picture / 255.0)
    with pytest.raises(InputError, match="region"):
        psnr(picture, picture, np.ones((32, 32), bool))
    with pytest.raises(InputError, match="hole shapes"):
        hole_iou(np.ones((4, 4), bool), np.ones((5, 5), bool))
