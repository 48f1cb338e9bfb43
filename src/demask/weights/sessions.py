"""The one place that makes onnxruntime sessions.

A session serves all threads at once: `InferenceSession.run` keeps no state between calls.

All sessions rewrite their graphs to the same degree, the fullest. Rewritten less, a network rounds in another
way, and in yet another with other numbers of threads or of crops in a run; rewritten fully, the shipped ones
give the same bytes with any.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from demask.errors import DeviceUnavailable, UsageError, WeightsError
from demask.geometry import TIGHT, WINDOWS, Window
from demask.weights import registry
from demask.weights.devices import is_directml, providers_for

Session = Any
"""An `onnxruntime.InferenceSession`, which carries no types of its own."""

log = logging.getLogger(__name__)


def open_session(
    weights: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Session:
    """Make a session for a network.

    Args:
        weights: A name of the registry (a `str` such as `"hole"`), or a `Path` to an .onnx file.
        device: A name that `demask.weights.devices.providers_for` takes.
        threads: Threads that one operator may use; None leaves it to the runtime (all cores).
        options: Attributes of `onnxruntime.SessionOptions` and, with a dot in their names, entries of its
            session configuration; they go before what we set.

    Raises:
        WeightsError: The file is missing, damaged, or not a network that the runtime can load.
        DeviceUnavailable: The named device is not there.
        UsageError: `device` or `threads` makes no sense.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; it must be 1 or more")
    providers = providers_for(device)
    path = weights if isinstance(weights, Path) else registry.find(weights)
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}")

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # Errors only: its warnings are about its own graph rewriting.
    if threads is not None:
        settings.intra_op_num_threads = threads
    # Three networks take turns: the threads of one must not spin while another computes.
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    if is_directml(providers):  # Its documentation asks for both.
        settings.enable_mem_pattern = False
        settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    _apply(settings, options or {})
    try:
        session = onnxruntime.InferenceSession(str(path), sess_options=settings, providers=providers)
    except Exception as error:  # The runtime raises a dozen classes of its own, with no common base.
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if device not in ("auto", "cpu"):
            raise DeviceUnavailable(f"{path.name} cannot be loaded on {device}: {first_line}") from error
        raise WeightsError(f"{path} is not a network that can be loaded: {first_line}") from error
    got = session.get_providers()
    if device != "auto" and got[0] != _name(providers[0]):
        raise DeviceUnavailable(
            f"the device {device} was asked for, but the runtime could only start {got[0]}; `demask doctor "
            f"--device {device}` says more"
        )
    log.debug("opened %s on %s", path, got[0])
    return OneAtATime(session) if is_directml(providers) else session


class OneAtATime:
    """A session that runs in one thread at a time, for providers that must not run in two at once."""

    def __init__(self, session: Session) -> None:
        self._session, self._lock = session, threading.Lock()

    def run(self, *arguments: Any) -> Any:
        """As the session's own."""
        with self._lock:
            return self._session.run(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def _name(provider: Any) -> str:
    return str(provider[0] if isinstance(provider, tuple) else provider)


def _apply(settings: Any, options: Mapping[str, Any]) -> None:
    """Set what the caller wants.

    Raises:
        UsageError: The runtime has no such option, or it takes no such value.
    """
    for name, value in options.items():
        try:
            if "." in name:
                settings.add_session_config_entry(name, str(value))
            elif not hasattr(settings, name):
                raise UsageError(
                    f"onnxruntime's session options have no {name!r}; its documentation lists them"
                )
            else:
                setattr(settings, name, value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UsageError(f"the session option {name} cannot be {value!r}: {error}") from error


def giving_back_memory() -> Any:
    """Options of a run after which the runtime keeps nothing of its memory on the CPU; for rare, large inputs.

    Else it keeps, for good, as much as the largest runs at the same time ever needed.
    """
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def require_contract(session: Session, *, inputs: dict[str, str], outputs: dict[str, str], what: str) -> None:
    """Check that a network has the inputs and outputs that its caller will feed and read.

    Args:
        session: An open session.
        inputs: Name to type, such as `{"crop": "tensor(uint8)"}`.
        outputs: The same for outputs.
        what: How the message calls the network.

    Raises:
        WeightsError: A name or type differs.
    """
    got_inputs = {node.name: node.type for node in session.get_inputs()}
    got_outputs = {node.name: node.type for node in session.get_outputs()}
    if got_inputs != inputs or any(got_outputs.get(name) != kind for name, kind in outputs.items()):
        raise WeightsError(
            f"the network is not a {what}: it maps {got_inputs} to {got_outputs}, "
            f"needed is {inputs} to {outputs}"
        )


def require_shapes(session: Session, shapes: Mapping[str, tuple[int | None, ...]], *, what: str) -> None:
    """Check the sizes that a network fixes against those that its caller will feed and read.

    Args:
        session: An open session.
        shapes: Input or output to its shape; None = any. A size that the network leaves open fits.
        what: How the message calls the network.

    Raises:
        WeightsError: A size differs.
    """
    for node in (*session.get_inputs(), *session.get_outputs()):
        needed, got = shapes.get(node.name), list(node.shape or ())
        if needed is None or not got:  # A network need not say how large its output is.
            continue
        pairs = zip(got, needed, strict=False)
        if len(got) != len(needed) or any(isinstance(a, int) and b not in (None, a) for a, b in pairs):
            raise WeightsError(
                f"the network is not a {what} for this program: {node.name} is {_sizes(got)}, "
                f"needed is {_sizes(needed)}"
            )


def windows_of(session: Session) -> tuple[Window, ...]:
    """Which windows of the frame a network takes: all where it leaves their size open, else the tight one.

    Args:
        session: Its first input is crops, [N, H, W, 3].
    """
    sizes = list(session.get_inputs()[0].shape or ())[1:3]
    return (TIGHT,) if any(isinstance(size, int) for size in sizes) else WINDOWS


def _sizes(shape: Sequence[object]) -> str:
    return "[" + ", ".join("N" if size is None else str(size) for size in shape) + "]"
