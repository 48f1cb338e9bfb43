"""Photos that come into a folder while a command runs: found once they are whole."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from demask.photo.formats import READ_SUFFIXES

_PAUSE_S = 1.0


def arrivals(
    folder: Path,
    *,
    pause_s: float = _PAUSE_S,
    done: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[list[Path]]:
    """Yield the pictures that are new in a folder, in batches, for ever.

    A file counts as whole when neither its size nor its time has changed between two looks. Folders inside
    are looked through as well, hidden ones not. Looking costs a listing a second: no system's own notices are
    needed, so it works on network folders too.

    Args:
        folder: Where photos arrive. What is in it at the start counts as new.
        pause_s: Seconds between two looks.
        done: Asked after each look; True ends the watch.
        sleep: Waits.
    """
    told: dict[Path, tuple[int, int]] = {}
    before: dict[Path, tuple[int, int]] = {}
    while True:
        now = _pictures(folder)
        whole = [path for path, state in now.items() if before.get(path) == state and told.get(path) != state]
        told.update((path, now[path]) for path in whole)
        before = now
        if whole:
            yield sorted(whole)
        if done():
            return
        sleep(pause_s)


def _pictures(folder: Path) -> dict[Path, tuple[int, int]]:
    found = {}
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(here, name)
            if name.startswith(".") or path.suffix.lower() not in READ_SUFFIXES:
                continue
            try:
                status = path.stat()
            except OSError:  # Gone again.
                continue
            found[path] = (status.st_size, status.st_mtime_ns)
    return found
