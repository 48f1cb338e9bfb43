"""A plain kill ends a command as Ctrl-C does: what is half written goes, what is done stays."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def kill_is_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM inside the block, once; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only the main thread change this.
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
