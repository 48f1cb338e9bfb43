"""The Wasserstein game with a gradient penalty, as DeepFill v1 plays it.

Arjovsky et al. 2017 (arXiv:1701.07875), Gulrajani et al. 2017 (arXiv:1704.00028, eq. 3), and Yu et al. 2018
(arXiv:1801.07892), who let only the hole's gradient count.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_TINY = 1e-12  # The root of 0 has no gradient.


def critic_wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """How much better the critic likes what is drawn than what is photographed; a scalar of any sign."""
    return fake.mean() - real.mean()


def generator_wasserstein(fake: Tensor) -> Tensor:
    """The generator's side: minus the critic's mean opinion; a scalar of any sign."""
    return -fake.mean()


def random_between(real: Tensor, fake: Tensor) -> Tensor:
    """Pictures on the straight lines from photographed to drawn ones, each at its own random place.

    Draws from torch's global generator, which the trainer seeds at every step.
    """
    fraction = torch.rand(len(real), 1, 1, 1, device=real.device, dtype=real.dtype)
    return real.detach().lerp(fake.detach(), fraction)


def gradient_penalty(critic: Callable[[Tensor], Tensor], pictures: Tensor, hole: Tensor) -> Tensor:
    """Mean squared difference from 1 of the length of the critic's gradient in the hole; a scalar >= 0.

    Args:
        critic: From pictures to one number each, [B, 1]; each number must depend on its own picture alone.
        pictures: Where the gradient is taken, [B, C, H, W].
        hole: 1 = counts, [B, 1, H, W].
    """
    pictures = pictures.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(critic(pictures).sum(), pictures, create_graph=True)
    length = (gradient.square() * hole).sum((1, 2, 3)).clamp_min(_TINY).sqrt()
    return (length - 1).square().mean()
