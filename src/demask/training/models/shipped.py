"""Shipped networks back in torch, for losses that need their gradients."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.numpy_helper
import torch

from demask.errors import WeightsError
from demask.training.models.landmark_net import LandmarkNet, LandmarksConfig
from demask.weights import registry


def shipped_landmarks() -> LandmarkNet:
    """The shipped landmark network with its weights, frozen, in eval mode.

    Raises:
        WeightsError: The file is missing, damaged, or was trained with another architecture.
    """
    path = registry.find("landmarks")
    network = LandmarksConfig().build()
    stored = {}
    for tensor in onnx.load(str(path)).graph.initializer:
        name = tensor.name.removesuffix(".half").removeprefix("network.")
        stored[name] = torch.from_numpy(onnx.numpy_helper.to_array(tensor).astype(np.float32))
    wanted = network.state_dict()
    if missing := sorted(wanted.keys() - stored.keys()):
        raise WeightsError(f"{path} does not hold {missing[0]}; export it again with this version of demask")
    try:
        network.load_state_dict({name: stored[name].reshape(value.shape) for name, value in wanted.items()})
    except RuntimeError as error:
        raise WeightsError(f"{path} is of another architecture: {str(error).splitlines()[0]}") from error
    return network.eval().requires_grad_(False)
