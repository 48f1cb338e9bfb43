"""Terms for finding faces: is there one, how well does its box fit, where are its points."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def box_overlap(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union of pairs of boxes, and its generalised form.

    Args:
        first: [N, 4] as (x0, y0, x1, y1), each box of positive size.
        second: [N, 4].

    Returns:
        IoU [N] in [0, 1], and GIoU [N] in (-1, 1] (Rezatofighi et al. 2019, arXiv:1902.09630, algorithm 1).
    """
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    common = (high - low).clamp(min=0).prod(dim=1)
    union = (first[:, 2:] - first[:, :2]).prod(dim=1) + (second[:, 2:] - second[:, :2]).prod(dim=1) - common
    hull_low, hull_high = (
        torch.minimum(first[:, :2], second[:, :2]),
        torch.maximum(first[:, 2:], second[:, 2:]),
    )
    hull = (hull_high - hull_low).prod(dim=1)
    iou = common / union.clamp(min=1e-6)
    return iou, iou - (hull - union) / hull.clamp(min=1e-6)


def quality_focal(logits: Tensor, quality: Tensor, *, beta: float = 2.0) -> Tensor:
    """Cross-entropy against a soft target, fading where the guess is right already; summed, >= 0.

    Li et al. 2020 (arXiv:2006.04388, eq. 2).

    Args:
        logits: [N].
        quality: What the score should be, [N] in [0, 1]: 0 where there is no face.
        beta: How fast easy cells fade.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return (entropy * (quality - logits.sigmoid()).abs() ** beta).sum()


def point_error(prediction: Tensor, truth: Tensor, size_px: Tensor, *, bend: float = 0.03) -> Tensor:
    """Smooth L1 distance of points as a fraction of the face's size; a scalar >= 0.

    Args:
        prediction: [N, 5, 2] in pixels.
        truth: [N, 5, 2].
        size_px: [N], above 0.
        bend: Below this fraction the error counts squared; the labels themselves are not finer.
    """
    scale = size_px[:, None, None]
    return F.smooth_l1_loss(prediction / scale, truth / scale, beta=bend)
