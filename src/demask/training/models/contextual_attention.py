"""Contextual attention: what lies in the hole is put together from patches of what is known.

Yu et al. 2018 (arXiv:1801.07892). The numbers, and what the text leaves open, are those of the authors' code
(github.com/JiahuiYu/generative_inpainting, `inpaint_ops.py`): patches of 3 x 3 cells are compared on the map
at half its size, and patches of 4 x 4 cells of the map itself are pasted, 2 apart. Ours: every picture has its
own hole, where the authors share one per batch; every other cell makes the half-size map, where their
resizing, which aligns corners, drifts by one cell from one side of the map to the other.

B batch, C channels, H x W cells, N = H/2 * W/2 patches.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SOFTMAX_SCALE = 10.0
_LEAST_NORM = 1e-4


def contextual_attention(x_BCHW: Tensor, hole_B1HW: Tensor) -> Tensor:
    """Rebuild a feature map from its own known patches.

    Args:
        x_BCHW: The map, [B, C, H, W]; H and W even.
        hole_B1HW: 1 = hole, else 0, [B, 1, H, W].

    Returns:
        Everywhere the patches that look most alike, in weighted average; shape of `x_BCHW`.
    """
    B, _, H, W = x_BCHW.shape
    h, w = H // 2, W // 2
    small, small_hole = x_BCHW[:, :, ::2, ::2], hole_B1HW[:, :, ::2, ::2]

    # How alike: the cosine, but only known patches are brought to length 1.
    patches = F.unfold(small, 3, padding=1)  # [B, 9 C, N]
    norms = patches.square().sum(1, keepdim=True).clamp_min(_LEAST_NORM**2).sqrt()
    scores = patches.transpose(1, 2) @ (patches / norms)  # [B, N of the place, N of the patch]
    scores = _favour_neighbours(scores, h, w)

    # Where from. A patch with any part in the hole scores 0 before the softmax and weighs 0 after it.
    known = (F.max_pool2d(small_hole, 3, stride=1, padding=1) == 0).to(scores.dtype).reshape(B, 1, h * w)
    attention = torch.softmax(scores * known * SOFTMAX_SCALE, dim=2) * known

    # Paste: patches overlap twice in each direction.
    pasted = F.unfold(x_BCHW, 4, padding=1, stride=2) @ attention.transpose(1, 2)  # [B, 16 C, N]
    return F.fold(pasted, (H, W), 4, padding=1, stride=2) / 4


def _favour_neighbours(scores_BNN: Tensor, h: int, w: int) -> Tensor:
    """Add the scores of neighbouring places for neighbouring patches, along rows, then along columns.

    The authors convolve the matrix of scores with a 3 x 3 identity; like theirs, ours runs on from the end of a
    row to the next one.
    """
    B, N, _ = scores_BNN.shape
    turned = _along_diagonal(scores_BNN).reshape(B, h, w, h, w).permute(0, 2, 1, 4, 3).reshape(B, N, N)
    return _along_diagonal(turned).reshape(B, w, h, w, h).permute(0, 2, 1, 4, 3).reshape(B, N, N)


def _along_diagonal(scores_BNN: Tensor) -> Tensor:
    """Each score plus its two neighbours on the diagonal; beyond the matrix there is 0."""
    before = F.pad(scores_BNN[:, :-1, :-1], (1, 0, 1, 0))
    after = F.pad(scores_BNN[:, 1:, 1:], (0, 1, 0, 1))
    return before + scores_BNN + after
