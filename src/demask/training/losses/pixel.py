"""Pixel errors that know where the hole is and where the photo ends; and what keeps an auto-encoder sparse.

What a denoising auto-encoder is taught by: half the squared error, sparse hidden units, small weights.
Xie, Xu & Chen 2012 ("Image denoising and inpainting with deep neural networks"), from memory.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_LEAST = 1e-6  # A mean activation of 0 or 1 in rounded arithmetic would be infinitely far.


def hole_weighted_l1(
    prediction: Tensor,
    face: Tensor,
    hole: Tensor,
    valid: Tensor,
    *,
    hole_weight: float = 6.0,
    known_weight: float = 0.3,
) -> Tensor:
    """Mean absolute error over valid pixels, covered and known pixels weighted apart; a scalar >= 0.

    The idea of Liu et al. 2018 (arXiv:1804.07723, sec. 3.3: weights 6 and 1). Known pixels count less
    here: they are never pasted, and serve only to tell the tone at the edge of the hole.

    Args:
        prediction: Generator output, [B, 3, H, W] in [-1, 1].
        face: Ground truth, same shape and range.
        hole: 1 = to be filled, [B, 1, H, W].
        valid: 1 = a pixel of the photo, [B, 1, H, W]; others count nothing.
        hole_weight: Weight of pixels in the hole.
        known_weight: Weight of all others.
    """
    weight = valid * (known_weight + (hole_weight - known_weight) * hole)
    return (weight * (prediction - face).abs()).mean()


def coarse_l1(coarse: Tensor, face: Tensor, hole: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute error of a small prediction against the face averaged down; a scalar >= 0.

    Deep supervision (Lee et al. 2015, arXiv:1409.5185): the bottom of the U-Net learns the layout of
    the face directly. Cells count by the fraction of them that is hole and valid.

    Args:
        coarse: [B, 3, h, w] in [-1, 1]; h and w divide H and W.
        face: [B, 3, H, W] in [-1, 1].
        hole: 1 = to be filled, [B, 1, H, W].
        valid: 1 = a pixel of the photo, [B, 1, H, W].
    """
    size = (coarse.shape[-2], coarse.shape[-1])
    weight = F.adaptive_avg_pool2d(hole * valid, size)
    small_face = F.adaptive_avg_pool2d(face, size)
    return (weight * (coarse - small_face).abs()).mean()


def l1(prediction: Tensor, face: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute error of each picture's valid pixels, averaged over the batch; a scalar in [0, 2].

    Isola et al. 2017 (arXiv:1611.07004, eq. 3), which it equals where all pixels are valid. Averaging
    picture by picture makes equal parts of a batch (on several processes, or accumulated) add up to the
    whole.

    Args:
        prediction: Generator output, [B, 3, H, W] in [-1, 1]; a unit is 127.5 grey levels.
        face: Ground truth, same shape and range.
        valid: 1 = a pixel of the photo, [B, 1, H, W]; a picture without any counts as 0.
    """
    error = (valid * (prediction - face).abs()).mean(1).sum((1, 2))
    return (error / valid.sum((1, 2, 3)).clamp_min(1)).mean()


def hole_mse(prediction: Tensor, face: Tensor, hole: Tensor, valid: Tensor) -> Tensor:
    """Mean squared error of each picture's covered, valid pixels, averaged over pictures with a hole.

    Study B's pixel error in the masked region. A scalar in [0, 4]; in squared units of the model range
    [-1, 1], so times 127.5 squared it is in squared grey levels. 0, with a gradient of 0, for a batch
    without a hole.

    Args:
        prediction: Generator output, [B, 3, H, W] in [-1, 1].
        face: Ground truth, same shape and range.
        hole: 1 = to be filled, else 0, [B, 1, H, W].
        valid: 1 = a pixel of the photo, else 0, [B, 1, H, W].
    """
    inside = hole * valid
    area = inside.sum((1, 2, 3))
    error = (inside * (prediction - face).square()).mean(1).sum((1, 2)) / area.clamp_min(1)
    return error.sum() / (area > 0).sum().clamp_min(1)


def hole_discount(hole: Tensor, *, gamma: float) -> Tensor:
    """Gamma to the power of a pixel's distance to the nearest known one, [B, 1, H, W] in [0, 1].

    The spatially discounted loss of Yu et al. 2018 (arXiv:1801.07892). Known pixels weigh 1, and so does every
    pixel of a picture without any known one, where there is no distance.

    Args:
        hole: 1 = hole, else 0, [B, 1, H, W].
        gamma: In (0, 1]; 0.99 in the paper (as far as we remember), 0.9 in the authors' own code.
    """
    distances = [_distance(one) for one in (hole[:, 0] > 0.5).cpu().numpy().astype(np.uint8)]
    return gamma ** torch.from_numpy(np.stack(distances))[:, None].to(hole)


def known_l1(prediction: Tensor, face: Tensor, hole: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute error of each picture's known, valid pixels, averaged over the batch; a scalar in [0, 2].

    The "AE" term of the authors' own code. Ours: the mean is each picture's own, as each has its own hole.

    Args:
        prediction: [B, 3, H, W] in [-1, 1].
        face: The truth, same shape.
        hole: 1 = hole, [B, 1, H, W].
        valid: 1 = a pixel of the photo, [B, 1, H, W].
    """
    return weighted_l1(prediction, face, (1 - hole) * valid, (1 - hole) * valid)


def weighted_l1(prediction: Tensor, face: Tensor, weight: Tensor, counted: Tensor) -> Tensor:
    """Weighted sum of absolute errors over the number of counted pixels, averaged over the batch; >= 0.

    Args:
        prediction: [B, 3, H, W].
        face: Same shape.
        weight: Of each pixel, [B, 1, H, W]; >= 0.
        counted: 1 = counts, [B, 1, H, W]; a picture without any counts as 0.
    """
    error = (weight * (prediction - face).abs()).mean(1).sum((1, 2))
    return (error / counted.sum((1, 2, 3)).clamp_min(1)).mean()


def half_squared_error(output: Tensor, wanted: Tensor) -> Tensor:
    """Half the squared length of the difference, averaged over patches; a scalar >= 0.

    Args:
        output: [N, D].
        wanted: Same shape.
    """
    return (output - wanted).square().sum(1).mean() / 2


def sparsity(hidden: Tensor, *, rho: float) -> Tensor:
    """KL divergence from a Bernoulli variable of mean rho to one of each unit's mean activation; a scalar >= 0.

    Summed over units, whose mean is that of the batch.

    Args:
        hidden: Activations in (0, 1), [N, units].
        rho: The wanted mean, in (0, 1).
    """
    mean = hidden.mean(0).clamp(_LEAST, 1 - _LEAST)
    wanted = torch.full_like(mean, rho)
    divergence = wanted * (wanted / mean).log() + (1 - wanted) * ((1 - wanted) / (1 - mean)).log()
    return divergence.sum()


def half_squared_weights(weights: Iterable[Tensor]) -> Tensor:
    """Half the sum of squares of all weight matrices; a scalar >= 0. Biases are not given."""
    return torch.stack([weight.square().sum() for weight in weights]).sum() / 2


def _distance(
    hole: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    if hole.all():
        return np.zeros(hole.shape, np.float32)
    return np.asarray(cv2.distanceTransform(hole, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
