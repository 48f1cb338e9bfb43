"""A clip from file to file: decoded, restored and encoded side by side, in segments that outlive a kill."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from demask.atomic import replacing
from demask.errors import OutputError, OutputExists, UsageError
from demask.photo.credentials import CLIP_MIME, sign_clip
from demask.results import Result
from demask.types import Hole, ImageU8
from demask.version import __version__
from demask.video.clip_reader import ClipFacts, Damage, TimedFrame, read_facts, read_frames, require_av
from demask.video.clip_writer import StreamReport, all_copied, assemble, check_streams
from demask.video.codec_choice import EncoderPlan, muxer_of, open_encoder, plan_encoder
from demask.video.overlap import Behind, ahead
from demask.video.planes import in_working_format, rgb_of, write_back
from demask.video.segments import Packet, SegmentStore, SegmentWriter
from demask.video.video_remover import VideoRemover

SEGMENT_FRAMES = 120
_AHEAD = 3
_PROBE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipSettings:
    """What was asked for.

    Attributes:
        codec: Another codec than the input's.
        crf: Another quality than the input's.
        lossless: Keep every sample of the frames that are encoded.
        c2pa: Certificate chain and key to sign with.
        max_megapixels: Refuse larger frames.
        overwrite: Replace an output that is there.
    """

    codec: str | None = None
    crf: float | None = None
    lossless: bool = False
    c2pa: tuple[Path, Path] | None = None
    max_megapixels: float = 100
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipReport:
    """What was done.

    Attributes:
        status: `restored`, `no_covering` or `no_face`.
        num_frames: Frames of the output.
        num_restored: Frames in which at least one face was restored.
        resumed_frames: Frames that an earlier run had finished.
        tracks: One entry for each face that was followed, see `VideoRemover.tracks`.
        streams: What became of each stream of the input.
        encoder: What wrote the video, with its options.
        notes: What is not as in the input.
        seconds: That this run took.
    """

    status: str
    num_frames: int
    num_restored: int
    resumed_frames: int
    tracks: list[dict[str, Any]]
    streams: list[StreamReport]
    encoder: str
    notes: list[str]
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Shown:
    """A decoded frame and the upright picture of it."""

    timed: TimedFrame
    rgb: ImageU8


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Done:
    """A frame to encode; `state` stands on the last of a segment."""

    timed: TimedFrame
    rgb: ImageU8
    changed: Hole | None
    ends_segment: bool = False
    state: Any = None


@dataclass(slots=True)
class _Totals:
    frames: int = 0
    restored: int = 0
    damage: Damage = field(default_factory=Damage)

    def as_tree(self) -> dict[str, Any]:
        return {"frames": self.frames, "restored": self.restored}


Progress = Callable[[int, int | None, float], None]
"""Told after each frame: how many are done, how many there are, and the frames of this run by second."""


def remove_from_clip(
    source: Path,
    target: Path,
    remover: VideoRemover,
    settings: ClipSettings | None = None,
    *,
    progress: Progress | None = None,
) -> ClipReport:
    """Remove the face masks of a clip.

    A run that was killed goes on with its finished segments when it is called again with the same words.

    Args:
        source: The clip.
        target: Where the output goes: .mp4, .m4v, .mov, .mkv or .webm.
        remover: What restores; it is reset first.
        settings: What was asked for.
        progress: Told after each frame; what it raises ends the run, which can then be gone on with.

    Raises:
        ClipUnreadable: The clip cannot be read.
        OutputExists: The output is there.
        OutputError: It cannot be written, or its container cannot hold a stream.
        UsageError: Input and output are one file, or what was asked for does not go together.
    """
    settings = settings or ClipSettings()
    started = time.perf_counter()
    muxer = muxer_of(target)
    facts, plan = check_job(source, target, settings)
    notes = [*check_streams(facts, target), *plan.notes, *_own_notes(facts)]
    totals = _Totals()
    remover.reset()
    with SegmentStore(target, _job(facts, plan, remover)) as store:
        first = store.finished()
        if first:
            kept = store.state_after(first - 1)
            remover.set_state(kept["remover"])
            totals.frames, totals.restored = kept["totals"]["frames"], kept["totals"]["restored"]
        resumed = totals.frames
        try:
            _work(facts, plan, store, remover, totals, first, progress)
            if not totals.frames:
                raise OutputError(f"{source}: not one frame could be decoded; get a whole copy")
            with replacing(target) as temporary:
                if totals.restored or not _may_be_copied(facts, target, settings):
                    networks = remover.remover.networks if totals.restored else None
                    streams = assemble(facts, plan, store, temporary, muxer=muxer, networks=networks)
                    if settings.c2pa is not None and networks is not None:
                        _sign(facts, temporary, target, settings.c2pa, networks)
                    encoder = plan.as_words()
                else:  # As a photo without face masks: the very same bytes.
                    shutil.copyfile(source, temporary)
                    streams, encoder, notes = all_copied(facts), "copied", []
                if target.exists() and not settings.overwrite:
                    raise OutputExists(f"{target} exists; name another output or pass --overwrite")
        except OSError as error:
            raise OutputError(
                f"cannot write beside {target}: {error.strerror}; free some space and give the same command "
                "again: finished parts are kept"
            ) from error
        store.discard()
    tracks = remover.tracks()
    return ClipReport(
        status="restored" if totals.restored else "no_covering" if tracks else "no_face",
        num_frames=totals.frames,
        num_restored=totals.restored,
        resumed_frames=resumed,
        tracks=tracks,
        streams=streams,
        encoder=encoder,
        notes=notes + totals.damage.notes(),
        seconds=time.perf_counter() - started,
    )


def _work(
    facts: ClipFacts,
    plan: EncoderPlan,
    store: SegmentStore,
    remover: VideoRemover,
    totals: _Totals,
    first: int,
    progress: Progress | None,
) -> None:
    """Restore all frames that no finished segment holds."""
    began, at_first = time.perf_counter(), totals.frames
    frames = read_frames(facts, totals.damage, skip=totals.frames)
    encoder = _Encoder(facts, plan, store, first)
    try:
        with Behind[_Done](encoder, depth=_AHEAD) as encode:
            for shown, is_last in _with_last(ahead(_shown(facts, frames), depth=_AHEAD)):
                result: Result[ImageU8] = remover.frame(shown.rgb, shown.timed.time_s)
                totals.frames += 1
                totals.restored += result.status == "restored"
                ends = is_last or totals.frames % SEGMENT_FRAMES == 0
                state = {"remover": remover.state(), "totals": totals.as_tree()} if ends else None
                # Where the soft edge of a face left a pixel as it was, its samples stay too.
                changed = None if result.hole is None else (result.photo != shown.rgb).any(axis=2)
                encode(
                    _Done(timed=shown.timed, rgb=result.photo, changed=changed, ends_segment=ends, state=state)
                )
                if progress is not None:
                    spent = max(time.perf_counter() - began, 1e-6)
                    progress(totals.frames, facts.num_frames, (totals.frames - at_first) / spent)
    finally:
        encoder.close()


def _shown(facts: ClipFacts, frames: Iterator[TimedFrame]) -> Iterator[_Shown]:
    orientation, colours = facts.orientation, facts.colours
    for timed in frames:
        yield _Shown(timed=timed, rgb=orientation.upright(rgb_of(timed.frame, colours)))


def _with_last(items: Iterator[_Shown]) -> Iterator[tuple[_Shown, bool]]:
    waiting = next(items, None)
    while waiting is not None:
        following = next(items, None)
        yield waiting, following is None
        waiting = following


class _Encoder:
    """Writes restored pixels into their frames and encodes them, segment by segment."""

    def __init__(self, facts: ClipFacts, plan: EncoderPlan, store: SegmentStore, number: int) -> None:
        self._facts, self._plan, self._store, self._number = facts, plan, store, number
        self._context: Any = None
        self._open: Any = None
        self._segment: SegmentWriter | None = None
        self._durations: dict[int, int] = {}

    def __call__(self, done: _Done) -> None:
        segment = self._begun()
        frame = in_working_format(done.timed.frame)
        if done.changed is not None:
            orientation = self._facts.orientation
            rgb, changed = orientation.stored(done.rgb), orientation.stored(done.changed)
            write_back(frame, rgb, changed, self._facts.colours)
        if frame.format.name != self._plan.pixel_format:
            frame = frame.reformat(format=self._plan.pixel_format)
        frame.pts, frame.time_base = done.timed.stamp, self._facts.time_base
        frame.pict_type = 0  # As the encoder likes it; decoded frames carry their old kind.
        self._durations[done.timed.stamp] = done.timed.duration
        self._take(segment, self._context.encode(frame))
        if done.ends_segment:
            self._take(segment, self._context.encode(None))
            segment.state = done.state
            self._open.__exit__(None, None, None)
            self._context = self._open = self._segment = None
            self._durations.clear()
            self._number += 1

    def close(self) -> None:
        """Give up a segment that is not finished."""
        if self._open is not None:
            opened, self._open = self._open, None
            gone = _GivenUp()
            with contextlib.suppress(_GivenUp):
                opened.__exit__(_GivenUp, gone, None)

    def _begun(self) -> SegmentWriter:
        if self._segment is None:
            self._context = open_encoder(self._plan, self._facts)
            self._open = self._store.writing(self._number)
            self._segment = self._open.__enter__()
            self._segment.begin(self._context.extradata or b"")
        return self._segment

    def _take(self, segment: SegmentWriter, packets: list[Any]) -> None:
        for packet in packets:
            segment.add(
                Packet(
                    stamp=packet.pts,
                    duration=self._durations.pop(packet.pts, 0),
                    is_key=bool(packet.is_keyframe),
                    data=bytes(packet),
                )
            )


class _GivenUp(Exception):
    pass


def check_job(source: Path, target: Path, settings: ClipSettings) -> tuple[ClipFacts, EncoderPlan]:
    """See before any work whether it can be done; errors as of `remove_from_clip`."""
    muxer_of(target)
    if target.exists():
        if source.exists() and source.samefile(target):
            raise UsageError(f"{target} is the input itself; name another output with -o FILE")
        if not settings.overwrite:
            raise OutputExists(f"{target} exists; name another output or pass --overwrite")
    if not target.parent.is_dir():
        raise OutputError(f"there is no folder {target.parent}; make it first, or name another output")
    if settings.c2pa is not None and target.suffix.lower() not in CLIP_MIME:
        raise UsageError(f"{target.suffix} cannot be signed with C2PA; write one of {', '.join(CLIP_MIME)}")
    facts = read_facts(source, max_megapixels=settings.max_megapixels)
    plan = plan_encoder(facts, target, codec=settings.codec, crf=settings.crf, lossless=settings.lossless)
    return facts, plan


def _sign(
    facts: ClipFacts, path: Path, target: Path, pair: tuple[Path, Path], networks: Mapping[str, str]
) -> None:
    """Put the signed clip in the place of the unsigned one."""
    first = next(read_frames(facts, Damage()))
    with replacing(path) as signed:
        sign_clip(
            path,
            signed,
            *pair,
            suffix=target.suffix.lower(),
            original=facts.path,
            shown=facts.orientation.upright(rgb_of(first.frame, facts.colours)),
            networks=networks,
        )


def _may_be_copied(facts: ClipFacts, target: Path, settings: ClipSettings) -> bool:
    """Whether nothing was asked for that a copy of the input would not be."""
    same = facts.path.suffix.lower() == target.suffix.lower()
    return same and settings.codec is None and settings.crf is None and not settings.lossless


def _own_notes(facts: ClipFacts) -> list[str]:
    notes = []
    if facts.interlaced:
        notes.append("the clip is interlaced: its lines are kept, but restored faces are drawn on whole frames")
    return notes


def _job(facts: ClipFacts, plan: EncoderPlan, remover: VideoRemover) -> dict[str, Any]:
    """What makes two runs the same: the input's bytes, as far as one looks, and everything asked for."""
    status = facts.path.stat()
    with facts.path.open("rb") as file:
        digest = hashlib.sha256(file.read(_PROBE_BYTES))
        file.seek(max(0, status.st_size - _PROBE_BYTES))
        digest.update(file.read(_PROBE_BYTES))
    return {
        "input": [status.st_size, status.st_mtime_ns, digest.hexdigest()],
        "encoder": [plan.encoder, plan.pixel_format, sorted(plan.options.items()), SEGMENT_FRAMES],
        "remover": remover.fingerprint(),
        "versions": [__version__, require_av().__version__, np.__version__],
    }
