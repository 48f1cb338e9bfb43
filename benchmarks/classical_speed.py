"""Seconds a crop of every restorer that is no network, on one core.

OMP_NUM_THREADS=1 python benchmarks/classical_speed.py --out docs/measured/classical_speed.json
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import _common
from demask.dataset.frozen_set import FrozenPicture, load_frozen, read_info
from demask.restorers.by_name import NAMES, describe, get_restorer
from demask.types import Hole

SLICE = "seen"
LEFT_OUT = ("network", "scene-completion")  # Timed by speed.py; needs a gallery: name it to have it measured.
GOALS_S = {"melding": 60.0}
GOAL_S = 10.0  # Of all others.


def main() -> None:
    """Measure, then write the report."""
    arguments = _arguments()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("one core is what is measured: set OMP_NUM_THREADS=1 before Python starts")
    cv2.setNumThreads(1)
    info = read_info(arguments.data)
    every = max(1, info["slices"][SLICE] // arguments.crops)
    pictures = list(_every(load_frozen(arguments.data, slices=[SLICE]), every, arguments.crops))
    holes = {"quarter": _rectangle(128, 128), "two_fifths": _rectangle(164, 160)}

    names = (
        arguments.restorers.split(",")
        if arguments.restorers
        else [name for name in NAMES if name not in LEFT_OUT]
    )
    results: dict[str, Any] = {}
    for name in names:
        restorer = get_restorer(name)
        restorer(pictures[0].masked, pictures[0].hole)  # Warms up: imports, tables, caches.
        seconds, cpu = [], []
        for number, picture in enumerate(pictures, start=1):
            wall, busy = _timed(restorer, picture.masked, picture.hole)
            seconds.append(wall)
            cpu.append(busy)
            _common.show_progress(number, len(pictures))
        results[name] = {
            "version": describe(name).version,
            "goal_s": GOALS_S.get(name, GOAL_S),
            "cpu_s": _spread(cpu),
            "wall_s": _spread(seconds),
        }
        for size, hole in holes.items():
            wall, busy = _timed(restorer, pictures[0].masked, hole)
            results[name] |= {f"{size}_hole_cpu_s": round(busy, 4), f"{size}_hole_wall_s": round(wall, 4)}
    facts = {
        "frozen_set": {"sha256": info["sha256"], "slice": SLICE, "crops": len(pictures), "every": every},
        "hole_fraction": _spread([float(picture.hole.mean()) for picture in pictures]),
        "opencv_threads": cv2.getNumThreads(),
        "versions": {name: metadata.version(name) for name in ("numba", "scipy", "scikit-image")},
        "restorers": results,
    }
    _common.write_report(arguments.out, facts, table=_table(facts))


def _arguments() -> argparse.Namespace:
    parser = _common.parser(__doc__)
    parser.add_argument("--data", type=Path, default=Path("runs/frozen"), help="the frozen test set")
    parser.add_argument("--crops", type=int, default=20, help="crops, evenly over the slice")
    parser.add_argument(
        "--restorers", default="", help="names, comma-separated; default: all that need no file"
    )
    return parser.parse_args()


def _rectangle(height: int, width: int) -> Hole:
    """A hole of that size about the mouth."""
    hole = np.zeros((256, 256), bool)
    top, left = min(160 - height // 2, 256 - height), 128 - width // 2
    hole[top : top + height, left : left + width] = True
    return hole


def _every(pictures: Iterator[FrozenPicture], step: int, most: int) -> Iterator[FrozenPicture]:
    for number, picture in enumerate(pictures):
        if number % step == 0 and number // step < most:
            yield picture


def _timed(restorer: Any, masked: Any, hole: Hole) -> tuple[float, float]:
    """Wall and processor seconds of one crop."""
    wall, cpu = time.perf_counter(), time.process_time()
    restorer(masked, hole)
    return time.perf_counter() - wall, time.process_time() - cpu


def _spread(values: list[float]) -> dict[str, float]:
    """Median, tenth and ninetieth percentile, and the worst, to a tenth of a millisecond."""
    low, middle, high = np.percentile(values, [10, 50, 90])
    return {
        "median": round(float(middle), 4),
        "p10": round(float(low), 4),
        "p90": round(float(high), 4),
        "max": round(max(values), 4),
    }


def _table(facts: dict[str, Any]) -> str:
    crops, fraction = facts["frozen_set"]["crops"], facts["hole_fraction"]
    lines = [
        f"Seconds of one core for a 256 px crop: {crops} crops of the slice `{SLICE}`, holes of "
        f"{100 * fraction['median']:.0f} % of the crop (at most {100 * fraction['max']:.0f} %), and "
        "rectangles of a quarter and of two fifths of it. Processor time; wall time is in the JSON file.",
        "",
        "| restorer | median | p90 | worst | quarter | two fifths | at most |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in facts["restorers"].items():
        cpu = row["cpu_s"]
        most = max(cpu["max"], row["quarter_hole_cpu_s"], row["two_fifths_hole_cpu_s"])
        met = "yes" if most <= row["goal_s"] else "no"
        lines.append(
            f"| {name} | {cpu['median']:.4f} | {cpu['p90']:.4f} | {cpu['max']:.4f} | "
            f"{row['quarter_hole_cpu_s']:.4f} | {row['two_fifths_hole_cpu_s']:.4f} | "
            f"{row['goal_s']:g} s: {met} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
