"""How much sooner two processes are through with a benchmark than one, alternately, on a machine left alone.

python benchmarks/benchmark_scaling.py --data runs/frozen --out docs/measured/benchmark_scaling.json
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import _common
from demask.evaluation.benchmark.benchmark_plan import BenchmarkConfig
from demask.evaluation.benchmark.benchmark_run import run_benchmark
from demask.evaluation.benchmark.systems import parse_systems
from demask.evaluation.bootstrap import mean_interval

GOAL = 1.8


def main() -> None:
    """Time both, then write the report."""
    parser = _common.parser(__doc__)
    parser.add_argument("--data", type=Path, default=Path("runs/frozen"), help="the frozen test set")
    parser.add_argument("--restorers", default="network,telea,criminisi", help="names, as `demask benchmark`")
    parser.add_argument("--limit", type=int, default=60, help="pictures of the slice seen")
    parser.add_argument("--jobs", type=int, default=2, help="processes to compare with one")
    parser.add_argument("--repeats", type=int, default=3, help="rounds of one and several processes")
    arguments = parser.parse_args()
    _common.use_neighbouring_weights()
    runs: dict[int, list[tuple[float, float]]] = {1: [], arguments.jobs: []}
    num = 0
    for number in range(arguments.repeats):
        for jobs in runs:
            num, measuring, whole = _timed(arguments.data, arguments.restorers, arguments.limit, jobs)
            runs[jobs].append((measuring, whole))
        _common.show_progress(number + 1, arguments.repeats)
    times = {jobs: np.array(found) for jobs, found in runs.items()}
    ratios = times[1] / times[arguments.jobs]
    results = {
        "num_results": num,
        "jobs": arguments.jobs,
        "measuring_s": {str(jobs): _common.spread(found[:, 0].tolist()) for jobs, found in times.items()},
        "whole_s": {str(jobs): _common.spread(found[:, 1].tolist()) for jobs, found in times.items()},
        "measuring_ratio": mean_interval(ratios[:, 0]).as_json(),
        "whole_ratio": mean_interval(ratios[:, 1]).as_json(),
        "goal": GOAL,
        "met": bool(ratios[:, 0].mean() >= GOAL),
    }
    _common.write_report(arguments.out, results, table=_table(results))


def _timed(data: Path, restorers: str, limit: int, jobs: int) -> tuple[int, float, float]:
    """Results, seconds from the start of the first process to the last result, seconds of everything."""
    config = BenchmarkConfig(
        data=data, systems=parse_systems(restorers.split(",")), slices=("seen",), limit=limit, jobs=jobs
    )
    seen: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        outcome = run_benchmark(
            config, Path(folder), progress=lambda done, total: seen.append(time.perf_counter())
        )
        ended = time.perf_counter()
    return outcome.num, seen[-1] - seen[0], ended - started


def _table(results: dict[str, Any]) -> str:
    jobs = str(results["jobs"])
    lines = [
        f"{results['num_results']} results; the machine must have nothing else to do. Measuring: from the "
        "start of the first process to the last result; everything: with tables and page.",
        "",
        f"| | 1 process, s | {jobs} processes, s | times faster | at least {GOAL} |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, key in (("measuring", "measuring"), ("everything", "whole")):
        seconds, ratio = results[f"{key}_s"], results[f"{key}_ratio"]
        met = ("yes" if results["met"] else "no") if key == "measuring" else ""
        one, several = (f"{seconds[number]['median']:.1f}" for number in ("1", jobs))
        faster = f"{ratio['value']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]"
        lines.append(f"| {name} | {one} | {several} | {faster} | {met} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
