"""Adversarial terms: the hinge losses and feature matching."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def critic_hinge(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """The critic's hinge loss (Miyato et al. 2018, arXiv:1802.05957, eq. 16); a scalar >= 0."""
    return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()


def generator_hinge(fake_logits: Tensor) -> Tensor:
    """The generator's side (ibid., eq. 17): minus the critic's mean opinion; any sign."""
    return -fake_logits.mean()


def feature_matching(real_features: Sequence[Tensor], fake_features: Sequence[Tensor]) -> Tensor:
    """Mean L1 between the critic's features of real and drawn (Wang et al. 2018, arXiv:1711.11585, eq. 4).

    Args:
        real_features: The critic's hidden maps for the photograph; treated as constants.
        fake_features: The same for the drawn face.
    """
    pairs = zip(real_features, fake_features, strict=True)
    return torch.stack([(real.detach() - fake).abs().mean() for real, fake in pairs]).mean()
