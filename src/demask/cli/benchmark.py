"""`demask benchmark`: every way to fill the hole on one frozen set, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from demask.cli import options as o

if TYPE_CHECKING:
    from demask.evaluation.benchmark.benchmark_plan import BenchmarkConfig
    from demask.evaluation.benchmark.benchmark_run import Outcome


def benchmark(
    data: Annotated[Path, typer.Argument(metavar="SET", help="Folder that `demask dataset freeze` made.")],
    restorers: Annotated[
        str,
        typer.Option(
            "--restorers",
            metavar="NAME,...",
            help="Names of `demask restorers`, .onnx files, or NAME=FILE.onnx.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--output", "--out", "-o", help="Folder for tables and page; keeps what was measured."),
    ],
    settings: Annotated[
        str,
        typer.Option(
            "--settings",
            metavar="raw,pasted,found,whole",
            help="raw: what is drawn in the true hole; pasted: the same pasted as for a user; found: what a "
            "user gets; whole: the whole answer with nothing pasted.",
        ),
    ] = "raw,found",
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="NAME", help="Compare with this one; default: network, else the first."),
    ] = None,
    slices: Annotated[
        str | None, typer.Option("--slices", metavar="NAME,...", help="Only these; default: all.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first so many pictures of each slice.")
    ] = None,
    subset: Annotated[
        str | None,
        typer.Option(
            "--subset",
            metavar="NAME=N,...",
            help="Slow restorers: only N pictures of each slice, drawn by the seed.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", envvar="DEMASK_SEED", help="Of subsets, samples and intervals.")
    ] = 0,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", envvar="DEMASK_JOBS", min=1, help="Processes; default: one per core."),
    ] = None,
    deadline: Annotated[
        float,
        typer.Option(
            "--deadline",
            metavar="SECONDS",
            help="Processor time for one picture, then it failed; by the clock 10 times that.",
        ),
    ] = 300.0,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed in an earlier run.")
    ] = False,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Keep and show no picture: a page that can be passed on.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be measured, and stop.")] = False,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Compare restorers on a frozen test set; writes results.json, results.csv, tables.md and report.html.

    Every result is kept at once: the same command after an interrupt goes on where it stopped. A picture
    on which a restorer fails is counted and listed, and makes the exit code 3.

    Example: demask benchmark runs/frozen --restorers network,telea,nothing --limit 50 -o runs/benchmark
    """
    from demask.cli.streams import meter, say
    from demask.evaluation.benchmark.benchmark_run import run_benchmark

    config = _config(data, restorers, settings, base, slices, limit, subset, seed, jobs, deadline, retry_failed)
    if dry_run:
        from demask.evaluation.benchmark.benchmark_plan import make_plan

        plan = make_plan(config)
        for system in config.systems:
            taken = ", ".join(f"{name} {count}" for name, count in plan.taken(system.name).items())
            typer.echo(
                f"{system.name} (version {system.version}): {taken}; {len(plan.jobs[system.name])} results"
            )
        return
    try:
        with meter("results", shown=not quiet) as show:
            outcome = run_benchmark(config, out, pictures=not no_pictures, overwrite=overwrite, progress=show)
    except KeyboardInterrupt:
        say(f"interrupted; what was measured is kept in {out}, the same command goes on from there")
        raise
    _tell(outcome, out, quiet=quiet)


def _config(
    data: Path,
    restorers: str,
    settings: str,
    base: str | None,
    slices: str | None,
    limit: int | None,
    subset: str | None,
    seed: int,
    jobs: int | None,
    deadline: float,
    retry_failed: bool,
) -> BenchmarkConfig:
    import os

    from demask.evaluation.benchmark.benchmark_plan import BenchmarkConfig, parse_settings
    from demask.evaluation.benchmark.systems import parse_systems

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return BenchmarkConfig(
        data=data,
        systems=parse_systems(restorers.split(",")),
        settings=parse_settings(settings),
        base=base,
        slices=tuple(slices.split(",")) if slices else None,
        limit=limit,
        subset=_subset(subset or ""),
        seed=seed,
        jobs=jobs or cores,
        deadline_s=deadline,
        retry_failed=retry_failed,
    )


def _subset(text: str) -> dict[str, int]:
    """Read `criminisi=100,melding=100`."""
    from demask.errors import UsageError

    counts = {}
    for part in filter(None, text.split(",")):
        name, _, number = part.partition("=")
        if not number.isdecimal() or name in counts:
            raise UsageError(f"--subset is {text!r}; write each restorer once, as in criminisi=100,melding=100")
        counts[name] = int(number)
    return counts


def _tell(outcome: Outcome, out: Path, *, quiet: bool) -> None:
    """Say what came of it; the exit code tells failures."""
    from demask.cli.outcome import FAILED_SOME
    from demask.cli.streams import say

    num_failed = sum(outcome.failures.values())
    if not quiet:
        for figure in outcome.missing:
            say(f"{figure} is left out: its weights are not there; see `demask weights list`")
        for system, count in outcome.failures.items():
            if count:
                say(f"{system}: {count} failed; listed in {out / 'tables.md'}")
        earlier = f", {outcome.num_taken} of them measured before" if outcome.num_taken else ""
        say(f"{out / 'report.html'}: {outcome.num} results{earlier}")
    if num_failed:
        raise typer.Exit(1 if num_failed == outcome.num else FAILED_SOME)
