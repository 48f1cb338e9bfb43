"""LPIPS, version 0.1: how differently two pictures look to an ImageNet network.

Zhang et al. 2018 (arXiv:1801.03924). The module that trains with it (`training/losses/perceptual.py`) is
exported to ONNX once, from the published files, and kept in the download folder; measuring then needs no torch.
The scale of each network is its own: never set figures of SqueezeNet, AlexNet and VGG-16 beside one another.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from demask.errors import InputError, WeightsError
from demask.extras import install_command
from demask.types import Floats32, ImageU8
from demask.weights import registry
from demask.weights.sessions import Session, open_session

log = logging.getLogger(__name__)

Network = Literal["squeeze", "alex", "vgg"]

FILES: Mapping[Network, tuple[str, str]] = {
    "squeeze": ("squeeze_backbone", "lpips_squeeze_linear"),
    "alex": ("alexnet_backbone", "lpips_alex_linear"),
    "vgg": ("vgg16_backbone", "lpips_vgg_linear"),
}
"""Registry names of the two published files of each network."""

MIN_SIDE_PX = 32
"""The networks halve four or five times; below this their last maps have no pixel."""

_GRAPH_VERSION = 1


class LpipsPair:
    """LPIPS of two pictures, and the features of any; 0 for identical pictures.

    Args:
        session: A graph that `lpips_graph` names.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, picture: ImageU8, truth: ImageU8) -> float:
        """Distance of two uint8 RGB pictures [H, W, 3], each side at least `MIN_SIDE_PX`.

        Raises:
            InputError: The shapes differ or are too small.
        """
        if picture.shape != truth.shape or min(picture.shape[:2]) < MIN_SIDE_PX:
            raise InputError(
                f"LPIPS needs two pictures of one size, {MIN_SIDE_PX} px or more a side; "
                f"got {picture.shape} and {truth.shape}"
            )
        (distance,) = self._session.run(["distance"], {"pair": np.stack([picture, truth])})
        return max(float(distance[0]), 0.0)

    def features(self, crops: ImageU8) -> Floats32:
        """The last map averaged over each picture.

        Args:
            crops: uint8 RGB [N, H, W, 3].

        Returns:
            float32 [N, D]; each row depends on its own picture alone.
        """
        vectors = []
        for start in range(0, len(crops), 2):
            # The graph takes exactly two pictures; a last one without a partner goes in twice.
            pair = np.stack([crops[start], crops[min(start + 1, len(crops) - 1)]])
            vectors += list(self._session.run(["features"], {"pair": pair})[0])
        return np.asarray(vectors[: len(crops)], np.float32)


def open_lpips(network: Network, *, device: str = "auto", threads: int | None = None) -> LpipsPair:
    """Open the metric; its graph is made if it is not there.

    Args:
        network: Whose features are compared.
        device: `auto`, `cpu`, `cuda` and others; see `demask.weights.devices`.
        threads: For onnxruntime; None uses all cores.

    Raises:
        WeightsError: The graph is not there, and a published file or torch is missing to make it.
    """
    return LpipsPair(open_session(lpips_graph(network), device=device, threads=threads))


def lpips_graph(network: Network) -> Path:
    """The ONNX file of the metric, made from the published files where it is not there yet.

    It is looked for in the folder that `DEMASK_WEIGHTS` names, then in the download folder, where it is made:
    so a machine without torch can be given it.

    Raises:
        WeightsError: A published file or torch is missing, or a file holds something else.
    """
    name = f"lpips_{network}_{_GRAPH_VERSION}.onnx"
    given = os.environ.get("DEMASK_WEIGHTS")
    if given and (path := Path(given).expanduser() / name).is_file():
        return path
    made = registry.download_folder() / name
    if made.is_file():
        return made
    backbone, linear = _found(FILES[network])
    try:
        from demask.training.export.graphs import export_lpips
        from demask.training.losses.perceptual import Lpips
    except ModuleNotFoundError as error:
        raise WeightsError(
            f"LPIPS is made once into {name}, for which {error.name} is missing; run "
            f"{install_command('train')}, or copy that file to {made.parent} from where it was made"
        ) from error
    log.info("making %s from %s and %s", made, backbone.name, linear.name)
    try:
        made.parent.mkdir(parents=True, exist_ok=True)
        export_lpips(Lpips(backbone=backbone, linear=linear, network=network), made)
    except OSError as error:
        raise WeightsError(f"LPIPS cannot be made into {made}: {error.strerror}; set DEMASK_HOME") from error
    return made


def _found(names: tuple[str, str]) -> tuple[Path, Path]:
    """Both files; one error that names all that are missing."""
    paths, errors = [], []
    for name in names:
        try:
            paths.append(registry.find(name))
        except WeightsError as error:
            errors.append(str(error))
    if errors:
        raise WeightsError("; ".join(errors))
    return paths[0], paths[1]
