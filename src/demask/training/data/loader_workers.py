"""How a loader's worker process starts."""

from __future__ import annotations

import signal

import cv2
import torch


def start_worker(_number: int) -> None:
    """One thread each, and deaf to Ctrl-C and to a kill of the whole group, which schedulers send.

    The main process ends the workers itself, after the step that it saves; without it they end too.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
