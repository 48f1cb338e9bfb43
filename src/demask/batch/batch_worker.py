"""A worker of a batch: it holds one remover, reads photos, writes their outputs itself, and answers with rows.

The same wherever it runs; an engine only starts it and hands it tasks.
"""

from __future__ import annotations

import faulthandler
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from demask.batch.manifest_row import SUCCESS, Known, MadeWith, Row, content_key, differences, digest_of
from demask.batch.photo_source import PhotoRef, read_ref
from demask.batch.stores import TargetUnusable, open_store
from demask.errors import DemaskError, InputError, OutputError, OutputExists
from demask.faces.choice import Faces
from demask.photo.formats import format_of, output_format, suffix_of
from demask.photo.handed_in import Output
from demask.results import Result

_AHEAD = 2
"""Photos that are read while another is worked on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What a worker needs to know before its first task; travels to other machines.

    Attributes:
        target: Where outputs go.
        made: Networks and settings, see `content_key`.
        runs: Networks and settings of earlier runs by digest, to say what differs.
        device: As for `Remover`; so are `restorer` and `threads`.
        faces: Whose holes are filled.
        format: Format of all outputs, by Pillow's name; None follows the photo.
        quality: Of lossy formats.
        max_megapixels: Larger photos are refused.
        overwrite: Make and replace what is there.
        retry_failed: Try photos again that an earlier run could not use.
        skip_untouched: Write nothing for a photo with nothing to remove.
        read_limit_s: Longest time to read a photo.
        photo_limit_s: Longest time for the rest; then the worker ends itself, as a hang cannot be stopped.
        opener: Makes what removes; a function that other processes can import.
    """

    target: str
    made: MadeWith
    runs: Any = None
    device: str = "auto"
    restorer: str = "network"
    threads: int | None = 1
    faces: Faces = "all"
    format: str | None = None
    quality: int | None = None
    max_megapixels: float = 100
    overwrite: bool = False
    retry_failed: bool = False
    skip_untouched: bool = False
    read_limit_s: float = 120.0
    photo_limit_s: float = 900.0
    opener: Callable[[Setup], Callable[..., Result[bytes]]] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """Photos that one worker does one after the other, each with what is known of it.

    `again`: another worker died at it, and may have left outputs half written.
    """

    photos: Sequence[tuple[PhotoRef, Known | None]]
    again: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What became of a task; `stop` says why no other needs to be tried."""

    rows: Sequence[Row]
    stop: str | None = None


def open_remover(setup: Setup) -> Callable[..., Result[bytes]]:
    """The remover that a batch uses."""
    import cv2

    from demask.remover import Remover

    cv2.setNumThreads(setup.threads or 1)
    return Remover(device=setup.device, restorer=setup.restorer, threads=setup.threads)


class BatchWorker:
    """See the module.

    Raises:
        WeightsError: A network is missing or damaged.
        DeviceUnavailable: The named device is not there.
        UsageError: The target cannot be opened.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._digest = digest_of(setup.made)
        self._target = open_store(setup.target)
        self._remover = (setup.opener or open_remover)(setup)
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._nowhere = Path(os.devnull).open("w")  # noqa: SIM115  Open as long as the worker lives.
        weakref.finalize(self, self._nowhere.close)

    def __call__(self, task: Task) -> Answer:
        """Do the photos of a task; whatever is wrong with one is its row's reason."""
        rows: list[Row] = []
        readings = [_Reading(ref, self._setup.max_megapixels) for ref, _ in task.photos[:_AHEAD]]
        for index, (ref, known) in enumerate(task.photos):
            if index + _AHEAD < len(task.photos):
                readings.append(_Reading(task.photos[index + _AHEAD][0], self._setup.max_megapixels))
            start = time.perf_counter()
            # A C thread keeps this clock, so it ends even a call that never gives the interpreter back.
            limit = self._setup.read_limit_s + self._setup.photo_limit_s
            faulthandler.dump_traceback_later(limit, exit=True, file=self._nowhere)
            try:
                if task.again:
                    self._target.clear(output_name(ref.name, self._setup.format))
                row = self._do(ref, known, readings[index])
            except TargetUnusable as error:
                return Answer(rows=rows, stop=str(error))
            except InputError as error:
                row = _failed(ref, "failed", error)
            except Exception as error:  # One bad photo must not end a run over millions.
                row = _failed(ref, "error", error)
            finally:
                faulthandler.cancel_dump_traceback_later()
            rows.append(
                replace(
                    row,
                    seconds=time.perf_counter() - start,
                    worker=self._name,
                    made=self._digest,
                    at=time.time(),
                )
            )
        return Answer(rows=rows)

    def _do(self, ref: PhotoRef, known: Known | None, reading: _Reading) -> Row:
        setup = self._setup
        photo = reading.result(setup.read_limit_s)
        key = content_key(photo, setup.made)
        output = output_name(ref.name, setup.format)
        row = Row(name=ref.name, key=key, status="error", photo_bytes=len(photo))
        there = None if setup.overwrite else self._target.size(output)
        if known is not None and not setup.overwrite:
            settled = self._settled(row, known, there)
            if settled is not None:
                return settled
        try:
            result = self._remover(
                photo,
                faces=setup.faces,
                output=Output(
                    format=setup.format, quality=setup.quality, renamed=_suffix(ref.name) != _suffix(output)
                ),
                max_megapixels=setup.max_megapixels,
            )
        except InputError as error:
            return replace(row, status="failed", reason=_one_line(error))
        row = replace(
            row,
            status=result.status,
            faces=len(result.faces),
            covered=sum(face.covered is True for face in result.faces),
        )
        if result.hole is None and setup.skip_untouched:
            return row
        row = replace(row, output=output, output_bytes=len(result.photo))
        try:
            if there is not None:
                raise OutputExists(output)
            self._target.create(output, result.photo, overwrite=setup.overwrite)
        except OutputExists:
            # Another run wrote it, or a worker that was killed thereafter: the same bytes are the same work.
            if self._target.read(output, max_megapixels=setup.max_megapixels) != result.photo:
                raise OutputError(
                    f"{output} exists and is another picture; name another target or pass --overwrite"
                ) from None
        return row

    def _settled(self, row: Row, known: Known, there: int | None) -> Row | None:
        """What is to be said where an earlier run's row says it all; None where there is work to do."""
        same = known.key == row.key
        if known.status not in SUCCESS:
            if same and not self._setup.retry_failed and known.status != "error":
                again = f"{known.reason} (an earlier run said so; --retry-failed tries again)"
                return replace(row, status=known.status, reason=again, known=True)
            return None
        if there is None:
            return replace(row, status="done", known=True) if same and known.output is None else None
        if same and there == known.output_bytes:
            return replace(row, status="done", output=known.output, output_bytes=there, known=True)
        if same:
            why = "was changed since it was made"
        elif known.made != self._digest:
            was = (self._setup.runs or {}).get(known.made, {})
            why = f"was made otherwise: {differences(was, self._setup.made)}"
        else:
            why = "was made from other bytes of the photo"
        raise OutputError(f"{known.output} exists and {why}; name another target or pass --overwrite")


def output_name(name: str, format: str | None) -> str:
    """What the output of a photo is called, as in a folder that `demask remove` writes."""
    path = PurePosixPath(name)
    known = format_of(path)
    wanted = format or (output_format(known) if known else None)
    if wanted is None or wanted == known:
        return name
    return str(path.with_suffix(suffix_of(wanted)))


class _Reading:
    """A photo that is being read. A read that hangs keeps its thread, and nothing else."""

    def __init__(self, ref: PhotoRef, max_megapixels: float) -> None:
        self._ref, self._max_megapixels = ref, max_megapixels
        self._data: bytes | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            self._data = read_ref(self._ref, max_megapixels=self._max_megapixels)
        except BaseException as error:
            self._error = error

    def result(self, limit_s: float) -> bytes:
        self._thread.join(limit_s)
        if self._error is not None:
            raise self._error
        if self._data is None:
            raise InputError(f"{self._ref.name} was not read within {limit_s:g} s; is its disk or store there?")
        return self._data


def _failed(ref: PhotoRef, status: str, error: Exception) -> Row:
    kind = "" if isinstance(error, DemaskError) else f"unexpected {type(error).__name__}: "
    return Row(name=ref.name, status=status, reason=kind + _one_line(error), photo_bytes=ref.num_bytes)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix


_worker: tuple[Setup, BatchWorker] | None = None


def work(setup: Setup, task: Task) -> Answer:
    """Do a task in this process; its worker is made for the first one and kept."""
    global _worker
    if _worker is None or _worker[0] != setup:
        _worker = (setup, BatchWorker(setup))
    return _worker[1](task)
