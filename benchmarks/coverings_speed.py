"""How long it takes to draw one covering on a 256 px face, per kind, on one core; prints JSON.

Run: python benchmarks/coverings_speed.py [--draws 200]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from demask.coverings import KINDS, TRAINING_KINDS, draw, draw_hole
from demask.rng import rng_for

ROOT = Path(__file__).resolve().parent.parent
LIMIT_MS = 12.0


def measure(call: Callable[[int], object], draws: int) -> dict[str, float]:
    """Warm up, call `draws` times, and tell wall and processor milliseconds: median and middle 80 %."""
    for k in range(max(5, draws // 10)):
        call(-1 - k)
    wall, cpu = [], []
    for k in range(draws):
        start, start_cpu = time.perf_counter(), time.process_time()
        call(k)
        wall.append(1e3 * (time.perf_counter() - start))
        cpu.append(1e3 * (time.process_time() - start_cpu))
    return {
        "median_ms": round(float(np.median(wall)), 2),
        "p10_ms": round(float(np.percentile(wall, 10)), 2),
        "p90_ms": round(float(np.percentile(wall, 90)), 2),
        "cpu_median_ms": round(float(np.median(cpu)), 2),
    }


def main() -> None:
    """Measure every kind and the training mix on the tests' drawn head."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200, help="draws per kind (default 200)")
    draws = parser.parse_args().draws
    cv2.setNumThreads(1)
    spec = importlib.util.spec_from_file_location("head", ROOT / "tests/unit/coverings/conftest.py")
    if spec is None or spec.loader is None:
        raise SystemExit("tests/unit/coverings/conftest.py is missing: run from a source checkout")
    head = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(head)
    face = head.make_face()
    heads = [head.make_landmarks(yaw_deg=yaw) for yaw in (-40, -15, 0, 10, 30)]
    patches = [np.random.default_rng(k).integers(0, 256, (320, 480, 3), dtype=np.uint8) for k in range(3)]

    def drawing(kinds: tuple[str, ...]) -> Callable[[int], object]:
        return lambda k: draw(face, heads[k % 5], rng_for(k, "speed", "x"), kinds=kinds, patches=patches)

    results = {kind: measure(drawing((kind,)), draws) for kind in KINDS}
    results["training mix"] = measure(drawing(TRAINING_KINDS), draws)
    results["hole only"] = measure(
        lambda k: draw_hole(heads[k % 5], (256, 256), rng_for(k, "speed", "x")), draws
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    print(
        json.dumps(
            {
                "what": "draw one covering on a 256 px face",
                "draws": draws,
                "threads": 1,
                "limit_ms": LIMIT_MS,
                "machine": f"{platform.machine()} {platform.system()}",
                "opencv": cv2.__version__,
                "python": platform.python_version(),
                "commit": commit,
                "results": results,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
