"""What a denoising auto-encoder is taught by: half the squared error, sparse hidden units, small weights.

Xie, Xu & Chen 2012 ("Image denoising and inpainting with deep neural networks"), from memory.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

_LEAST = 1e-6  # A mean activation of 0 or 1 in rounded arithmetic would be infinitely far.


def half_squared_error(output: Tensor, wanted: Tensor) -> Tensor:
    """Half the squared length of the difference, averaged over patches; a scalar >= 0.

    Args:
        output: [N, D].
        wanted: Same shape.
    """
    return (output - wanted).square().sum(1).mean() / 2


def sparsity(hidden: Tensor, *, rho: float) -> Tensor:
    """KL divergence from a Bernoulli variable of mean rho to one of each unit's mean activation; a scalar >= 0.

    Summed over units, whose mean is that of the batch.

    Args:
        hidden: Activations in (0, 1), [N, units].
        rho: The wanted mean, in (0, 1).
    """
    mean = hidden.mean(0).clamp(_LEAST, 1 - _LEAST)
    wanted = torch.full_like(mean, rho)
    divergence = wanted * (wanted / mean).log() + (1 - wanted) * ((1 - wanted) / (1 - mean)).log()
    return divergence.sum()


def half_squared_weights(weights: Iterable[Tensor]) -> Tensor:
    """Half the sum of squares of all weight matrices; a scalar >= 0. Biases are not given."""
    return torch.stack([weight.square().sum() for weight in weights]).sum() / 2
