"""A batch: photos of a source through an engine into a target, each written down in the manifest."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from secrets import token_hex

from demask.batch.batch_worker import Setup, Task
from demask.batch.manifest_row import SUCCESS, Known, Row
from demask.batch.manifest_store import ManifestIndex, ManifestWriter, manifest_place
from demask.batch.photo_source import PhotoRef, list_photos
from demask.batch.scheduling import Engine, Schedule
from demask.errors import DemaskError, InputError

PHOTOS_PER_TASK = 8
"""Enough that handing them out costs nothing beside the work, few enough that a dead worker loses little."""

log = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True)
class Summary:
    """What a run did.

    Attributes:
        run: Its name in the manifest.
        counts: Photos by status.
        known: Those of them that an earlier run had settled.
        covered: Faces that wore a covering.
        num_bytes: Bytes of the photos.
        work_s: Seconds of all workers together.
        seconds: By the clock.
        interrupted: It was stopped before the source was through.
    """

    run: str
    counts: Counter[str] = field(default_factory=Counter)
    known: int = 0
    covered: int = 0
    num_bytes: int = 0
    work_s: float = 0.0
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def total(self) -> int:
        """All photos."""
        return self.counts.total()

    @property
    def failed(self) -> int:
        """Photos without an output that should have one."""
        return sum(count for status, count in self.counts.items() if status not in SUCCESS)

    def add(self, row: Row) -> None:
        """Count a photo."""
        self.counts[row.status] += 1
        self.known += row.known
        self.covered += row.covered
        self.num_bytes += row.photo_bytes
        self.work_s += row.seconds


def run_batch(
    source: str,
    setup: Setup,
    engine: Callable[[Setup], Engine],
    *,
    manifest: str | None = None,
    photos_per_task: int = PHOTOS_PER_TASK,
    on_row: Callable[[Row, Summary], None] = lambda row, summary: None,
) -> Summary:
    """Do all photos of a source.

    Args:
        source: As `list_photos` takes it.
        setup: Target and settings.
        engine: Starts the workers.
        manifest: Where the manifest is; None = in the target.
        photos_per_task: How many a worker gets at a time.
        on_row: Called with every row as it comes.

    Returns:
        What was done; `interrupted` after a KeyboardInterrupt: what was under way is finished and written down.

    Raises:
        InputError: The source cannot be listed, or the manifest read.
        OutputError: The target or the manifest cannot be written.
        WeightsError: A network is missing on a worker.
    """
    place = manifest or manifest_place(setup.target)
    run = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{token_hex(4)}"
    summary = Summary(run=run)
    start = time.monotonic()
    with ManifestIndex(place) as index:
        writer = ManifestWriter(place, run=run, made=setup.made)
        if not writer.is_conditional:
            log.warning("%s overwrites what is there: do not run two batches into it at once", place)
        settled: deque[Row] = deque()
        tasks = _tasks(source, setup, index, settled, photos_per_task)
        running = engine(replace(setup, runs=index.runs))
        schedule = Schedule(running, tasks)

        def take(rows: Iterator[Row]) -> None:
            for row in rows:
                for one in (*_emptied(settled), row):
                    writer.add(one)
                    summary.add(one)
                    on_row(one, summary)

        try:
            try:
                take(iter(schedule))
            except KeyboardInterrupt:
                summary.interrupted = True
                take(schedule.drain())
            except DemaskError:
                take(schedule.drain())
                raise
            for row in _emptied(settled):
                summary.add(row)
                on_row(row, summary)
        finally:
            try:
                writer.flush()
            finally:
                running.close()
    summary.seconds = time.monotonic() - start
    return summary


def _emptied(rows: deque[Row]) -> Iterator[Row]:
    while rows:
        yield rows.popleft()


def _tasks(
    source: str, setup: Setup, index: ManifestIndex, settled: deque[Row], photos_per_task: int
) -> Iterator[Task]:
    """The source in tasks; what killed workers before is left out and `settled`."""
    photos: list[tuple[PhotoRef, Known | None]] = []
    seen = False
    for ref in list_photos(source, target=setup.target):
        seen = True
        known = index.find(ref.name)
        if (
            known
            and known.status == "poisoned"
            and not setup.retry_failed
            and known.photo_bytes == ref.num_bytes
        ):
            reason = f"{known.reason} (--retry-failed tries again)"
            settled.append(Row(name=ref.name, status="poisoned", reason=reason, known=True))
            continue
        photos.append((ref, known))
        if len(photos) == photos_per_task:
            yield Task(photos=tuple(photos))
            photos = []
    if photos:
        yield Task(photos=tuple(photos))
    if not seen:
        raise InputError(f"there are no photos in {source}; see `demask batch --help` for what can be named")
