"""Small clips that the tiny networks understand, with every kind of stream beside the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from demask.types import ImageU8
from tiny_networks import BLUE, make_photo

RATE = 25


@dataclass(frozen=True, kw_only=True)
class Clip:
    """What a drawn clip is like; see `write_clip`."""

    codec: str = "libx264"
    format: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: {"preset": "ultrafast", "crf": "12"})
    size: tuple[int, int] = (216, 288)
    colours: tuple[tuple[int, int, int] | None, ...] = (BLUE,) * 8
    steps: Sequence[int] | None = None
    tags: tuple[int, int, int, int] = (1, 1, 1, 1)
    rotation: int = 0
    sounds: int = 1
    subtitles: bool = False
    chapters: bool = False


PLAIN = Clip()


def write_clip(path: Path, clip: Clip = PLAIN) -> Path:
    """Write a clip of a marked square that moves to the right by a pixel a frame.

    Colours: one for each frame, None for a frame without a face. Steps: time between frames, in 1/600 s. Tags:
    matrix, primaries, transfer and range.
    """
    height, width = clip.size
    with av.open(str(path), "w") as output:
        stream = output.add_stream(clip.codec, rate=RATE, options=dict(clip.options))
        stream.width, stream.height, stream.pix_fmt = width, height, clip.format
        context = stream.codec_context
        context.time_base = Fraction(1, 12_000)
        stream.time_base = Fraction(1, 12_000)
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = clip.tags
        stream.metadata["handler_name"] = "pictures"
        if clip.rotation:
            stream.set_display_rotation(clip.rotation)
        sounds = []
        for number in range(clip.sounds):
            sound = output.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=48_000)
            sound.metadata["language"] = ("eng", "swe")[number]
            sounds.append(sound)
        text = None
        if clip.subtitles:
            name = "mov_text" if path.suffix in (".mp4", ".mov") else "subrip"
            text = output.add_mux_stream(name, time_base=Fraction(1, 1000))
            text.metadata["language"] = "eng"
        if clip.chapters:
            spans = ((0, 100, "one"), (100, 320, "two"))
            output.set_chapters(
                [
                    {
                        "id": number,
                        "start": start,
                        "end": end,
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": name},
                    }
                    for number, (start, end, name) in enumerate(spans)
                ]
            )
        output.metadata["title"] = "A drawn clip"
        output.start_encoding()
        for number, sound in enumerate(sounds):
            _add_sound(output, sound, number, len(clip.colours) / RATE)
        if text is not None:
            packet = av.Packet(b"\x00\x05hello" if path.suffix in (".mp4", ".mov") else b"hello")
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts = packet.dts = 40
            packet.duration = 200
            output.mux(packet)
        stamp = 0
        for index, pixels in enumerate(pictures(clip)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            matrix = {9: 9, 6: 5}.get(clip.tags[0], 1)
            frame = frame.reformat(format=clip.format, dst_colorspace=matrix, dst_color_range=clip.tags[3])
            frame.pts, frame.time_base = stamp, Fraction(1, 12_000)
            output.mux(stream.encode(frame))
            stamp += 20 * (clip.steps[index % len(clip.steps)] if clip.steps else 24)
        output.mux(stream.encode(None))
    return path


def pictures(clip: Clip) -> list[ImageU8]:
    """The frames, uint8 RGB, as they are shown before any rotation."""
    drawn = {}
    found = []
    for index, colour in enumerate(clip.colours):
        if colour not in drawn:
            drawn[colour] = make_photo(colour, size=clip.size, side=72)
        found.append(np.roll(drawn[colour], index, axis=1))
    return found


def _add_sound(output: Any, stream: Any, number: int, seconds: float) -> None:
    layout = stream.codec_context
    total = int(48_000 * seconds)
    wave = 0.1 * np.sin(2 * np.pi * (220 * (number + 1)) * np.arange(total) / 48_000)
    resampler = av.AudioResampler(format=layout.format.name, layout=layout.layout.name, rate=48_000)
    for start in range(0, total, 960):
        block = np.ascontiguousarray(wave[None, start : start + 960].astype(np.float32))
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        for ready in resampler.resample(frame):
            output.mux(stream.encode(ready))
    output.mux(stream.encode(None))


def streams_of(path: Path) -> list[dict[str, Any]]:
    """What a prober says of each stream: kind, codec, times, tags; for all but pictures the packets too."""
    with av.open(str(path)) as container:
        found = []
        for stream in container.streams:
            context = stream.codec_context
            tags = {key: value for key, value in stream.metadata.items() if key not in ("encoder", "DURATION")}
            entry: dict[str, Any] = {
                "kind": stream.type,
                "time_base": stream.time_base,
                "start": None if stream.type == "subtitle" else stream.start_time,
                "metadata": tags,
                "disposition": int(stream.disposition),
                "packets": [],
            }
            if stream.type == "video" and context is not None:
                entry |= {
                    "size": (context.width, context.height),
                    "codec": context.codec.canonical_name,
                    "format": context.pix_fmt,
                    "tags": (
                        context.colorspace,
                        context.color_primaries,
                        context.color_trc,
                        context.color_range,
                    ),
                }
            found.append(entry)
        for packet in container.demux():
            if packet.size:
                entry = found[packet.stream.index]
                data = packet.pts if entry["kind"] == "video" else bytes(packet)
                entry["packets"].append((packet.pts, data))
        for entry in found:
            entry["packets"].sort(key=lambda pair: pair[0])
    return found
