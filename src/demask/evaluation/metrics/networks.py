"""The parts of a measurement that need weights, opened where their files are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from demask.errors import WeightsError
from demask.evaluation.metrics.expression_metric import ExpressionKept
from demask.evaluation.metrics.feature_networks import FeatureNetwork, OnnxFeatures, SqueezeFeatures
from demask.evaluation.metrics.landmark_error import LandmarkError
from demask.evaluation.metrics.likeness import Identity
from demask.evaluation.metrics.lpips_metric import FILES as LPIPS_FILES
from demask.evaluation.metrics.lpips_metric import open_lpips
from demask.evaluation.metrics.metric_catalogue import METRICS
from demask.faces.crop_networks import LandmarkFinder
from demask.types import ImageU8, Points
from demask.weights import registry
from demask.weights.devices import providers_for
from demask.weights.sessions import open_session

WEIGHTS: Mapping[str, tuple[str, ...]] = {
    "lpips": LPIPS_FILES["squeeze"],
    "lpips_alex": LPIPS_FILES["alex"],
    "lpips_vgg": LPIPS_FILES["vgg"],
    "identity": ("mobileface", "finder"),
    "landmarks": ("landmarks", "finder"),
    "expression": ("expression", "finder"),
    "fid": LPIPS_FILES["squeeze"],
    "kid": LPIPS_FILES["squeeze"],
}
"""Registry names of the weights behind each metric."""

TwoPictures = Callable[[ImageU8, ImageU8], float]
ByPoints = Callable[[ImageU8, ImageU8, Points], float]
FindPoints = Callable[[ImageU8], Points | None]


@dataclass(frozen=True, kw_only=True)
class Networks:
    """What is not asked for, or not there, is absent.

    Attributes:
        distances: LPIPS by metric name.
        by_points: Identity, expression and landmark error by metric name.
        find_points: Five points of the largest face, None where no face is found; for `by_points`.
        features: For FID and KID.
        missing: Metrics that cannot be taken, each with what is missing and how to get it.
    """

    distances: Mapping[str, TwoPictures] = field(default_factory=dict)
    by_points: Mapping[str, ByPoints] = field(default_factory=dict)
    find_points: FindPoints | None = None
    features: FeatureNetwork | None = None
    missing: Mapping[str, str] = field(default_factory=dict)


def open_networks(
    metrics: Sequence[str],
    *,
    device: str = "auto",
    threads: int | None = None,
    features: Path | None = None,
    points_known: bool = False,
) -> Networks:
    """Open what the metrics need; a metric whose weights are not there goes to `missing`.

    Args:
        metrics: Names of `METRICS`.
        device: `auto`, `cpu`, `cuda` and others; see `demask.weights.devices`.
        threads: For onnxruntime; None uses all cores.
        features: An ONNX file for FID and KID, see `OnnxFeatures`; None takes SqueezeNet.
        points_known: Whether whoever asks knows the truth's five points, so that no finder is needed.

    Raises:
        UsageError: There is no such kind of device.
        DeviceUnavailable: The named device is not there.
        WeightsError: The file of `features` cannot be used.
    """
    providers_for(device)
    missing: dict[str, str] = {}

    def opened(openers: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        parts = {}
        for name in metrics:
            if name in openers:
                try:
                    parts[name] = openers[name]()
                except WeightsError as error:
                    missing[name] = str(error)
        return parts

    session = partial(open_session, device=device, threads=threads)
    lpips = partial(open_lpips, device=device, threads=threads)
    distances = opened(
        {
            "lpips": lambda: lpips("squeeze"),
            "lpips_alex": lambda: lpips("alex"),
            "lpips_vgg": lambda: lpips("vgg"),
        }
    )
    by_points = opened(
        {
            "identity": lambda: Identity(session("mobileface")),
            "expression": lambda: ExpressionKept(session("expression")),
            "landmarks": lambda: LandmarkError(LandmarkFinder(session("landmarks"))),
        }
    )
    find_points: FindPoints | None = None
    if by_points and not points_known:
        try:
            find_points = _point_finder(device, threads)
        except WeightsError as error:
            missing |= dict.fromkeys(by_points, str(error))
            by_points = {}
    network: FeatureNetwork | None = None
    wanted = [name for name in metrics if METRICS[name].of_set]
    if features is not None:
        network = OnnxFeatures(features, device=device, threads=threads)
    elif wanted:
        try:
            network = SqueezeFeatures(distances.get("lpips") or lpips("squeeze"))
        except WeightsError as error:
            missing |= dict.fromkeys(wanted, str(error))
    return Networks(
        distances=distances,
        by_points=by_points,
        find_points=find_points,
        features=network,
        missing=missing,
    )


def checksums(metrics: Sequence[str], *, features: Path | None = None) -> dict[str, str]:
    """The sha256 of every weights file behind some metrics, by file name, for a report.

    Args:
        metrics: Those that were taken.
        features: The user's own feature network, if FID and KID rest on one.
    """
    paths = set()
    for name in metrics:
        own = METRICS[name].of_set and features is not None
        paths |= {features} if own else {registry.locate(weights) for weights in WEIGHTS.get(name, ())}
    digests = {}
    for path in sorted(path for path in paths if path is not None):
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _point_finder(device: str, threads: int | None) -> FindPoints:
    from demask.faces.finder import Finder

    finder = Finder.shipped(device, threads=threads)

    def largest(photo: ImageU8) -> Points | None:
        return next((face.points for face in finder(photo)), None)

    return largest
