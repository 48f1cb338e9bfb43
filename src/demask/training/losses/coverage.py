"""Errors of a predicted coverage map."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def coverage_cross_entropy(logits: Tensor, hole: Tensor, valid: Tensor) -> Tensor:
    """Binary cross-entropy over each picture's valid pixels, mean over the batch; a scalar >= 0.

    Args:
        logits: [B, 1, H, W].
        hole: 1 = covered, [B, 1, H, W].
        valid: 1 = a pixel of the photo, [B, 1, H, W].
    """
    per_pixel = F.binary_cross_entropy_with_logits(logits, hole, reduction="none")
    inside = valid.sum((1, 2, 3)).clamp_min(1)
    return ((per_pixel * valid).sum((1, 2, 3)) / inside).mean()


def soft_jaccard(logits: Tensor, hole: Tensor, valid: Tensor) -> Tensor:
    """1 - soft intersection over union, mean over the batch; a scalar in [0, 1].

    Rahman & Wang 2016 (Optimizing intersection-over-union in deep neural networks, eq. 4). A picture
    without a hole scores by how much is predicted there, since 64 px are added to both areas.
    """
    coverage = torch.sigmoid(logits) * valid
    target = hole * valid
    both = (coverage * target).sum((1, 2, 3))
    either = (coverage + target - coverage * target).sum((1, 2, 3))
    return (1 - (both + 64) / (either + 64)).mean()
