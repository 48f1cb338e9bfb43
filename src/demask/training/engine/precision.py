"""Which arithmetic a device is good at: bfloat16 where it has units for it, else float32."""

from __future__ import annotations

import platform
from typing import NamedTuple

import torch

from demask.errors import ConfigError

PRECISIONS = ("auto", "bfloat16", "float32")


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
