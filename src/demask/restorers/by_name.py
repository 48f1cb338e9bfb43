"""Restorers by name, and the one way to run any of them over several crops."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from demask.errors import UsageError, WeightsError
from demask.extras import zoo_command
from demask.restorers import plugins
from demask.restorers.about import About
from demask.restorers.drawn import require_drawing
from demask.restorers.zoo_names import ZOO
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
"""Those of demask itself; `names` has those of installed packages too."""


@runtime_checkable
class BatchRestorer(Protocol):
    """A restorer that can fill several crops in one run."""

    def batch(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill crops uint8 [N, 256, 256, 3] where bool [N, 256, 256] is True."""
        ...


def names() -> tuple[str, ...]:
    """Every name that there is, usable or not; no plug-in is imported."""
    return (*NAMES, *(name for name in plugins.names() if name not in NAMES))


def get_restorer(
    name: str,
    *,
    device: str = "auto",
    threads: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Restorer:
    """Make a restorer.

    Args:
        name: One of `names()` (`network` is the shipped one), or the path of an .onnx file with the
            inputs and outputs of the shipped one, or without the hole (a blind translator).
            `scene-completion` takes its gallery along: `scene-completion:FOLDER`; what stands behind a
            plug-in's name and a colon is handed to the plug-in.
        device: Where a network runs, as `demask.weights.devices.providers_for` takes it.
        threads: Threads of a network; None leaves it to the runtime.
        options: Of onnxruntime's sessions, see `open_session`.

    Raises:
        UsageError: The name is unknown (the message gives the nearest one), or an extra or the zoo is not
            installed.
        RestorerError: It is a plug-in that cannot be used.
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
    if name in NAMES:
        return _without_network(name)
    plain, _, argument = name.partition(":")
    if plain in NAMES or plain not in plugins.names():
        raise _unknown(name)
    context = plugins.Context(device=device, threads=threads, options=dict(options or {}), argument=argument)
    return plugins.open_plugin(plain, context)


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
    plain = name.partition(":")[0]
    if plain in ZOO:
        return UsageError(f"the restorer {plain!r} is in the zoo, which is not installed; run: {zoo_command()}")
    known = names()
    near = difflib.get_close_matches(name, (*known, *ZOO), n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else "an own network is named by its .onnx file"
    return UsageError(f"unknown restorer {name!r}; it is one of {', '.join(known)}; {hint}")


def describe(name: str) -> About:
    """What a restorer is, without opening it: its paper, its parameters beside the paper's, departures.

    Args:
        name: As for `get_restorer`; what stands behind a colon does not matter.

    Raises:
        UsageError: The name is unknown; the message gives the nearest one.
        RestorerError: It is a plug-in that cannot be used.
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
    if plain in found:
        return found[plain]
    if plain in plugins.names():
        return plugins.load(plain).about
    raise _unknown(name)


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
    called = getattr(restorer, "__name__", type(restorer).__name__)
    if isinstance(restorer, BatchRestorer):
        drawn = restorer.batch(masked, hole)
        require_drawing(called, drawn, masked.shape)
        return drawn
    crops = []
    for one, its_hole in zip(masked, hole, strict=True):
        crops.append(restorer(one, its_hole))
        require_drawing(called, crops[-1], one.shape)
    return np.stack(crops)
