"""Pixel errors that know where the hole is and where the photo ends."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


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
