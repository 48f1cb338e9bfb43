"""torch's L-BFGS for training in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class BatchLbfgs(torch.optim.LBFGS):
    """L-BFGS that takes several iterations on each batch and forgets them before the next.

    What it knows of the curvature comes from differences of gradients, and between two batches these are mostly
    the batches' own. Large batches and several iterations on each: Le et al. 2011 (ICML, "On optimization
    methods for deep learning"), from memory. Step lengths are searched for (strong Wolfe conditions).

    Args:
        params: Weights.
        rate: First step length that is tried, 1 by the method.
        iterations: On each batch, at most.
        history: Pairs of differences that are kept, each twice as large as the weights.
    """

    def __init__(self, params: Iterable[Tensor], *, rate: float, iterations: int, history: int) -> None:
        super().__init__(
            params, lr=rate, max_iter=iterations, history_size=history, line_search_fn="strong_wolfe"
        )

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Search from where the weights are, on the batch that `closure` evaluates; returns its first loss."""
        loss = super().step(closure)  # type: ignore[no-untyped-call]
        self.state.clear()
        return loss
