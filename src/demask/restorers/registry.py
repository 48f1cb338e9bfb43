"""Restorers by name, and the one way to run any of them over several crops."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from demask.errors import UsageError
from demask.types import Hole, ImageU8, Restorer

NAMES = ("network", "telea", "navier-stokes")


@runtime_checkable
class BatchRestorer(Protocol):
    """A restorer that can fill several crops in one run."""

    def batch(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill crops uint8 [N, 256, 256, 3] where bool [N, 256, 256] is True."""
        ...


def get_restorer(
    name: str, *, device: str = "auto", threads: int | None = None, quick: bool = False
) -> Restorer:
    """Make a restorer.

    Args:
        name: `network` (shipped), `telea`, `navier-stokes`, or the path of an .onnx file with the
            inputs and outputs of the shipped one, or without the hole (a blind translator).
        device: Where a network runs: `auto`, `cpu`, `cuda` or `cuda:N`.
        threads: Threads of a network; None leaves it to the runtime.
        quick: See `demask.weights.sessions.open_session`.

    Raises:
        UsageError: The name is unknown; the message gives the nearest one.
        WeightsError: The network is missing, damaged or of another kind.
        DeviceUnavailable: The named device is not there.
    """
    if name == "network" or name.endswith(".onnx"):
        from demask.restorers.network import network_restorer
        from demask.weights.sessions import open_session

        weights = "restorer" if name == "network" else Path(name)
        return network_restorer(open_session(weights, device=device, threads=threads, quick=quick))
    if name in NAMES:
        from demask.restorers import classical

        return classical.telea() if name == "telea" else classical.navier_stokes()
    near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else "an own network is named by its .onnx file"
    raise UsageError(f"unknown restorer {name!r}; it is one of {', '.join(NAMES)}; {hint}")


def fill(restorer: Restorer, masked: ImageU8, hole: Hole) -> ImageU8:
    """Fill several crops, in one run where the restorer can.

    Args:
        restorer: Any restorer.
        masked: Crops, uint8 RGB [N, 256, 256, 3].
        hole: True = to be filled, bool [N, 256, 256].

    Returns:
        uint8 RGB [N, 256, 256, 3].
    """
    if isinstance(restorer, BatchRestorer):
        return restorer.batch(masked, hole)
    return np.stack([restorer(*pair) for pair in zip(masked, hole, strict=True)])
