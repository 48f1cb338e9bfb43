"""Time and memory of the restorers in a benchmark; apart from the tables, since no two runs agree on them."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from demask.evaluation.benchmark.benchmark_plan import Plan

Record = dict[str, Any]


def measure_speed(plan: Plan, records: Mapping[str, Record]) -> dict[str, dict[str, Any]]:
    """Seconds and megabytes of every system, over all its pictures.

    Processor and wall time of the restorer alone, in one thread; the peak is what the open restorer holds
    plus the most that a call added to it.
    """
    table = {}
    for system, jobs in plan.jobs.items():
        speeds = [records[job.key]["speed"] for job in jobs if records[job.key]["error"] is None]
        timed = [speed for speed in speeds if speed["cpu_s"] is not None]
        peaks = [
            speed["held_mb"] + speed["added_mb"]
            for speed in timed
            if speed["held_mb"] is not None and speed["added_mb"] is not None
        ]
        table[system] = {
            "num": len(timed),
            "cpu_s": _spread([speed["cpu_s"] for speed in timed]),
            "wall_s": _spread([speed["wall_s"] for speed in timed]),
            "peak_mb": round(max(peaks), 1) if peaks else None,
        }
    return table


def machine() -> dict[str, Any]:
    """Processor, cores and system; nothing that names the machine or its owner."""
    cpuinfo, model = Path("/proc/cpuinfo"), platform.processor() or platform.machine()
    if cpuinfo.is_file():
        lines = cpuinfo.read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), model)
    return {"processor": model, "cores": os.cpu_count(), "system": platform.system()}


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    low, middle, high = np.percentile(values, [10, 50, 90])
    spread = {"median": middle, "p10": low, "p90": high, "max": max(values)}
    return {name: float(f"{value:.4g}") for name, value in spread.items()}
