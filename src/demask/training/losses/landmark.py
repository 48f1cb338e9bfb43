"""How far the landmarks of a restored face lie from the true face's, with a gradient.

Study B took landmarks from dlib, which has none; here a landmark network looks at both pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from demask.geometry import EYE_DISTANCE_PX


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
