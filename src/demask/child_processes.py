"""Processes that are started for work: deaf to Ctrl-C, and gone when their parent is."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Start processes that are deaf to Ctrl-C from their first moment: only the parent acts on it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only the main thread change this; then the start is not protected.
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end_with_parent() -> None:
    """End this process once its parent was killed: nobody else would, and it holds the parent's pipes."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()  # Waits on a pipe that the system closes with the parent, however that ends.
        os._exit(1)
