"""Restorers by name, and the one way to run any of them over several crops."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from demask.errors import RestorerError, UsageError, WeightsError
from demask.restorers.about import About
from demask.types import Hole, ImageU8, Restorer

NAMES = (
    "network",
    "telea",
    "navier-stokes",
    "criminisi",
    "melding",
    "scene-completion",
    "biharmonic",
    "mean-face",
    "nothing",
)


@runtime_checkable
class BatchRestorer(Protocol):
    """A restorer that can fill several crops in one run."""

    def batch(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill crops uint8 [N, 256, 256, 3] where bool [N, 256, 256] is True."""
        ...


def get_restorer(
    name: str,
    *,
    device: str = "auto",
    threads: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Restorer:
    """Make a restorer.

    Args:
        name: One of `NAMES` (`network` is the shipped one), or the path of an .onnx file with the
            inputs and outputs of the shipped one, or without the hole (a blind translator).
            `scene-completion` takes its gallery along: `scene-completion:FOLDER`.
        device: Where a network runs, as `demask.weights.devices.providers_for` takes it.
        threads: Threads of a network; None leaves it to the runtime.
        options: Of onnxruntime's sessions, see `open_session`.

    Raises:
        UsageError: The name is unknown (the message gives the nearest one), or an extra is not installed.
        DatasetError: The gallery is missing or damaged.
        WeightsError: The network, or the mean face, is missing, damaged or of another kind.
        DeviceUnavailable: The named device is not there.
    """
    if name.partition(":")[0] == "scene-completion":
        return _scene_completion(name)
    if name == "network" or name.endswith(".onnx"):
        from demask.restorers.network import network_restorer
        from demask.weights.sessions import open_session

        weights = "restorer" if name == "network" else Path(name)
        session = open_session(weights, device=device, threads=threads, options=options)
        try:
            return network_restorer(session)
        except WeightsError as error:
            raise WeightsError(f"{name}: {error}; docs/restorers.md says what a restorer takes") from error
    return _without_network(name)


def _without_network(name: str) -> Restorer:
    match name:
        case "telea" | "navier-stokes":
            from demask.restorers import classical

            return classical.telea() if name == "telea" else classical.navier_stokes()
        case "criminisi":
            from demask.restorers.criminisi import Criminisi

            return Criminisi()
        case "melding":
            from demask.restorers.melding import Melding

            return Melding()
        case "biharmonic":
            from demask.restorers.biharmonic import Biharmonic

            return Biharmonic()
        case "mean-face" | "nothing":
            from demask.restorers import floors

            return floors.MeanFace() if name == "mean-face" else floors.Nothing()
    raise _unknown(name)


def _scene_completion(name: str) -> Restorer:
    from demask.restorers.scene_completion import SceneCompletion

    folder = name.partition(":")[2]
    if not folder:
        raise UsageError(
            "scene-completion fills from a gallery of faces and none is named; write scene-completion:FOLDER "
            "(`demask dataset gallery` makes one)"
        )
    return SceneCompletion(Path(folder))


def _unknown(name: str) -> UsageError:
    near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else "an own network is named by its .onnx file"
    return UsageError(f"unknown restorer {name!r}; it is one of {', '.join(NAMES)}; {hint}")


def describe(name: str) -> About:
    """What a restorer is, without opening it: its paper, its parameters beside the paper's, departures.

    Args:
        name: As for `get_restorer`; what stands behind a colon does not matter.

    Raises:
        UsageError: The name is unknown; the message gives the nearest one.
    """
    from demask.restorers import biharmonic, classical, criminisi, floors, melding, network, scene_completion

    abouts = (
        network.ABOUT,
        *classical.ABOUTS,
        criminisi.ABOUT,
        melding.ABOUT,
        scene_completion.ABOUT,
        biharmonic.ABOUT,
        *floors.ABOUTS,
    )
    found = {about.name: about for about in abouts}
    plain = name.partition(":")[0]
    if plain not in found:
        raise _unknown(name)
    return found[plain]


def fill(restorer: Restorer, masked: ImageU8, hole: Hole) -> ImageU8:
    """Fill several crops, in one run where the restorer can.

    Args:
        restorer: Any restorer.
        masked: Crops of one window that the restorer knows, uint8 RGB [N, S, S, 3].
        hole: True = to be filled, bool [N, S, S].

    Returns:
        uint8 RGB [N, S, S, 3].

    Raises:
        RestorerError: It gives anything else.
    """
    if isinstance(restorer, BatchRestorer):
        drawn = restorer.batch(masked, hole)
        _require_drawing(restorer, drawn, masked.shape)
        return drawn
    crops = []
    for one, its_hole in zip(masked, hole, strict=True):
        crops.append(restorer(one, its_hole))
        _require_drawing(restorer, crops[-1], one.shape)
    return np.stack(crops)


def _require_drawing(restorer: Restorer, drawn: object, shape: tuple[int, ...]) -> None:
    """Refuse what is no picture of the crop's size: floats in [0, 1] would come out as black.

    Raises:
        RestorerError: It is none.
    """
    got = f"{drawn.dtype} {list(drawn.shape)}" if isinstance(drawn, np.ndarray) else f"a {type(drawn).__name__}"
    if not isinstance(drawn, np.ndarray) or drawn.dtype != np.uint8 or drawn.shape != shape:
        name = getattr(restorer, "__name__", type(restorer).__name__)
        raise RestorerError(
            f"the restorer {name} gave {got}, need uint8 {list(shape)}: RGB from 0 to 255; scale and convert it"
        )
