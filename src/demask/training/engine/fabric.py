"""The device, precision and processes that a run asks for."""

from __future__ import annotations

import logging
import os
from typing import Any

import torch
from lightning_fabric import Fabric

from demask.errors import ConfigError
from demask.training.engine.precision import choose_precision
from demask.training.engine.trainer_config import TrainerConfig

log = logging.getLogger(__name__)


def open_fabric(config: TrainerConfig) -> Fabric:
    """Lightning Fabric as the config wants it; torchrun says how many processes, the log which arithmetic.

    Raises:
        ConfigError: An unknown device, or one that is not there.
    """
    kind, _, number = config.device.partition(":")
    if kind not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device is {config.device!r}; choose auto, cpu, cuda or cuda:N")
    here = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cuda" and not (int(number) < here if number else here):
        raise ConfigError(f"device is {config.device!r} but torch sees {here} CUDA devices; choose cpu or auto")
    local, world = (int(os.environ.get(name, 1)) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    accelerator = "cuda" if kind != "cpu" and here else "cpu"
    devices: Any = [int(number)] if number else local
    chosen = choose_precision(config.precision, torch.device(accelerator))
    level = logging.WARNING if chosen.is_slow else logging.INFO
    slow = "; trainer.precision=float32 may be hundreds of times faster" if chosen.is_slow else ""
    log.log(level, "computes in %s: %s%s", chosen.precision, chosen.reason, slow)
    return Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=max(1, world // local),
        strategy=_ddp() if world > 1 else "auto",
        precision="bf16-mixed" if chosen.precision == "bfloat16" else "32-true",
    )


def _ddp() -> Any:
    from lightning_fabric.strategies.ddp import DDPStrategy

    # Norm statistics stay each process's own; broadcasting them would undo the critic's two looks.
    return DDPStrategy(broadcast_buffers=False)
