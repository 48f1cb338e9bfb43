"""`demask benchmark`, without the command line: plan, measure what is missing, write tables and page."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demask.atomic import write_atomic
from demask.csv_text import csv_text
from demask.errors import OutputError, OutputExists, WeightsError
from demask.evaluation.aggregate import GROUPS, HOLE_FACTS, aggregate
from demask.evaluation.answers import Setting
from demask.evaluation.benchmark.benchmark_page import render
from demask.evaluation.benchmark.benchmark_plan import BenchmarkConfig, Job, Plan, make_plan
from demask.evaluation.benchmark.git_guard import refuse_where_git_looks
from demask.evaluation.benchmark.record_store import Store
from demask.evaluation.benchmark.restorer_worker import Opener, Task
from demask.evaluation.benchmark.speed import machine, measure_speed
from demask.evaluation.benchmark.systems import System, open_system
from demask.evaluation.benchmark.worker_pool import Pool
from demask.evaluation.figure_tables import markdown
from demask.evaluation.metrics.comparison import FIGURES
from demask.evaluation.metrics.lpips_metric import lpips_graph

Record = dict[str, Any]
Progress = Callable[[int, int], None]

TABLES = ("results.json", "results.csv", "tables.md")
"""Files that hold no timing: the same results give the same bytes."""
REPORT, SPEED = "report.html", "speed.json"
PICTURES = "pictures"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a benchmark.

    Attributes:
        num: Results in the tables.
        num_taken: How many of them an earlier run had measured.
        failures: Of each system, how many results failed.
        missing: Figures that could not be taken for want of weights.
    """

    num: int
    num_taken: int
    failures: dict[str, int]
    missing: tuple[str, ...]


def run_benchmark(
    config: BenchmarkConfig,
    out: Path,
    *,
    pictures: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
    opener: Opener = open_system,
) -> Outcome:
    """Measure everything that no earlier run into `out` has, then write all files.

    Args:
        config: What to compare.
        out: Folder; made where missing. It keeps every result as it comes, so that the same call after an
            interrupt goes on where that one stopped.
        pictures: Keep restored pictures and show them on the page.
        overwrite: Replace tables and page of an earlier run; its results are kept either way.
        progress: Called with how many results there are and how many there will be.
        opener: Makes restorers; a function that another process can import.

    Raises:
        OutputExists: `out` holds tables and `overwrite` is False.
        OutputError: `out` cannot be written, or git would pick up its pictures.
        UsageError: A restorer cannot be opened.
        DatasetError: The set cannot be used.
    """
    if pictures:
        refuse_where_git_looks(out)
    for name in (*TABLES, REPORT, SPEED):
        if (out / name).exists() and not overwrite:
            raise OutputExists(
                f"{out / name} exists; pass --overwrite to write tables and page anew (what was measured is "
                "kept either way), or name another folder with -o"
            )
    plan = make_plan(config)
    kept = out / PICTURES if pictures else None
    try:
        (kept or out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {kept or out}: {error.strerror}; name another") from error
    store = Store(out)
    try:
        outcome = _measure(plan, store, kept, progress or (lambda done, total: None), opener)
        _write(plan, store, out, kept)
    finally:
        store.close()
    return outcome


def _measure(plan: Plan, store: Store, kept: Path | None, progress: Progress, opener: Opener) -> Outcome:
    config = plan.config
    shown = shown_setting(config)
    tasks = {
        system.name: Task(
            data=config.data,
            source=system.source,
            opener=opener,
            deadline_s=config.deadline_s,
            pictures=kept,
            pictured=shown,
        )
        for system in config.systems
    }

    def needed(job: Job) -> bool:
        record = store.records.get(job.key)
        if record is None:
            return True
        if record["error"] is not None:
            return config.retry_failed
        lacks_picture = kept is not None and job.setting == shown and not (kept / f"{job.key}.webp").exists()
        return lacks_picture

    pending = {system: [job for job in jobs if needed(job)] for system, jobs in plan.jobs.items()}
    num = sum(len(jobs) for jobs in plan.jobs.values())
    left = sum(len(jobs) for jobs in pending.values())
    taken = done = num - left
    progress(done, num)

    def each(system: str, record: Record) -> None:
        nonlocal done
        done += 1
        store.add({"system": system, **record})
        progress(done, num)

    with suppress(
        WeightsError
    ):  # Without its weights LPIPS is left out; with them one process makes its graph.
        lpips_graph("squeeze")
    pool = Pool(tasks, jobs=config.jobs, deadline_s=config.deadline_s)
    pool.check([system for system, jobs in pending.items() if jobs])
    pool.run(pending, each)
    records = [store.records[job.key] for jobs in plan.jobs.values() for job in jobs]
    failures = {
        system: sum(store.records[job.key]["error"] is not None for job in jobs)
        for system, jobs in plan.jobs.items()
    }
    fine = [record for record in records if record["error"] is None]
    missing = tuple(
        figure
        for figure in ("lpips", "identity", "landmarks")
        if fine and all(record["figures"][figure] is None for record in fine)
    )
    return Outcome(num=num, num_taken=taken, failures=failures, missing=missing)


def shown_setting(config: BenchmarkConfig) -> Setting:
    """The setting whose pictures the page shows: what a user gets, where that was measured."""
    return "found" if "found" in config.settings else config.settings[0]


def _write(plan: Plan, store: Store, out: Path, kept: Path | None) -> None:
    report = report_of(plan, store.records)
    speed = measure_speed(plan, store.records)
    page = render(plan, store.records, report, speed, setting=shown_setting(plan.config), pictures=kept)
    files = {
        "results.json": json.dumps(report, indent=1, allow_nan=False) + "\n",
        "results.csv": _results_csv(plan, store.records),
        "tables.md": markdown(report),
        SPEED: json.dumps({"machine": machine(), "systems": speed}, indent=1) + "\n",
        REPORT: page,
    }
    for name, text in files.items():
        write_atomic(out / name, text.encode(), overwrite=True)


def command_of(plan: Plan) -> str:
    """The command that makes the same tables again: what does not change them is left out."""
    config = plan.config
    words = ["demask", "benchmark", _portable(config.data), "--restorers"]
    words.append(",".join(map(_word, config.systems)))
    words += ["--settings", ",".join(config.settings), "--base", config.base_name]
    if config.slices is not None:
        words += ["--slices", ",".join(config.slices)]
    if config.limit is not None:
        words += ["--limit", str(config.limit)]
    if config.subset:
        words += ["--subset", ",".join(f"{name}={count}" for name, count in config.subset.items())]
    return shlex.join([*words, "--seed", str(config.seed)])


def _word(system: System) -> str:
    name, colon, folder = system.source.partition(":")
    if system.source.endswith(".onnx"):
        return f"{system.name}={_portable(Path(system.source))}"
    return name + colon + (_portable(Path(folder)) if folder else "")


def _portable(path: Path) -> str:
    return path.name if path.is_absolute() else path.as_posix()


def report_of(plan: Plan, records: Mapping[str, Record]) -> dict[str, Any]:
    """What `results.json` holds: no timing, so the same results give the same bytes."""
    config = plan.config
    by_system = {system: [records[job.key] for job in jobs] for system, jobs in plan.jobs.items()}
    return {
        "command": command_of(plan),
        "frozen_set": {name: plan.info[name] for name in ("sha256", "slices", "sources", "config")},
        "systems": {
            system.name: {
                "version": system.version,
                "paper": system.paper,
                "pictures": plan.taken(system.name),
                "subset": config.subset.get(system.name),
            }
            for system in config.systems
        },
        "base": config.base_name,
        "settings": list(config.settings),
        "limit": config.limit,
        "seed": config.seed,
        "measured_by": plan.measured_by,
        **aggregate(by_system, base=config.base_name, seed=config.seed),
    }


def _results_csv(plan: Plan, records: Mapping[str, Record]) -> str:
    """One line per result, unrounded; no timing."""
    facts, traits = ("restored", *HOLE_FACTS), list(GROUPS)
    body = []
    for system, jobs in plan.jobs.items():
        for job in jobs:
            record = records[job.key]
            line = [system, job.setting, job.slice, job.face_id, record["error"]]
            if record["error"] is None:
                line += [record["traits"][trait] for trait in traits]
                line += [record[name] for name in facts]
                line += [record["figures"][figure] for figure in FIGURES]
            body.append(line)
    return csv_text(["system", "setting", "slice", "face_id", "error", *traits, *facts, *FIGURES], body)
