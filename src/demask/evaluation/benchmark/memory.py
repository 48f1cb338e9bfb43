"""How much memory this process holds, and how much it held at most since last asked."""

from __future__ import annotations

from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # man 5 proc: resets the peak resident set size, since Linux 4.0.


def held_mb() -> float | None:
    """Resident memory now, in MB (2**20 bytes); None where the system does not say."""
    return _read("VmRSS:")


def forget_peak() -> bool:
    """Let the peak begin anew from what is held now; False where the system does not let us."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def peak_mb() -> float | None:
    """Most resident memory since `forget_peak`, in MB; None where the system does not say."""
    return _read("VmHWM:")


def _read(field: str) -> float | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(field)), None)
