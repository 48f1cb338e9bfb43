"""How a loader's worker process starts."""

from __future__ import annotations

import signal

import cv2
import torch


def start_worker(_number: int) -> None:
    """One thread each, and deaf to Ctrl-C: the main process ends the workers itself, without tracebacks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
