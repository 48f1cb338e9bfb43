"""Memory that a step frees is kept for the next one."""

from __future__ import annotations

import ctypes
import functools

# Of malloc.h in the GNU C library.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_NEVER = -1
_PAD_BYTES = 64 * 2**20


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
