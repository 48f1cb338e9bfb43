"""The convolutions of DeepFill v1 and v2, as TensorFlow's layers, in which both were written, compute them.

B batch, C channels, H x W pixels.

Contextual attention: what lies in the hole is put together from patches of what is known.
Yu et al. 2018 (arXiv:1801.07892). The numbers, and what the text leaves open, are those of the authors' code
(github.com/JiahuiYu/generative_inpainting, `inpaint_ops.py`): patches of 3 x 3 cells are compared on the map
at half its size, and patches of 4 x 4 cells of the map itself are pasted, 2 apart. Ours: every picture has its
own hole, where the authors share one per batch; every other cell makes the half-size map, where their
resizing, which aligns corners, drifts by one cell from one side of the map to the other.

B batch, C channels, H x W cells, N = H/2 * W/2 patches.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_ACTIVATIONS = {"elu": nn.ELU, "relu": nn.ReLU}
SOFTMAX_SCALE = 10.0
_LEAST_NORM = 1e-4


class SameConv2d(nn.Conv2d):
    """A convolution whose output has ceil(size / stride) cells, padded as TensorFlow pads "SAME".

    With a stride of 2 and even sides the right and lower edge get one zero more than the left and upper.
    Weights are drawn as TensorFlow's layers draw them: Glorot's uniform, biases zero.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, stride, dilation=dilation)
        nn.init.xavier_uniform_(self.weight)
        assert self.bias is not None
        nn.init.zeros_(self.bias)
        # Sides are multiples of the stride throughout, so what is missing does not depend on them.
        missing = dilation * (kernel - 1) + 1 - stride
        self.even = missing % 2 == 0
        if self.even:
            self.padding = (missing // 2, missing // 2)
        self.edges = (missing // 2, missing - missing // 2) * 2

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] to [B, out, H / stride, W / stride]; H and W multiples of the stride."""
        return super().forward(x if self.even else F.pad(x, self.edges))


class FillConv(nn.Module):
    """A convolution and its activation; gated, half of its channels say how much of the other half passes.

    Gated convolution: Yu et al. 2019 (arXiv:1806.03589). As in the authors' own code `channels` are
    those the convolution computes, so a gated one passes on half as many.

    Args:
        in_channels: As arriving.
        channels: As listed in the paper.
        kernel: Side, odd.
        stride: 1 or 2.
        dilation: Distance of the kernel's taps.
        gated: v2's way.
        activation: "elu" or "relu".
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        gated: bool,
        activation: str = "elu",
    ) -> None:
        super().__init__()
        self.conv = SameConv2d(in_channels, channels, kernel, stride=stride, dilation=dilation)
        self.gated, self.activation = gated, _ACTIVATIONS[activation]()
        self.out_channels = channels // 2 if gated else channels

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] to [B, out_channels, H / stride, W / stride]."""
        x = self.conv(x)
        if not self.gated:
            activated: Tensor = self.activation(x)
            return activated
        values, gate = torch.chunk(x, 2, dim=1)
        passed: Tensor = self.activation(values) * torch.sigmoid(gate)
        return passed


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
