"""LPIPS as an ONNX file, so that measuring needs no torch; its features serve FID and KID."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from demask.atomic import replacing
from demask.errors import TrainingError
from demask.training.export.onnx_writer import parity, quiet_exporter
from demask.training.losses.perceptual import Lpips, unit_length
from demask.training.models.ranges import channels_first, to_model_range

_TOLERANCE = 1e-3


class _LpipsGraph(nn.Module):
    """A pair of uint8 pictures in; their distance, and the features of both, out."""

    def __init__(self, lpips: Lpips) -> None:
        super().__init__()
        self.lpips = lpips

    def forward(self, pair: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.lpips.maps(to_model_range(channels_first(pair)))
        units = [unit_length(x) for x in maps]
        distance = self.lpips.distances([x[:1] for x in units], [x[1:] for x in units])
        return distance, maps[-1].mean(dim=(2, 3))


def export_lpips(lpips: Lpips, path: Path) -> None:
    """Write `pair`, uint8 [2, H, W, 3], to `distance`, float32 [1], and `features`, float32 [2, D].

    The features are the last map averaged over each picture. Weights stay float32: this is a measure.

    Raises:
        TrainingError: The exported graph does not say what torch says.
    """
    graph, rng = _LpipsGraph(lpips).cpu().eval(), np.random.default_rng(0)
    example, other = (
        torch.from_numpy(rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)) for size in ((96, 80), (65, 131))
    )
    with replacing(path) as temporary:
        with quiet_exporter():
            # Traced: the newer exporter tries for a minute to prove that pooling fits any height and width.
            torch.onnx.export(
                graph,
                (example,),
                str(temporary),
                input_names=["pair"],
                output_names=["distance", "features"],
                dynamic_axes={"pair": {1: "height", 2: "width"}},
                opset_version=17,
                dynamo=False,
            )
        difference = max(parity(graph, {"pair": pair}, temporary) for pair in (example, other))
        if not difference <= _TOLERANCE:
            raise TrainingError(
                f"the exported LPIPS differs from torch's by {difference:g} (allowed: {_TOLERANCE:g}); "
                "nothing was written"
            )
