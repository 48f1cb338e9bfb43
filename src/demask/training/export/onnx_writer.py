"""A module to an ONNX file: exported, its weights halved, compared with torch, moved into place.

Weights are stored as float16 and widened when the session is made; the arithmetic stays float32.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnx.numpy_helper
import onnxruntime
import torch
from torch import Tensor, nn

from demask.atomic import replacing
from demask.errors import TrainingError
from demask.geometry import TIGHT
from demask.training.export.weights_file import note_weights

OPSET = 20


def write_onnx(
    graph: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    path: Path,
    *,
    network: nn.Module,
    tolerance: float,
    any_window: bool = False,
    captured: bool = False,
) -> None:
    """Export a module, shrink its weights to float16, compare with torch, then move it into place.

    Args:
        graph: Takes the inputs in order.
        inputs: Example tensors by name, at least two along their first axis, which may have any size in the
            file; the parity check uses them too.
        outputs: Names of what the module returns.
        path: Where the .onnx goes.
        network: The part of the graph whose weights the file names, so that a training can begin with them.
        tolerance: Largest difference allowed anywhere, in units of the output.
        any_window: Let the file take crops of every window of the frame, not only of the examples' size.
        captured: Export by torch's newer exporter, which knows every operator of torch.

    Raises:
        TrainingError: The difference exceeds the tolerance; nothing is written.
    """
    # Compare in the contiguous layout and in the weights that the file will hold.
    graph = graph.cpu().float().eval()
    graph.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    with replacing(path) as temporary:
        if captured:
            _capture(graph, inputs, outputs, temporary)
        else:
            open_axes = ("batch", "height", "width") if any_window else ("batch",)
            trace(graph, inputs, dict.fromkeys((*inputs, *outputs), open_axes), outputs, temporary)
        model = bare(onnx.load(str(temporary)))
        halve_weights(model)
        note_weights(model, network)
        onnx.checker.check_model(model)
        onnx.save(model, str(temporary))
        difference = parity(graph, inputs, temporary)
        if any_window:
            tight = {name: tensor[:, : TIGHT.side_px, : TIGHT.side_px] for name, tensor in inputs.items()}
            difference = max(difference, parity(graph, tight, temporary))
        if not difference <= tolerance:
            raise TrainingError(
                f"the exported graph differs from torch by {difference:g} (allowed: {tolerance:g}); "
                "nothing was written"
            )


def trace(
    graph: nn.Module,
    inputs: Mapping[str, Tensor],
    open_axes: Mapping[str, Sequence[str | None]],
    outputs: Sequence[str],
    path: Path,
    *,
    opset: int = OPSET,
) -> None:
    """Export by torch's older exporter, in a second.

    The newer one takes a quarter of a minute for the smallest network, and where sizes are open, reasons about
    them in symbols for many minutes. It is for operators that the older one does not know.

    Args:
        graph: Takes the inputs in order.
        inputs: Examples by name.
        open_axes: Of inputs and outputs by name, what each axis of any size is called; None where it is fixed.
        outputs: Names of what the module returns.
        path: Where the .onnx goes.
        opset: Version of the operators.
    """
    named = {name: {axis: size for axis, size in enumerate(axes) if size} for name, axes in open_axes.items()}
    with quiet_exporter():
        torch.onnx.export(
            graph,
            tuple(inputs.values()),
            f=str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=named,
            opset_version=opset,
            dynamo=False,
        )


@contextlib.contextmanager
def quiet_exporter() -> Iterator[None]:
    """Keep the exporter's remarks about its own insides and about torchvision from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what only the exporter's developers read: it is bulky, and names folders of this machine.

    Changes the model in place and returns it.
    """
    for holder in (
        *model.graph.node,
        *model.graph.initializer,
        *model.graph.input,
        *model.graph.output,
        model.graph,
    ):
        del holder.metadata_props[:]
        holder.doc_string = ""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    return model


def halve_weights(model: onnx.ModelProto) -> None:
    """Store every large float32 weight as float16, with a Cast back to float32 before its first use."""
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < 256:
            continue
        values = onnx.numpy_helper.to_array(tensor).astype(np.float16)
        name = tensor.name
        graph.initializer.remove(tensor)
        graph.initializer.append(onnx.numpy_helper.from_array(values, f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    for node in reversed(casts):
        graph.node.insert(0, node)


def parity(graph: nn.Module, inputs: Mapping[str, Tensor], path: Path) -> float:
    """Largest absolute difference between torch and the ONNX file on the same inputs."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in inputs.items()}
    theirs: list[npt.NDArray[np.generic]] = session.run(None, feed)
    with torch.no_grad():
        ours = graph(*inputs.values())
    ours = [ours] if isinstance(ours, Tensor) else list(ours)
    pairs = zip(ours, theirs, strict=True)
    return max(float(np.abs(a.numpy().astype(np.float64) - b.astype(np.float64)).max()) for a, b in pairs)


def _capture(graph: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], path: Path) -> None:
    """Export by torch's newer exporter, with pictures of the examples' size, any number of them."""
    batch = torch.export.Dim("batch")
    with quiet_exporter():
        torch.onnx.export(
            graph,
            kwargs=dict(inputs),
            f=str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes={name: {0: batch} for name in inputs},
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
