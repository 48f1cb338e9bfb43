"""Metrics that compare pixels: MSE, PSNR, SSIM, and the overlap of two holes.

Pictures are uint8 RGB, errors are on 0..255. A `region` says which pixels count (the hole, or the
part of the crop that was inside the photo); None means all of them. An empty region has no error
to speak of: the result is NaN, which the averages in `bootstrap` leave out and count.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from demask.errors import InputError
from demask.types import Floats64, Hole, ImageU8

"""One channel of a picture or a map of its pixels, float64 [H, W]."""

PSNR_CAP_DB = 100.0
"""PSNR of identical pictures: infinity would swallow every mean. One grey level of error in one
value of a 256 px picture is 101 dB, so nothing that can be measured lies above the cap."""

WINDOW_PX = 11
SIGMA_PX = 1.5
K1, K2 = 0.01, 0.03
DATA_RANGE = 255.0


def mse(picture: ImageU8, truth: ImageU8, region: Hole | None = None) -> float:
    """Mean squared error over the pixels of a region, all three channels alike.

    Args:
        picture: uint8 RGB [H, W, 3].
        truth: Same shape.
        region: Pixels that count, bool [H, W]; None counts all.

    Returns:
        0 (identical) to 65025; NaN when no pixel counts.

    Raises:
        InputError: The shapes differ.
    """
    require_comparable(picture, truth, region)
    difference = picture.astype(np.float64) - truth.astype(np.float64)
    if region is not None:
        difference = difference[region]
    return float(np.mean(difference**2)) if difference.size else float("nan")


def psnr(picture: ImageU8, truth: ImageU8, region: Hole | None = None) -> float:
    """Peak signal-to-noise ratio in dB for 8 bit, at most `PSNR_CAP_DB`; see `mse` for the arguments."""
    error = mse(picture, truth, region)
    if error == 0:
        return PSNR_CAP_DB
    # np.minimum, unlike min, lets the NaN of an empty region through.
    return float(np.minimum(PSNR_CAP_DB, 10 * np.log10(DATA_RANGE**2 / error)))


def ssim_map(picture: ImageU8, truth: ImageU8) -> Floats64:
    """SSIM at every pixel, mean of the three channels.

    Wang et al. 2004 (IEEE TIP 13(4), eq. 13), 11 px Gaussian window with sigma 1.5, K1 = 0.01,
    K2 = 0.03, 8 bit range, population covariance. Windows that leave the picture see it mirrored.

    Args:
        picture: uint8 RGB [H, W, 3].
        truth: Same shape.

    Returns:
        float64 [H, W] in [-1, 1].
    """
    require_comparable(picture, truth, None)
    total: Floats64 = np.zeros(picture.shape[:2])
    # One channel at a time: on a photo of 12 megapixels every plane of float64 is 100 MB.
    for channel in range(3):
        luminance, structure = similarity_terms(picture[:, :, channel], truth[:, :, channel])
        luminance *= structure
        total += luminance
    total /= 3
    return total


def similarity_terms(
    x: Floats64 | npt.NDArray[np.uint8], y: Floats64 | npt.NDArray[np.uint8]
) -> tuple[Floats64, Floats64]:
    """The two factors of SSIM at every pixel of one channel: luminance, and contrast times structure.

    Wang et al. 2004, eq. 6 and 9-10 with C3 = C2 / 2, which joins contrast and structure to one
    fraction; window and constants as `ssim_map` names them.

    Args:
        x: [H, W] on 0..255.
        y: Same shape.

    Returns:
        Luminance in [0, 1] and structure in [-1, 1], float64 [H, W] each.
    """
    x, y = x.astype(np.float64, copy=False), y.astype(np.float64, copy=False)
    mean_x, mean_y = _blur(x), _blur(y)
    # Rounding can leave a tiny negative variance on flat pictures.
    variance_x = np.maximum(_blur(x * x) - mean_x**2, 0)
    variance_y = np.maximum(_blur(y * y) - mean_y**2, 0)
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (K1 * DATA_RANGE) ** 2, (K2 * DATA_RANGE) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return luminance, structure


def whole_windows(counted: Hole) -> Hole:
    """Pixels whose whole SSIM window lies inside the picture and on pixels that count, bool [H, W]."""
    kernel = np.ones((WINDOW_PX, WINDOW_PX), np.uint8)
    eroded = cv2.erode(counted.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(eroded, bool)


def ssim(picture: ImageU8, truth: ImageU8, region: Hole | None = None, *, valid: Hole | None = None) -> float:
    """Mean of the SSIM map over a region.

    A pixel counts when its whole window lies inside the picture and on valid pixels; with a region
    that holds no such pixel (a hole at the very edge), its plain pixels count instead. Without
    region and valid this is the usual SSIM of the whole picture.

    Args:
        picture: uint8 RGB [H, W, 3].
        truth: Same shape.
        region: Where to average, such as the hole: bool [H, W]. None is everywhere.
        valid: Pixels that were inside the photo, bool [H, W]. None is everywhere.

    Returns:
        A number in [-1, 1]; NaN when no pixel counts.
    """
    require_comparable(picture, truth, region)
    require_comparable(picture, truth, valid)
    everywhere = np.ones(picture.shape[:2], bool)
    counted = everywhere if valid is None else valid
    trusted = whole_windows(counted)
    wanted = counted if region is None else region & counted
    chosen = wanted & trusted if (wanted & trusted).any() else wanted
    return float(ssim_map(picture, truth)[chosen].mean()) if chosen.any() else float("nan")


def hole_iou(found: Hole, truth: Hole, valid: Hole | None = None) -> float:
    """Intersection over union of two holes on the valid pixels; 1 when both are empty.

    Args:
        found: bool [H, W].
        truth: bool [H, W].
        valid: Pixels that count, bool [H, W]; None counts all.
    """
    if found.shape != truth.shape or (valid is not None and valid.shape != truth.shape):
        raise InputError(f"hole shapes differ: found {found.shape}, truth {truth.shape}")
    if valid is not None:
        found, truth = found & valid, truth & valid
    union = int((found | truth).sum())
    return float((found & truth).sum() / union) if union else 1.0


def _blur(plane: Floats64) -> Floats64:
    blurred = cv2.GaussianBlur(
        plane, (WINDOW_PX, WINDOW_PX), sigmaX=SIGMA_PX, sigmaY=SIGMA_PX, borderType=cv2.BORDER_REFLECT
    )
    return np.asarray(blurred, np.float64)


def require_comparable(picture: ImageU8, truth: ImageU8, region: Hole | None) -> None:
    """Raise an InputError unless both are uint8 [H, W, 3] of one shape and the region is [H, W]."""
    if picture.shape != truth.shape or picture.ndim != 3 or picture.shape[2] != 3:
        raise InputError(
            f"pictures of shapes {picture.shape} and {truth.shape} cannot be compared; both must be [H, W, 3]"
        )
    if picture.dtype != np.uint8 or truth.dtype != np.uint8:
        raise InputError(f"metrics need uint8 pictures on 0..255, got {picture.dtype} and {truth.dtype}")
    if region is not None and region.shape != picture.shape[:2]:
        raise InputError(f"region is {region.shape} but the picture is {picture.shape[:2]}")
