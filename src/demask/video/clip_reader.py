"""A clip opened for reading: what it holds, its frames in order, its other streams packet by packet."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from demask.errors import ClipUnreadable, PhotoTooLarge, UsageError
from demask.extras import install_command
from demask.video.planes import Colours, Orientation, matrix_of_bytes, working_format

_STILL_DEMUXERS = ("image2", "gif", "apng", "webp")
_HEAD_BYTES = 32
_LIGHT = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", "DOVI_RPU_BUFFER", "DYNAMIC_HDR_PLUS")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipFacts:
    """What a clip's video is, as far as writing it again needs to know.

    Attributes:
        path: The file.
        container: FFmpeg's name of the container format.
        stream: Number of the video stream that is worked on.
        codec: FFmpeg's name of its codec, such as `h264`.
        codec_tag: Four letters, such as `hvc1`; empty where there are none.
        pixel_format: Its own, such as `yuv420p10le`.
        width: Of the stored frames, in pixels.
        height: Likewise.
        time_base: Unit of the time stamps, in seconds.
        rate: Mean number of frames a second.
        num_frames: As the container says, or told from its duration; None where it says nothing.
        duration_s: Of the whole clip; None where unknown.
        bit_rate: Of the video stream; None where unknown.
        matrix, transfer, primaries, range: Colour tags as they stand in the file (H.273).
        aspect: Of a pixel; None where square or unknown.
        display_matrix: As stored; None where there is none.
        interlaced: Whether the first frame is.
        light: Static HDR facts of the first frame, raw: by name of the side data.
    """

    path: Path
    container: str
    stream: int
    codec: str
    codec_tag: str
    pixel_format: str
    width: int
    height: int
    time_base: Fraction
    rate: Fraction
    num_frames: int | None
    duration_s: float | None
    bit_rate: int | None
    matrix: int
    transfer: int
    primaries: int
    range: int
    aspect: Fraction | None
    display_matrix: tuple[int, ...] | None
    interlaced: bool
    light: dict[str, bytes] = field(default_factory=dict)

    @property
    def orientation(self) -> Orientation:
        """How frames are turned for showing."""
        return Orientation.of_matrix(self.display_matrix)

    @property
    def colours(self) -> Colours:
        """What the samples mean."""
        return Colours.of(
            matrix=self.matrix,
            range_=self.range,
            transfer=self.transfer,
            height=self.height,
            format=self.pixel_format,
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TimedFrame:
    """One decoded frame.

    Attributes:
        frame: The `av.VideoFrame`, as stored.
        index: Its number, from 0.
        stamp: When it is shown, in units of the clip's time base; strictly rising.
        duration: How long, likewise; 0 where unknown.
        time_s: `stamp` in seconds.
    """

    frame: Any
    index: int
    stamp: int
    duration: int
    time_s: float


@dataclass(slots=True)
class Damage:
    """What could not be decoded.

    Attributes:
        packets: Compressed frames that the decoder refused.
        frames: Frames that it gave with parts made up.
        broken_off: Whether the file ended in the middle.
    """

    packets: int = 0
    frames: int = 0
    broken_off: bool = False

    def notes(self) -> list[str]:
        """Sentences for people; none where all was well."""
        notes = []
        if self.packets or self.frames:
            notes.append(
                f"{self.packets} compressed frames are damaged and left out, {self.frames} are partly made up"
            )
        if self.broken_off:
            notes.append("the file breaks off in the middle; the output ends there")
        return notes


def require_av() -> Any:
    """PyAV, or how to get it.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import av
    except ImportError:
        raise UsageError(f"clips need PyAV, which is not here; run: {install_command('video')}") from None
    av.logging.set_level(None)  # What it has to say about a clip, we say ourselves.
    return av


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """An input container; errors of opening it become ours.

    Raises:
        ClipUnreadable: It is missing, no clip, or a photo.
        UsageError: PyAV is not installed.
    """
    av = require_av()
    try:
        if path.is_dir():
            raise ClipUnreadable(f"{path} is a folder; name a clip")
        container = av.open(str(path), metadata_errors="replace", options={"export_xmp": "1"})
    except FileNotFoundError as error:
        raise ClipUnreadable(f"{path}: there is no such file; name a clip") from error
    except (av.FFmpegError, OSError) as error:
        hint = _photo_hint(path) or f"it is no clip we can read, or cut short before its index ({_said(error)})"
        raise ClipUnreadable(f"{path}: {hint}; get a whole copy, as MP4, MOV, MKV or WebM") from error
    with container:
        yield container


def read_facts(path: Path, *, max_megapixels: float = 100) -> ClipFacts:
    """Look at a clip and decode its first frame.

    Raises:
        ClipUnreadable: It cannot be opened, is a photo, or holds no video that can be decoded.
        PhotoTooLarge: Its frames have more pixels than the limit; nothing was decoded.
        InputError: Its pixels are of a layout that cannot be written back.
    """
    with opened(path) as container:
        if container.format.name.split(",")[0].endswith("_pipe") or container.format.name in _STILL_DEMUXERS:
            hint = _photo_hint(path) or "it is a still picture or an animation of a photo format"
            raise ClipUnreadable(f"{path}: {hint}")
        stream = _main_video(container)
        if stream is None or stream.codec_context is None:
            raise ClipUnreadable(f"{path}: it holds no video; give a clip with pictures")
        context = stream.codec_context
        if context.width * context.height > max_megapixels * 1e6:
            raise PhotoTooLarge(width=context.width, height=context.height, max_megapixels=max_megapixels)
        first = _first_frame(container, stream)
        if first is None:
            hint = _photo_hint(path) or "not one of its frames can be decoded"
            raise ClipUnreadable(f"{path}: {hint}; get a whole copy")
        if _photo_hint(path):  # HEIC and AVIF open like clips.
            raise ClipUnreadable(f"{path}: {_photo_hint(path)}")
        working_format(first.format.name)
        duration_s = container.duration / 1_000_000 if container.duration else None
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        num_frames = stream.frames or (round(duration_s * rate) if duration_s else None)
        aspect = context.sample_aspect_ratio
        side = {data.type.name: bytes(data) for data in first.side_data}
        matrix = side.get("DISPLAYMATRIX")
        return ClipFacts(
            path=path,
            container=container.format.name,
            stream=stream.index,
            codec=context.codec.canonical_name,
            codec_tag=_tag(context.codec_tag),
            pixel_format=first.format.name,
            width=first.width,
            height=first.height,
            time_base=stream.time_base,
            rate=Fraction(rate),
            num_frames=num_frames,
            duration_s=duration_s,
            bit_rate=stream.bit_rate or _bit_rate_of_file(path, duration_s),
            matrix=int(first.colorspace),
            transfer=int(first.color_trc),
            primaries=int(first.color_primaries),
            range=int(first.color_range),
            aspect=aspect if aspect and aspect != 1 else None,
            display_matrix=None if matrix is None else matrix_of_bytes(matrix),
            interlaced=bool(first.interlaced_frame),
            light={name: data for name, data in side.items() if name in _LIGHT},
        )


def read_frames(facts: ClipFacts, damage: Damage, *, skip: int = 0) -> Iterator[TimedFrame]:
    """Decode a clip's frames in the order they are shown.

    Args:
        facts: Of the clip.
        damage: Counts what cannot be decoded.
        skip: This many frames are decoded and not given; so a run that goes on sees the very same ones.

    Raises:
        ClipUnreadable: The frames' size or layout changes on the way.
    """
    av = require_av()
    index, last = 0, None
    usual = max(1, round(1 / (facts.rate * facts.time_base)))
    with opened(facts.path) as container:
        stream = container.streams[facts.stream]
        stream.thread_type = "AUTO"
        for frame in _decoded(av, container, stream, damage):
            if (frame.width, frame.height, frame.format.name) != (
                facts.width,
                facts.height,
                facts.pixel_format,
            ):
                raise ClipUnreadable(
                    f"{facts.path}: its frames are {facts.width}x{facts.height} {facts.pixel_format}, but from "
                    f"frame {index} on {frame.width}x{frame.height} {frame.format.name}; cut it there first"
                )
            damage.frames += bool(frame.is_corrupt)
            stamp = frame.pts if frame.pts is not None else frame.dts
            if stamp is None:
                stamp = 0 if last is None else last + usual
            if last is not None and stamp <= last:  # As damaged clips have it.
                stamp = last + 1
            last = stamp
            if index >= skip:
                yield TimedFrame(
                    frame=frame,
                    index=index,
                    stamp=stamp,
                    duration=int(frame.duration or 0),
                    time_s=float(stamp * facts.time_base),
                )
            index += 1


def _decoded(av: Any, container: Any, stream: Any, damage: Damage) -> Iterator[Any]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.FFmpegError, OSError) as error:
            _log.debug("demuxing ends: %s", error)
            damage.broken_off = True
            yield from _flushed(av, stream)
            return
        try:
            frames = packet.decode()
        except av.EOFError:
            return
        except (av.FFmpegError, ValueError) as error:
            _log.debug("a packet cannot be decoded: %s", error)
            damage.packets += 1
            continue
        yield from frames


def _flushed(av: Any, stream: Any) -> list[Any]:
    try:
        return list(stream.decode(None))
    except av.FFmpegError:
        return []


def _first_frame(container: Any, stream: Any) -> Any:
    av = require_av()
    return next(_decoded(av, container, stream, Damage()), None)


def _main_video(container: Any) -> Any:
    from av.stream import Disposition

    moving = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    return moving[0] if moving else None


def _bit_rate_of_file(path: Path, duration_s: float | None) -> int | None:
    return int(path.stat().st_size * 8 / duration_s) if duration_s else None


def _tag(tag: str) -> str:
    return tag if len(tag) == 4 and tag.isprintable() and tag.isascii() and "\x00" not in tag else ""


def _said(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)


def _photo_hint(path: Path) -> str | None:
    from demask.photo.file_bytes import is_photo

    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None
    return "it is a photo; use `demask remove`" if is_photo(head) else None
