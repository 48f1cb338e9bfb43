"""Terms for finding: boxes of faces, their landmarks, covered pixels.

How far the landmarks of a restored face lie from the true face's, with a gradient.
Study B took landmarks from dlib, which has none; here a landmark network looks at both pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from demask.geometry import EYE_DISTANCE_PX


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


def point_distance(points: Tensor, wanted: Tensor) -> Tensor:
    """Mean distance of points in the picture plane, in eye distances; a scalar >= 0.

    Args:
        points: In frame pixels, [B, N, 2 or 3]; z does not count.
        wanted: The same of the truth.
    """
    distances: Tensor = (points - wanted)[..., :2].norm(dim=-1)
    return distances.mean() / EYE_DISTANCE_PX


def shape_error(points: Tensor, wanted: Tensor, *, depth_weight: float = 0.3) -> Tensor:
    """Mean absolute error of all three coordinates, in eye distances; what a landmark network is taught by.

    Args:
        points: In frame pixels, [B, N, 3].
        wanted: The teacher's.
        depth_weight: How much z counts beside x and y: the teacher itself only guesses it.
    """
    weight = points.new_tensor([1.0, 1.0, depth_weight])
    return ((points - wanted).abs() * weight).mean() / EYE_DISTANCE_PX


def landmark_distance(network: nn.Module, restored: Tensor, face: Tensor) -> Tensor:
    """Mean distance between the landmarks of the restored face and of the true one, in eye distances.

    Study B's landmark term (mission.md, row 2), made differentiable. The network's weights must be
    frozen by the caller.

    Args:
        network: Gives [B, 468, 3] in frame pixels for crops in [-1, 1].
        restored: [B, 3, 256, 256] in [-1, 1].
        face: The truth, same shape.
    """
    with torch.no_grad():
        wanted = network(face)
    return point_distance(network(restored), wanted)


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
