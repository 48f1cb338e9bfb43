"""The running average of a network's weights, which is what we export."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Average:
    """Exponential moving average with a warm-up, as TensorFlow's `tf.train.ExponentialMovingAverage` has it.

    At step t the decay is min(decay, (1 + t) / (10 + t)) (its documentation, argument `num_updates`), so early
    weights are soon forgotten. With a decay of 0 there is nothing to keep: `network` is the trained one itself.
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False) if decay else network

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move the average a little towards the network."""
        if not self.decay:
            return
        decay = min(self.decay, (1 + step) / (10 + step))
        mine, theirs = ([p.detach() for p in net.parameters()] for net in (self.network, network))
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        for buffer, other in zip(self.network.buffers(), network.buffers(), strict=True):
            buffer.copy_(other)
