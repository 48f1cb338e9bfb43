"""A process of a benchmark: it holds one restorer and measures the pictures that it is sent."""

from __future__ import annotations

import faulthandler
import io
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from demask.atomic import write_atomic
from demask.dataset.frozen_set import read_manifest, read_picture
from demask.errors import DemaskError
from demask.evaluation.answers import Answering, Measuring
from demask.evaluation.benchmark import memory
from demask.evaluation.benchmark.benchmark_plan import Job
from demask.geometry import FRAME_PX
from demask.types import Hole, ImageU8, Restorer

Opener = Callable[[str], Restorer]
"""Makes a restorer from `System.source`; a function that another process can import."""

READY, REFUSED, RESTORING, RESTORED, DONE = "ready", "refused", "restoring", "restored", "done"

WEBP_QUALITY = 90
_ORPHAN_GRACE_S = 30.0

PATIENCE = 10
"""By the clock a limit may take so many times as long as in processor time: for one that sleeps."""


class WrongAnswer(DemaskError):
    """A restorer gave something else than a crop."""

    code = "wrong_answer"


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a worker needs to know before the first picture.

    Attributes:
        data: The frozen set.
        source: The restorer, as `opener` takes it.
        opener: Makes the restorer.
        deadline_s: Processor seconds for one picture; the parent watches them.
        pictures: Folder to keep answers in, as `<key>.webp`; None keeps none.
        pictured: The setting whose answers are kept.
    """

    data: Path
    source: str
    opener: Opener
    deadline_s: float
    pictures: Path | None
    pictured: str


class Watched:
    """A restorer with a clock, a memory gauge and a check of what it gives.

    Args:
        restorer: Fills holes.
        tell: Called with `RESTORING` and `RESTORED`, so that the parent can watch the deadline.
        deadline_s: If the parent is gone, a call that hangs ends the process some time after this.
    """

    def __init__(self, restorer: Restorer, tell: Callable[[str], None], *, deadline_s: float) -> None:
        self._restorer, self._tell, self._deadline_s = restorer, tell, deadline_s
        self._devnull = Path(os.devnull).open("w")  # noqa: SIM115  Open as long as the process lives.
        self.forget()

    def forget(self) -> None:
        """Begin a picture."""
        self.wall_s: float | None = None
        self.cpu_s: float | None = None
        self.added_mb: float | None = None

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill one crop; an answer that is no crop raises `WrongAnswer`."""
        self._tell(RESTORING)
        # A C thread keeps this clock, so it ends even a call that never gives the interpreter back.
        faulthandler.dump_traceback_later(
            PATIENCE * self._deadline_s + _ORPHAN_GRACE_S, exit=True, file=self._devnull
        )
        before = memory.held_mb() if memory.forget_peak() else None
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            answer = self._restorer(masked.copy(), hole.copy())
        finally:
            self.wall_s, self.cpu_s = time.perf_counter() - wall, time.process_time() - cpu
            faulthandler.cancel_dump_traceback_later()
            self._tell(RESTORED)
        peak = memory.peak_mb()
        self.added_mb = None if before is None or peak is None else max(0.0, peak - before)
        got = (
            f"{answer.dtype} {list(answer.shape)}" if isinstance(answer, np.ndarray) else type(answer).__name__
        )
        if got != f"uint8 {list(masked.shape)}":
            raise WrongAnswer(f"the restorer gave {got}; a crop is uint8 {list(masked.shape)}")
        return answer


class Worker:
    """Measure pictures with one restorer.

    Args:
        task: What to do.
        tell: Sends a message to the parent.
    """

    def __init__(self, task: Task, tell: Callable[[str], None]) -> None:
        self._task = task
        self._rows = read_manifest(task.data)
        self._before_mb = memory.held_mb()
        self._held_mb: float | None = None
        self._restorer = task.opener(task.source)
        self._watched = Watched(self._restorer, tell, deadline_s=task.deadline_s)
        self._answering = Answering()
        self._measuring: Measuring | None = None

    def warm_up(self) -> None:
        """Let compilers and allocators do their first-time work; what is held then is the restorer's."""
        _warm_up(self._restorer)
        after = memory.held_mb()
        if self._before_mb is not None and after is not None:
            self._held_mb = max(0.0, after - self._before_mb)

    def __call__(self, job: Job) -> dict[str, Any]:
        """Measure one picture; whatever goes wrong becomes the record's error."""
        record: dict[str, Any] = {
            "key": job.key,
            "slice": job.slice,
            "face_id": job.face_id,
            "setting": job.setting,
            "error": None,
        }
        self._watched.forget()
        try:
            record |= self._measured(job)
        except DemaskError as error:
            record["error"] = " ".join(str(error).split())
        except Exception as error:  # A restorer that breaks costs its own picture, not the run.
            record["error"] = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return record

    def _measured(self, job: Job) -> dict[str, Any]:
        picture = read_picture(self._task.data, self._rows[job.index])
        answer = self._answering(picture, job.setting, self._watched)
        # Opened after the first picture was restored, so that a gauge of memory sees the restorer alone.
        self._measuring = self._measuring or Measuring()
        record = self._measuring(answer, picture, job.setting)
        if self._task.pictures is not None and job.setting == self._task.pictured:
            buffer = io.BytesIO()
            Image.fromarray(answer.picture).save(buffer, format="WEBP", quality=WEBP_QUALITY)
            write_atomic(self._task.pictures / f"{job.key}.webp", buffer.getvalue(), overwrite=True)
        watched = self._watched
        speed = {
            "wall_s": watched.wall_s,
            "cpu_s": watched.cpu_s,
            "held_mb": self._held_mb,
            "added_mb": watched.added_mb,
        }
        return record | {"speed": speed}


def serve(parent: Connection, task: Task) -> None:
    """Life of a worker process: open, then answer every `Job` until the parent says None or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair.
    cv2.setNumThreads(1)
    try:
        try:
            worker = Worker(task, lambda what: parent.send((what, None)))
        except Exception as error:
            name = "" if isinstance(error, DemaskError) else f"{type(error).__name__}: "
            parent.send((REFUSED, name + " ".join(str(error).split())))
            return
        parent.send((READY, None))
        worker.warm_up()
        while (job := parent.recv()) is not None:
            parent.send((DONE, worker(job)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _warm_up(restorer: Restorer) -> None:
    """Let compilers and allocators do their first-time work on a crop of noise with a small hole."""
    masked = np.random.default_rng(0).integers(0, 256, (FRAME_PX, FRAME_PX, 3), dtype=np.uint8)
    hole = np.zeros((FRAME_PX, FRAME_PX), bool)
    hole[150:174, 116:140] = True
    try:
        restorer(masked, hole)
    except Exception:  # What it cannot do will show on a picture, with the picture's name.
        return
