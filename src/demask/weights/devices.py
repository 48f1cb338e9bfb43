"""Where networks can run: names of devices, and the runtime's providers behind them.

Which of them are there depends on the build of onnxruntime that is installed: the plain one knows the CPU (on
macOS CoreML too), `onnxruntime-gpu` CUDA, `onnxruntime-directml` DirectML, `onnxruntime-openvino` OpenVINO.
They are distributions of one package, so only one may be installed at a time.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import onnxruntime

from demask.errors import DeviceUnavailable, UsageError

CPU = "CPUExecutionProvider"
DEVICES = "auto|cpu|cuda[:N]|directml[:N]|coreml|openvino[:NAME]"
"""As help texts name them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One kind of device.

    Attributes:
        provider: The runtime's name for it.
        distribution: What to install to have it.
        where: Systems it exists on, by `sys.platform`.
        by_itself: Whether `auto` takes it: who installed that build wants it. CoreML comes unasked, and
            rounds as it likes.
        number: Name of the provider's option for the part behind the colon, and its default.
        options: The provider's other options.
    """

    provider: str
    distribution: str
    where: tuple[str, ...]
    by_itself: bool = True
    number: tuple[str, str | int] | None = None
    options: tuple[tuple[str, str], ...] = ()


KINDS: dict[str, Device] = {
    "cuda": Device(
        provider="CUDAExecutionProvider",
        distribution="onnxruntime-gpu",
        where=("linux", "win32"),
        number=("device_id", 0),
    ),
    "directml": Device(
        provider="DmlExecutionProvider",
        distribution="onnxruntime-directml",
        where=("win32",),
        number=("device_id", 0),
    ),
    "openvino": Device(
        provider="OpenVINOExecutionProvider",
        distribution="onnxruntime-openvino",
        where=("linux", "win32"),
        number=("device_type", "CPU"),
    ),
    "coreml": Device(
        provider="CoreMLExecutionProvider", distribution="onnxruntime", where=("darwin",), by_itself=False
    ),
}
BUILDS = tuple(dict.fromkeys(["onnxruntime", *(kind.distribution for kind in KINDS.values())]))
"""Distributions that all bring the package `onnxruntime`."""


def providers_for(device: str) -> list[Any]:
    """Execution providers of a device name, the CPU last: it takes what the others cannot.

    Args:
        device: `auto` (the best that this build of the runtime has, else the CPU), `cpu`, `cuda` or `cuda:N`,
            `directml` or `directml:N`, `coreml`, `openvino` or `openvino:GPU` and the like.

    Raises:
        UsageError: The name is none of these.
        DeviceUnavailable: It was named but the installed runtime does not know it.
    """
    if not re.fullmatch(r"auto|cpu|coreml|(cuda|directml)(:\d+)?|openvino(:[A-Za-z0-9_.:,-]+)?", device):
        raise UsageError(f"unknown device {device!r}; it is one of {DEVICES}")
    there = onnxruntime.get_available_providers()
    if device == "auto":
        kinds = (name for name, kind in KINDS.items() if kind.by_itself and kind.provider in there)
        device = next(kinds, "cpu")
    if device == "cpu":
        return [CPU]
    name, _, part = device.partition(":")
    kind = KINDS[name]
    if kind.provider not in there:
        raise DeviceUnavailable(
            f"the device {device} was asked for, but this onnxruntime knows {', '.join(there)}; "
            f"{how_to_get(name)}, or use --device cpu"
        )
    options: dict[str, Any] = dict(kind.options)
    if kind.number is not None:
        key, default = kind.number
        options[key] = (int(part) if isinstance(default, int) else part) if part else default
    return [(kind.provider, options), CPU]


def is_directml(providers: list[Any]) -> bool:
    """Whether they begin with DirectML, whose sessions must not run in two threads at once."""
    return isinstance(providers[0], tuple) and providers[0][0] == KINDS["directml"].provider


def how_to_get(name: str) -> str:
    """What to run to have a device, such as `cuda`."""
    kind = KINDS[name]
    if sys.platform not in kind.where:
        systems = {"linux": "Linux", "win32": "Windows", "darwin": "macOS"}
        return f"{name} exists on {' and '.join(systems[where] for where in kind.where)} only"
    others = " ".join(build for build in installed_builds() if build != kind.distribution)
    remove = f"pip uninstall -y {others} && " if others else ""
    return f"run: {remove}pip install --force-reinstall --no-deps {kind.distribution}"


def installed_builds() -> Mapping[str, str]:
    """The builds of onnxruntime that are installed, name to version; more than one spoil each other."""
    found = {}
    for name in BUILDS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
