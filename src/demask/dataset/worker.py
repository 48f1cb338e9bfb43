"""One photograph to one labelled face, by our own networks or teachers; and the processes that do it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from demask.dataset.entry import Entry
from demask.dataset.labels import TeacherPaths, Teachers, prominence
from demask.dataset.record import FaceRecord, encode_record, landmark_gap_px, sharpness_of, valid_region
from demask.dataset.split import perceptual_hash
from demask.errors import DatasetError, InputError
from demask.faces.crop_networks import LandmarkFinder
from demask.faces.finder import Finder
from demask.geometry import apply, compose, crop_to_frame, invert, scale_of, to_frame
from demask.parallel import end_with_parent, interrupts_ignored
from demask.photo.decode import read_photo
from demask.types import Face, ImageU8, Landmarks, Matrix
from demask.weights import registry

_MIN_VALID_FRACTION = 0.2
_MIN_PRESENCE = 0.5
# Below this a crop would be enlarged more than four times: 19 px between the eyes.
_MAX_SCALE = 4.0
_labeller: Labeller | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Label:
    """What a labeller says about a photograph."""

    face: Face
    landmarks: Landmarks  # In pixels of the frame.
    presence: float  # How sure the landmarks are, in [0, 1].


class Labeller(Protocol):
    """What labels photographs: the teachers, or a stand-in of a test."""

    def __call__(self, photo: ImageU8) -> Label | None:
        """Find the main face of a photo and its landmarks; None if there is no face."""
        ...


LabellerFactory = Callable[[], Labeller]


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherLabellers:
    """Makes labellers out of YuNet and FaceMesh; picklable."""

    paths: TeacherPaths

    @classmethod
    def checked(cls, folder: Path | None) -> TeacherLabellers:
        """Find the files now, so that a missing one is reported before any work."""
        return cls(paths=TeacherPaths.find(folder))

    def __call__(self) -> Labeller:
        """Load both networks."""
        teachers = Teachers(self.paths)

        def label(photo: ImageU8) -> Label | None:
            face = teachers.main_face(photo)
            if face is None:
                return None
            landmarks, presence = teachers.landmarks(photo, to_frame(face.points))
            return Label(face=face, landmarks=landmarks, presence=presence)

        return label


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One photograph to label."""

    entry: Entry
    jpeg_quality: int
    photo_px: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The bytes of a face's files, or why there are none."""

    parts: dict[str, bytes] | None = None
    reason: str = ""


def start_worker(labellers: LabellerFactory) -> None:
    """Load the labeller of this process; OpenCV keeps to one thread, as there is one process per core."""
    global _labeller
    cv2.setNumThreads(1)
    _labeller = labellers()


def start_pool_worker(labellers: LabellerFactory) -> None:
    """The same in a process of a pool, which leaves Ctrl-C to its parent and ends when that is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows inherits nothing.
    end_with_parent()
    start_worker(labellers)


def run_job(job: Job) -> Outcome:
    """Label one photograph; a file that cannot be used is an outcome, not an exception."""
    if _labeller is None:
        raise RuntimeError("start_worker must run first")
    try:
        data = job.entry.path.read_bytes()
        photo = read_photo(data).pixels
    except OSError as error:
        return Outcome(reason=f"cannot be read: {error.strerror}")
    except InputError as error:
        return Outcome(reason=str(error))
    try:
        label = _labeller(photo)
        if label is None:
            return Outcome(reason="no face found")
        record = make_record(job.entry, photo, label, photo_px=job.photo_px)
    except InputError as error:
        return Outcome(reason=str(error))
    except cv2.error as error:  # A picture of absurd shape; the next one is no worse for it.
        return Outcome(reason=f"OpenCV refuses it ({error.err})")
    about_source = {
        "file": job.entry.file,
        "source_sha256": sha256(data).hexdigest(),
        "phash": perceptual_hash(record.crop),
        "phash_mirrored": perceptual_hash(record.crop[:, ::-1]),
        "landmark_gap_px": round(landmark_gap_px(record), 2),
        "presence": round(label.presence, 4),
        "valid_fraction": round(float(record.valid.mean()), 4),
    }
    return Outcome(parts=encode_record(record, jpeg_quality=job.jpeg_quality, more=about_source))


def make_record(entry: Entry, photo: ImageU8, label: Label, *, photo_px: int) -> FaceRecord:
    """Align a labelled face and measure it.

    Raises:
        InputError: The face is too small, hardly inside the photo, or its landmarks are not trusted.
    """
    if label.presence < _MIN_PRESENCE:
        raise InputError(f"landmarks not trusted (presence {label.presence:.2f})")
    matrix = to_frame(label.face.points)
    scale = scale_of(matrix)
    if scale > _MAX_SCALE:
        raise InputError(f"face too small: it would be enlarged {scale:.1f} times, at most {_MAX_SCALE:g}")
    hint = entry.labels.get("black_corners")
    crop, valid = valid_region(photo, matrix, hinted=None if hint is None else hint not in ("0", ""))
    valid_fraction = float(valid.mean())
    if valid_fraction < _MIN_VALID_FRACTION:
        raise InputError(f"only {valid_fraction:.0%} of the crop lie inside the photo")
    kept, to_kept = _shrunk(photo, photo_px)
    box = apply(to_kept, np.array(label.face.box, np.float32).reshape(2, 2)).ravel()
    return FaceRecord(
        face_id=entry.face_id,
        source=entry.source,
        identity=entry.identity,
        split="train",  # The real one is known when all faces are.
        licence=entry.licence,
        crop=crop,
        valid=valid,
        landmarks=label.landmarks,
        photo=kept,
        photo_box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
        photo_points=apply(to_kept, label.face.points),
        photo_to_crop=compose(matrix, invert(to_kept)),
        labels=entry.labels,
        sharpness=sharpness_of(crop, valid),
        scale=scale,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnLabellers:
    """Makes labellers out of our own finder and landmark network; picklable."""

    @classmethod
    def checked(cls) -> OwnLabellers:
        """Look for the networks now, so that a missing one is reported before any work.

        Raises:
            WeightsError: One is missing or damaged.
        """
        for name in ("finder", "landmarks"):
            registry.find(name)
        return cls()

    def __call__(self) -> Labeller:
        """Load both networks."""
        finder = Finder.shipped(device="cpu", threads=1)
        landmarks = LandmarkFinder.shipped(device="cpu", threads=1)

        def label(photo: ImageU8) -> Label | None:
            faces = finder(photo)
            if not faces:
                return None
            height, width = photo.shape[:2]
            face = max(faces, key=lambda face: prominence(face, width, height))
            crop, _ = crop_to_frame(photo, to_frame(face.points))
            # FaceMesh tells how sure it is of its points; ours does not, so the finder's word counts.
            return Label(face=face, landmarks=landmarks(crop[None])[0], presence=face.score)

        return label


@contextmanager
def running_workers(
    count: int, labellers: LabellerFactory
) -> Iterator[Callable[[list[Job]], Iterator[Outcome]]]:
    """Give a function that labels photographs and keeps their order.

    Args:
        count: Processes; 1 = this one, 0 = none are needed, since every part is there already.
        labellers: Makes the labeller of each process; picklable if `count` is above 1.

    Raises:
        DatasetError: A process was killed.
    """
    if count <= 1:
        if count:
            start_worker(labellers)
        yield lambda jobs: map(run_job, jobs)
        return
    # Spawned, not forked: onnxruntime's threads do not survive a fork.
    pool = ProcessPoolExecutor(
        count, mp_context=get_context("spawn"), initializer=start_pool_worker, initargs=(labellers,)
    )
    try:
        with interrupts_ignored():
            for _ in range(count):
                pool.submit(os.getpid)  # A process starts when it is first wanted: that is now.
        yield lambda jobs: pool.map(run_job, jobs, chunksize=4)
    except BrokenProcessPool as error:
        raise DatasetError(
            "a worker process ended before its time (killed, or out of memory); "
            "run the same command again to go on, perhaps with fewer workers"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _shrunk(photo: ImageU8, longest_px: int) -> tuple[ImageU8, Matrix]:
    """Scale a large photo down; the map takes its points along (pixel centres at whole numbers)."""
    height, width = photo.shape[:2]
    ratio = min(1.0, longest_px / max(height, width))
    if ratio == 1.0:
        return photo, np.array([[1.0, 0, 0], [0, 1.0, 0]])
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    x, y = size[0] / width, size[1] / height
    kept = cv2.resize(photo, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return kept, np.array([[x, 0, 0.5 * x - 0.5], [0, y, 0.5 * y - 0.5]])
