"""Our SSIM, MSE and PSNR against scikit-image, an independent implementation."""

import cv2
import numpy as np
import pytest

from demask.evaluation.metrics.pixels import mse, psnr, ssim, ssim_map

metrics = pytest.importorskip("skimage.metrics")


def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (96, 80, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    ramp = np.broadcast_to(np.linspace(0, 255, 80).astype(np.uint8)[None, :, None], (96, 80, 3)).copy()
    grainy = np.clip(ramp + rng.normal(0, 12, ramp.shape), 0, 255).astype(np.uint8)
    flat = np.full((96, 80, 3), 77, np.uint8)
    return [
        (noise, smooth),
        (smooth, 255 - smooth),
        (ramp, grainy),
        (flat, ramp),
        (flat, flat),
        (0 * flat, flat),
    ]


@pytest.mark.parametrize(("picture", "truth"), pairs())
def test_ssim_is_that_of_scikit_image(picture: np.ndarray, truth: np.ndarray) -> None:
    options = {
        "data_range": 255,
        "channel_axis": 2,
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
    }
    value, full = metrics.structural_similarity(picture, truth, full=True, **options)
    assert ssim(picture, truth) == pytest.approx(value, abs=1e-4)
    assert np.abs(ssim_map(picture, truth) - full.mean(axis=2)).max() < 1e-4


@pytest.mark.parametrize(("picture", "truth"), pairs()[:4])
def test_mse_and_psnr_are_those_of_scikit_image(picture: np.ndarray, truth: np.ndarray) -> None:
    assert mse(picture, truth) == pytest.approx(metrics.mean_squared_error(picture, truth), rel=1e-9)
    assert psnr(picture, truth) == pytest.approx(
        metrics.peak_signal_noise_ratio(truth, picture, data_range=255), abs=1e-4
    )
