"""The convolutions of DeepFill v1 and v2, as TensorFlow's layers, in which both were written, compute them.

B batch, C channels, H x W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_ACTIVATIONS = {"elu": nn.ELU, "relu": nn.ReLU}


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
