"""A network's weights as safetensors."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from demask.atomic import replacing
from demask.errors import OutputError


def save_weights(network: nn.Module, path: Path, *, about: dict[str, str]) -> None:
    """Write a network's weights as safetensors, whole or not at all.

    Args:
        network: Its parameters and buffers are stored as float32, by name.
        path: The file; replaced if there.
        about: Text kept in the file's header.

    Raises:
        OutputError: The file cannot be written.
    """
    tensors = {
        name: value.detach().to("cpu", torch.float32 if value.is_floating_point() else value.dtype).contiguous()
        for name, value in network.state_dict().items()
    }
    try:
        with replacing(path) as temporary:
            save_file(tensors, temporary, metadata=about)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
