"""What a run computes on: its device and processes, the arithmetic these are good at, the memory they keep."""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import platform
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric

from demask.errors import ConfigError
from demask.training.engine.trainer_config import PRECISIONS, TrainerConfig

log = logging.getLogger(__name__)
_NEVER = -1
_PAD_BYTES = 64 * 2**20


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


class Chosen(NamedTuple):
    """A precision and why."""

    precision: str  # "bfloat16" or "float32"
    reason: str
    is_slow: bool = False  # The device computes it by detours.


def choose_precision(asked: str, device: torch.device) -> Chosen:
    """Take what was asked for; of `auto` make what the device computes natively.

    Where it does not, bfloat16 still works and may be hundreds of times slower than float32.

    Args:
        asked: One of `PRECISIONS`.
        device: Where the arithmetic is done.

    Raises:
        ConfigError: An unknown precision.
    """
    if asked not in PRECISIONS:
        raise ConfigError(f"precision is {asked!r}; choose {', '.join(PRECISIONS)}")
    has_units = has_bfloat16_units(device)
    what = "this GPU" if device.type == "cuda" else "this CPU"
    has = f"{what} {'has' if has_units else 'has no'} units for bfloat16"
    if asked == "auto":
        return Chosen("bfloat16" if has_units else "float32", has)
    return Chosen(asked, f"asked for; {has}", is_slow=asked == "bfloat16" and not has_units)


def has_bfloat16_units(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 itself: CUDA from Ampere on, CPUs with AVX512-BF16, AMX or Arm's."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if platform.machine() in ("aarch64", "arm64"):
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


# Of malloc.h in the GNU C library.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


@functools.cache
def keep_freed_memory() -> bool:
    """Tell the C library to hand freed memory to nobody but us, from now on and in the whole process.

    A step on a CPU frees gigabytes of activations and asks for as much again; given back to the system in
    between, every page of it is cleared anew. mallopt(3) says what the three settings do.

    Returns:
        Whether the C library took the settings; only the GNU one has them.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    settings = ((_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _PAD_BYTES), (_MMAP_MAX, 0))
    return all(mallopt(*setting) == 1 for setting in settings)


def _ddp() -> Any:
    from lightning_fabric.strategies.ddp import DDPStrategy

    # Norm statistics stay each process's own; broadcasting them would undo the critic's two looks.
    return DDPStrategy(broadcast_buffers=False)
