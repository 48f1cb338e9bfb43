"""Loss terms: pure functions, unweighted; the weights live in the configs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from demask.errors import ConfigError


def weighted_total(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Sum of weight times term; a scalar.

    Raises:
        ConfigError: A term without a weight, or a weight without a term.
    """
    if terms.keys() != weights.keys():
        raise ConfigError(
            f"loss terms are {sorted(terms)} but weights name {sorted(weights)}; "
            "every term needs exactly one weight"
        )
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()
