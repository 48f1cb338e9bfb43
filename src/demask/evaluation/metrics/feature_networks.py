"""Networks that turn pictures into feature vectors, for FID and KID."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from demask.errors import InputError, WeightsError
from demask.evaluation.metrics.lpips_metric import LpipsPair
from demask.types import Floats32, ImageU8
from demask.weights.sessions import Session, open_session

FEATURE_PX = 256
"""Side of the square that a picture is brought to before a feature network sees it."""


class FeatureNetwork(Protocol):
    """Anything that describes pictures by vectors.

    Attributes:
        name: How reports call it; figures of different networks are not comparable.
    """

    name: str

    def __call__(self, crops: ImageU8) -> Floats32:
        """Map crops, uint8 RGB [N, H, W, 3], to features, float32 [N, D]."""
        ...


class SqueezeFeatures:
    """SqueezeNet 1.1 trained on ImageNet, its last map averaged over the picture: 512 features.

    Iandola et al. 2016 (arXiv:1602.07360); the features of LPIPS with SqueezeNet. It is smaller than the
    Inception-v3 of published FID and KID and has other features: rank systems with it on one set of pictures,
    never set its figures beside published ones.

    Args:
        lpips: The metric, opened.
    """

    name = "SqueezeNet 1.1, last map averaged (512)"

    def __init__(self, lpips: LpipsPair) -> None:
        self._lpips = lpips

    def __call__(self, crops: ImageU8) -> Floats32:
        """Map crops, uint8 RGB [N, H, W, 3], H and W at least 32, to float32 [N, 512]."""
        _require_crops(crops)
        return self._lpips.features(crops)


class OnnxFeatures:
    """A feature network of the user's own, such as an export of Inception-v3.

    Args:
        path: An ONNX file with one input `crops` uint8 [N, H, W, 3] RGB and, first among its outputs,
            float features [N, D]. Resizing and normalising belong inside the graph.
        device: `auto`, `cpu`, `cuda` and others; see `demask.weights.devices`.
        threads: For onnxruntime; None uses all cores.

    Raises:
        WeightsError: The file is missing, cannot be loaded or has another contract.
    """

    def __init__(self, path: Path, *, device: str = "auto", threads: int | None = None) -> None:
        self.name = path.name
        self._session: Session = open_session(path, device=device, threads=threads)
        inputs = {node.name: node.type for node in self._session.get_inputs()}
        outputs = self._session.get_outputs()
        if inputs != {"crops": "tensor(uint8)"} or outputs[0].type != "tensor(float)":
            raise WeightsError(
                f"{path} is no feature network: it maps {inputs} to {outputs[0].type}; needed is one input "
                "crops, tensor(uint8) [N, H, W, 3], and features, tensor(float) [N, D]"
            )
        self._output: str = outputs[0].name

    def __call__(self, crops: ImageU8) -> Floats32:
        """Map crops, uint8 RGB [N, H, W, 3], to float32 [N, D]."""
        _require_crops(crops)
        features = np.asarray(self._session.run([self._output], {"crops": crops})[0], np.float32)
        if features.ndim != 2 or len(features) != len(crops):
            raise WeightsError(
                f"{self.name} gave features of shape {features.shape} for {len(crops)} crops; "
                f"needed is [{len(crops)}, D]"
            )
        return features


def as_crop(picture: ImageU8) -> ImageU8:
    """Bring a picture to the square that feature networks see, uint8 [256, 256, 3].

    Scaling matters to FID (Parmar et al. 2022, arXiv:2104.11222): shrinking averages all pixels,
    enlarging is bicubic, and a picture that is not square is squashed.
    """
    if picture.shape[:2] == (FEATURE_PX, FEATURE_PX):
        return picture
    shrinks = min(picture.shape[:2]) >= FEATURE_PX
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (FEATURE_PX, FEATURE_PX), interpolation=how), np.uint8)


def _require_crops(crops: ImageU8) -> None:
    if crops.ndim != 4 or crops.shape[3] != 3 or crops.dtype != np.uint8 or not len(crops):
        raise InputError(f"got crops {crops.shape} {crops.dtype}; a feature network needs uint8 [N, H, W, 3]")
