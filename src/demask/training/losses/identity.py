"""How far the restored face is from the true one in the eyes of a face embedding network.

What shows above the hole (and around it) narrows down what lies in it; this term rewards a lower face
that goes with it. The face stays invented: nothing here brings the person's own mouth back.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from demask.geometry import ARCFACE_POINTS, ARCFACE_PX, FRAME_POINTS, FRAME_PX, invert, similarity


def identity_distance(network: nn.Module, restored: Tensor, face: Tensor) -> Tensor:
    """One minus the mean cosine of the two embeddings; a scalar in [0, 2].

    Args:
        network: Frozen; maps RGB 0..255 [B, 3, 112, 112], aligned as ArcFace does
            (arXiv:1801.07698, sec. 3.1), to [B, D].
        restored: Crops in [-1, 1], [B, 3, 256, 256].
        face: The truth, same shape.
    """
    with torch.no_grad():
        wanted = network(arcface_chips(face))
    return 1 - F.cosine_similarity(network(arcface_chips(restored)), wanted, dim=1).mean()


def arcface_chips(crops: Tensor) -> Tensor:
    """Crops of the frame, [B, 3, 256, 256] in [-1, 1], as ArcFace's, [B, 3, 112, 112] in 0..255.

    Every face is taken to lie where the frame's points say.
    """
    # affine_grid speaks of pixel edges as -1 and 1, in both pictures.
    to_frame = np.vstack([invert(similarity(FRAME_POINTS, ARCFACE_POINTS)), (0, 0, 1)])
    theta = _edges_from_pixels(FRAME_PX) @ to_frame @ np.linalg.inv(_edges_from_pixels(ARCFACE_PX))
    theta_B23 = torch.from_numpy(theta[:2]).to(crops).expand(len(crops), 2, 3)
    grid = F.affine_grid(theta_B23, [len(crops), 3, ARCFACE_PX, ARCFACE_PX], align_corners=False)
    # Beyond the crop there is black, as in the metric.
    chips = F.grid_sample(crops + 1, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return chips * 127.5


def _edges_from_pixels(side_px: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Pixel centres 0..side_px - 1 to positions where the outer edges are -1 and 1, float [3, 3]."""
    return np.array([[2 / side_px, 0, 1 / side_px - 1], [0, 2 / side_px, 1 / side_px - 1], [0, 0, 1]])
