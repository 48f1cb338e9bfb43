"""DeepFill v1's pixel errors: deep in the hole there is no one right answer, so errors count less there."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor


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


def _distance(
    hole: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    if hole.all():
        return np.zeros(hole.shape, np.float32)
    return np.asarray(cv2.distanceTransform(hole, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
