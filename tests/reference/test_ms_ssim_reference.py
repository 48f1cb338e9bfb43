"""Our MS-SSIM against pytorch-msssim, and against one put together from torchmetrics' parts."""

import cv2
import numpy as np
import pytest

from demask.evaluation.metrics.multiscale import EXPONENTS, ms_ssim

torch = pytest.importorskip("torch")


def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (192, 208, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    blobs = cv2.resize(rng.integers(0, 256, (12, 13, 3), np.uint8), (208, 192), interpolation=cv2.INTER_CUBIC)
    ramp = np.broadcast_to(np.linspace(0, 255, 208).astype(np.uint8)[None, :, None], (192, 208, 3)).copy()
    grainy = np.clip(ramp + rng.normal(0, 12, ramp.shape), 0, 255).astype(np.uint8)
    flat = np.full((192, 208, 3), 77, np.uint8)
    return [
        (noise, smooth),
        (cv2.GaussianBlur(blobs, (0, 0), 3), blobs),
        (np.roll(blobs, 3, axis=1), blobs),
        (ramp, grainy),
        (flat, ramp),
        (flat, flat),
        (0 * flat, flat),
        (255 - noise, noise),
    ]


def tensor(picture: np.ndarray) -> "torch.Tensor":
    """Channels as a batch of grey pictures, float64 [3, 1, H, W]."""
    return torch.from_numpy(picture.transpose(2, 0, 1)[:, None].astype(np.float64))


@pytest.mark.parametrize(("picture", "truth"), pairs())
def test_it_is_that_of_pytorch_msssim(picture: np.ndarray, truth: np.ndarray) -> None:
    library = pytest.importorskip("pytorch_msssim")
    theirs = library.ms_ssim(
        tensor(picture)[None, :, 0], tensor(truth)[None, :, 0], data_range=255, size_average=True
    )
    assert ms_ssim(picture, truth) == pytest.approx(float(theirs), abs=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("picture", "truth"), pairs())
def test_it_is_that_of_torchmetrics_parts(picture: np.ndarray, truth: np.ndarray) -> None:
    # Its own five-scale function takes in mirrored windows at the coarsest scale, so only its
    # one-scale terms are used here, without the border of 5 px.
    functional = pytest.importorskip("torchmetrics.functional.image")
    options = {"data_range": 255.0, "reduction": "none"}
    x, y = tensor(picture), tensor(truth)
    product = torch.ones(3, dtype=torch.float64)
    for scale, exponent in enumerate(EXPONENTS):
        if scale < len(EXPONENTS) - 1:
            _, term = functional.structural_similarity_index_measure(
                x, y, return_contrast_sensitivity=True, **options
            )
        else:
            _, full = functional.structural_similarity_index_measure(x, y, return_full_image=True, **options)
            # The picture lies inside a mirrored border of 5 px, and whole windows 5 px further in.
            edge = (full.shape[-1] - x.shape[-1]) // 2 + 5
            term = full[..., edge:-edge, edge:-edge].mean(dim=(1, 2, 3))
        product *= torch.relu(term) ** exponent
        x, y = torch.nn.functional.avg_pool2d(x, 2), torch.nn.functional.avg_pool2d(y, 2)
    assert ms_ssim(picture, truth) == pytest.approx(float(product.mean()), abs=1e-4)
