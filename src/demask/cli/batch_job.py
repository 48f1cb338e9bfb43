"""What `demask batch` does: a run, a sample, an estimate, or a summary of earlier runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer

from demask.batch.batch_run import Summary, run_batch
from demask.batch.batch_worker import Setup
from demask.batch.manifest_row import SUCCESS, Row
from demask.batch.manifest_store import ManifestIndex, manifest_place
from demask.batch.scheduling import Engine
from demask.batch.stores import OWN_FOLDER, open_store
from demask.batch.trial import estimate, sheet
from demask.cli.outcome import FAILED_SOME, counted
from demask.cli.streams import meter, print_json, say, say_error
from demask.errors import InputError, UsageError
from demask.parallel import kill_is_ctrl_c, usable_cores

_TOLD_FAILURES = 20
_WORDS = {
    "restored": "restored",
    "no_covering": "nothing to remove",
    "no_face": "no face found",
    "done": "done before",
    "failed": "cannot be used",
    "error": "went wrong",
    "poisoned": "poisoned",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What was asked for; the options of these names."""

    source: str
    setup: Setup
    on: str = "local"
    manifest: str | None = None
    jobs: int | None = None
    gpus: float | None = None
    json: bool = False
    quiet: bool = False

    def engine(self, setup: Setup) -> Engine:
        """Start the workers.

        Raises:
            UsageError: `on` is nothing we know, or cannot be started.
        """
        where, _, address = self.on.partition(":")
        if where == "local" and not address:
            from demask.batch.process_engine import ProcessEngine

            return ProcessEngine(setup, workers=self.workers)
        if where == "ray":
            from demask.batch.ray_engine import RayEngine

            gpus = float(setup.device.startswith("cuda")) if self.gpus is None else self.gpus
            return RayEngine(setup, address=address, workers=self.jobs, gpus=gpus)
        raise UsageError(f"--on is {self.on!r}; it is local, ray, or ray:ADDRESS such as ray:auto")

    @property
    def workers(self) -> int:
        """Processes on this machine."""
        return self.jobs or max(1, usable_cores() // (self.setup.threads or 1))


def carry_out(order: Order, *, sample: int | None, dry_run: bool) -> int:
    """Do what was asked for; return the exit code."""
    if dry_run:
        return _estimate(order)
    if sample is not None:
        return _sample(order, sample)
    with kill_is_ctrl_c(), meter("photos", shown=not order.quiet) as show:
        told = 0

        def tell(row: Row, summary: Summary) -> None:
            nonlocal told
            if summary.total % 16 == 0:
                show(summary.total, None)
            if row.status not in SUCCESS:
                told += 1
                if told <= _TOLD_FAILURES:
                    reason = row.reason or row.status
                    say_error(reason if row.name in reason else f"{row.name}: {reason}")
                elif told == _TOLD_FAILURES + 1:
                    say_error("more failed; `demask batch status` lists them")

        summary = run_batch(order.source, order.setup, order.engine, manifest=order.manifest, on_row=tell)
    if order.json:
        print_json(_as_json(summary))
    if not order.quiet:
        say(_as_text(summary))
    if summary.interrupted:
        say_error("interrupted; the same command goes on")
        raise KeyboardInterrupt
    if summary.failed:
        return 1 if summary.failed == summary.total else FAILED_SOME
    return 0


def tell_status(target: str, manifest: str | None, *, failures: int, json: bool) -> None:
    """Print what all runs into a target did.

    Raises:
        InputError: There is no manifest, or it is of another version.
    """
    place = manifest or manifest_place(target)
    with ManifestIndex(place) as index:
        if not index.runs:
            raise InputError(f"there is no manifest in {place}; name the target of a batch, or --manifest")
        counts, sums = index.counts(), index.sums()
        listed = [{"name": n, "status": s, "reason": r} for n, s, r in index.failures(failures)]
        runs = len(index.runs)
    if json:
        print_json(
            {"photos": sum(counts.values()), "counts": counts, **sums, "settings": runs, "failures": listed}
        )
        return
    typer.echo(f"{counted(sum(counts.values()), 'photo')} in {target}")
    for status, count in counts.items():
        typer.echo(f"  {count:>9,} {_WORDS.get(status, status)}")
    typer.echo(
        f"{sums['faces']:,.0f} faces, {sums['covered']:,.0f} of them covered; {sums['seconds']:,.0f} s of work"
    )
    for failure in listed:
        typer.echo(f"  {failure['name']}: {failure['status']}: {failure['reason']}")


def _sample(order: Order, count: int) -> int:
    picture, trials = sheet(order.source, order.setup, count)
    if not trials:
        raise InputError(f"there are no photos in {order.source}")
    name = f"{OWN_FOLDER}/sample.jpg"
    open_store(order.setup.target).create(name, picture, overwrite=True)
    statuses = [trial.status for trial in trials]
    words = ", ".join(f"{statuses.count(status)} {_WORDS[status]}" for status in _WORDS if status in statuses)
    seconds = sum(trial.seconds for trial in trials) / len(trials)
    say(f"{counted(len(trials), 'photo')}: {words}; {seconds:.3f} s each -> {order.setup.target}/{name}")
    return 0


def _estimate(order: Order) -> int:
    known = estimate(order.source, order.setup)
    if not known.photos:
        raise InputError(f"there are no photos in {order.source}")
    workers = order.workers
    if order.json:
        print_json(
            {
                "photos": known.photos,
                "bytes": known.num_bytes,
                "tried": known.tried,
                "failed": known.failed,
                "restored": known.restored,
                "seconds_each": round(known.seconds_each, 4),
                "hours": round(known.hours(workers), 4),
                "workers": workers,
                "listing_s": round(known.listing_s, 2),
            }
        )
        return 0
    say(
        f"{counted(known.photos, 'photo')}, {known.num_bytes / 1e9:.2f} GB, listed in {known.listing_s:.1f} s; "
        f"of {known.tried} tried {known.restored} restored, {known.failed} not usable, "
        f"{known.seconds_each:.3f} s each; "
        f"about {known.hours(workers):.2f} hours with {counted(workers, 'worker')} like this machine's"
    )
    return 0


def _as_json(summary: Summary) -> dict[str, Any]:
    return {
        "run": summary.run,
        "photos": summary.total,
        "counts": dict(summary.counts),
        "known": summary.known,
        "covered": summary.covered,
        "bytes": summary.num_bytes,
        "work_s": round(summary.work_s, 3),
        "seconds": round(summary.seconds, 3),
        "interrupted": summary.interrupted,
    }


def _as_text(summary: Summary) -> str:
    parts = [f"{summary.counts[status]:,} {word}" for status, word in _WORDS.items() if summary.counts[status]]
    before = f", {summary.known:,} of them settled before" if summary.known else ""
    speed = summary.total / max(summary.seconds, 1e-9)
    return (
        f"{counted(summary.total, 'photo')}: {', '.join(parts)}{before}; {summary.seconds:.0f} s, {speed:.1f}/s"
    )
