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
    the face directly. Cells count by the share of them that is hole and valid.

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
