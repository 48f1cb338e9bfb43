"""The finder as one small ONNX file for photos of any size."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch.export import Dim

from demask.atomic import replacing
from demask.errors import TrainingError
from demask.training.export.onnx_writer import bare
from demask.training.export.weight_names import note_weights
from demask.training.models.finder_net import FinderGraph, FinderNet

MAX_BYTES = 1_000_000
_OUTPUTS = ["boxes", "points", "scores"]


def export_finder(network: FinderNet, path: Path, *, tolerance: float = 0.02) -> None:
    """Write the network and check that onnxruntime says what torch says, on two sizes of photo.

    The file maps `photo`, uint8 [1, H, W, 3] with H and W multiples of 32, to `boxes` [N, 4], `points`
    [N, 5, 2] and `scores` [N] of all cells. It appears under its name only when it is complete.

    Args:
        network: Trained; moved to the CPU in a copy.
        path: Where to write; the folder is made.
        tolerance: Largest difference allowed, in pixels and in thousandths of a score.

    Raises:
        TrainingError: The file is larger than 1 MB, or its output differs.
    """
    graph = FinderGraph(network).cpu().eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    example = torch.zeros(1, 320, 256, 3, dtype=torch.uint8)
    high, wide = Dim("rows", min=2, max=512), Dim("columns", min=2, max=512)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The exporter deprecates parts of itself.
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            input_names=["photo"],
            output_names=_OUTPUTS,
            dynamic_shapes=({1: 32 * high, 2: 32 * wide},),
            verbose=False,
        )
    assert program is not None
    model = bare(program.model_proto)
    note_weights(model, network)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
        size = temporary.stat().st_size
        if size > MAX_BYTES:
            raise TrainingError(f"the finder takes {size} bytes but may take {MAX_BYTES}; make it narrower")
        _compare(graph, temporary, tolerance)


@torch.no_grad()
def _compare(graph: FinderGraph, path: Path, tolerance: float) -> None:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for height, width in ((96, 160), (320, 224)):
        photo = rng.integers(0, 256, (1, height, width, 3), dtype=np.uint8)
        wanted = graph(torch.from_numpy(photo))
        for name, got, want in zip(_OUTPUTS, session.run(_OUTPUTS, {"photo": photo}), wanted, strict=True):
            apart = np.abs(got - want.numpy()).max() * (1000 if name == "scores" else 1)
            if got.shape != tuple(want.shape) or not apart <= tolerance:
                raise TrainingError(
                    f"{name} of the exported finder differs from torch's by {apart:g} at {width}x{height} px, "
                    f"allowed are {tolerance:g}; try another version of torch or onnxscript"
                )
