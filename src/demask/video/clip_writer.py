"""The output put together: the new video from its segments, everything else copied packet by packet.

The label that says faces in a clip are invented, in the way of each container.
MP4: a top-level `uuid` box with the XMP packet; MOV: `moov/udta/XMP_` (XMP specification, part 3, sec. 2.2).
Matroska and WebM know no XMP: the same address stands in a tag, `DIGITAL_SOURCE_TYPE`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demask.errors import OutputError
from demask.photo.provenance import DIGITAL_SOURCE_TYPE, labelled
from demask.video.clip_reader import ClipFacts, opened, require_av
from demask.video.codec_choice import EncoderPlan, muxer_of, set_up
from demask.video.segments import SegmentStore

_NOT_NAMED = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
"""Tags that the muxer writes itself."""
_OPTIONS = {"mp4": {"movflags": "use_metadata_tags"}, "mov": {"movflags": "use_metadata_tags"}}
_NO_TEXT = b"\x00\x00"
_REMADE = ("tmcd",)
"""Data streams that the muxer makes again from tags."""
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
MATROSKA_TAG = "DIGITAL_SOURCE_TYPE"
_MOST_XMP_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamReport:
    """What became of one stream.

    Attributes:
        index: Its number in the input.
        kind: `video`, `audio`, `subtitle`, `data`, `attachment`.
        codec: FFmpeg's name.
        fate: `restored`, `copied`, `remade` (written again by the container) or `lost`.
    """

    index: int
    kind: str
    codec: str
    fate: str

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {"index": self.index, "kind": self.kind, "codec": self.codec, "fate": self.fate}


def assemble(
    facts: ClipFacts,
    plan: EncoderPlan,
    store: SegmentStore,
    target: Path,
    *,
    muxer: str,
    networks: Mapping[str, str] | None,
) -> list[StreamReport]:
    """Write the output.

    Args:
        facts: Of the input.
        plan: How the video was encoded.
        store: Its finished segments.
        target: Where to write; nobody looks at it before it is whole.
        muxer: The container.
        networks: What invented faces in it, for the label; None where nothing did.

    Returns:
        What became of every stream of the input.

    Raises:
        OutputError: The container cannot hold an audio or subtitle stream, or cannot be written.
    """
    av = require_av()
    try:
        with opened(facts.path) as source:
            refused = _refused(source, facts, muxer)
            metadata = dict(source.metadata)
            with av.open(str(target), "w", format=muxer, container_options=_OPTIONS.get(muxer, {})) as output:
                output.metadata.update(_labelled(muxer, _kept(metadata), networks))
                pairs, reports = _streams(source, output, facts, plan, refused)
                chapters = source.chapters()
                if chapters:
                    output.set_chapters(chapters)
                output.start_encoding()
                _mux(output, pairs[facts.stream], store, _others(av, source, pairs, facts), facts)
        if muxer == "mp4" and networks is not None:
            append_xmp(target, packet_from(metadata, networks))
    except OSError as error:
        raise OutputError(
            f"cannot write {target.parent}: {error.strerror}; free some space, or name another place"
        ) from error
    except av.FFmpegError as error:
        raise OutputError(
            f"the container cannot be written ({error.strerror}); name an output that ends in .mkv"
        ) from error
    return reports


def check_streams(facts: ClipFacts, target: Path) -> list[str]:
    """See before any work whether the container holds all streams.

    Returns:
        Sentences about those that will be lost.

    Raises:
        OutputError: Sound or subtitles would be.
    """
    with opened(facts.path) as source:
        lost = _refused(source, facts, muxer_of(target))
        return [f"{_words(source.streams[index])} cannot be kept in {target.suffix}" for index in sorted(lost)]


def all_copied(facts: ClipFacts) -> list[StreamReport]:
    """The report on a clip that is copied as it is."""
    with opened(facts.path) as source:
        return [
            StreamReport(index=stream.index, kind=stream.type, codec=name_of(stream), fate="copied")
            for stream in source.streams
        ]


def name_of(stream: Any) -> str:
    """FFmpeg's name of a stream's codec."""
    context = stream.codec_context
    return str(context.codec.canonical_name if context is not None else getattr(stream, "name", None) or "none")


def label_metadata(muxer: str, metadata: dict[str, str], networks: Mapping[str, str]) -> dict[str, str]:
    """The container's tags with the label, where that is where it goes.

    Args:
        muxer: `mp4`, `mov`, `matroska` or `webm`.
        metadata: The input's tags; an XMP packet among them, by the name `xmp`, is kept with the label in it.
        networks: What the label names: what each network is for, and its name.
    """
    kept = {key: value for key, value in metadata.items() if key != "xmp"}
    if muxer == "mov":
        kept["xmp"] = packet_from(metadata, networks).decode()
    elif muxer != "mp4":
        kept[MATROSKA_TAG] = DIGITAL_SOURCE_TYPE
    return kept


def packet_from(metadata: dict[str, str], networks: Mapping[str, str]) -> bytes:
    """The labelled XMP packet of a clip: the input's own where it has one."""
    xmp = metadata.get("xmp")
    return labelled(xmp.encode() if xmp else None, networks=networks)


def append_xmp(path: Path, packet: bytes) -> None:
    """Add the XMP box to a finished MP4; nothing in it moves."""
    with path.open("ab") as file:
        file.write(struct.pack(">I", 8 + 16 + len(packet)) + b"uuid" + XMP_UUID + packet)


def read_xmp_box(path: Path) -> bytes | None:
    """The XMP packet of an MP4's top-level box; None where there is none."""
    size_of_file = path.stat().st_size
    with path.open("rb") as file:
        place = 0
        while place + 8 <= size_of_file:
            file.seek(place)
            size, kind = struct.unpack(">I4s", file.read(8))
            header = 8
            if size == 1:
                size, header = struct.unpack(">Q", file.read(8))[0], 16
            elif size == 0:
                size = size_of_file - place
            if size < header:
                return None
            if kind == b"uuid" and file.read(16) == XMP_UUID and size <= _MOST_XMP_BYTES:
                return file.read(size - header - 16)
            place += size
    return None


def _labelled(muxer: str, metadata: dict[str, str], networks: Mapping[str, str] | None) -> dict[str, str]:
    return metadata if networks is None else label_metadata(muxer, metadata, networks)


def _refused(source: Any, facts: ClipFacts, muxer: str) -> set[int]:
    """Streams that the container does not take; each is tried alone, in memory."""
    av = require_av()
    refused = set()
    for stream in source.streams:
        if stream.index == facts.stream or _is_remade(stream, source):
            continue
        try:
            trial = av.open(io.BytesIO(), "w", format=muxer)
            _copy_of(stream, trial)
            trial.start_encoding()
        except (av.FFmpegError, ValueError, OSError) as error:
            if stream.type in ("audio", "subtitle"):
                raise OutputError(
                    f"{_words(stream)} cannot be kept in {muxer}; name an output that ends in .mkv, or in the "
                    "input's own suffix"
                ) from error
            refused.add(stream.index)
    return refused


def _streams(
    source: Any, output: Any, facts: ClipFacts, plan: EncoderPlan, refused: set[int]
) -> tuple[dict[int, Any], list[StreamReport]]:
    """Output streams by number of the input's, and what becomes of each."""
    pairs: dict[int, Any] = {}
    reports = []
    for stream in source.streams:
        fate = "copied"
        if stream.index == facts.stream:
            fate = "restored"
            written = output.add_stream(plan.encoder, rate=facts.rate)
            set_up(written.codec_context, plan, facts)
            written.time_base = facts.time_base
            written.metadata.update(_kept(stream.metadata))
            written.disposition = int(stream.disposition)
            if facts.display_matrix is not None:
                written.set_display_matrix(facts.display_matrix)
            pairs[stream.index] = written
        elif _is_remade(stream, source):
            fate = "remade"
        elif stream.index in refused:
            fate = "lost"
        else:
            pairs[stream.index] = _copy_of(stream, output)
        reports.append(StreamReport(index=stream.index, kind=stream.type, codec=name_of(stream), fate=fate))
    return pairs, reports


def _copy_of(stream: Any, output: Any) -> Any:
    if stream.type == "attachment":
        copy = output.add_attachment(
            stream.metadata.get("filename", "file"), stream.mimetype or "", stream.data
        )
    else:
        copy = output.add_stream_from_template(stream, opaque=True)
    copy.metadata.update(_kept(stream.metadata))
    copy.disposition = int(stream.disposition)
    return copy


def _is_remade(stream: Any, source: Any) -> bool:
    """Time codes, and the text track that holds an MP4's chapters."""
    if stream.type != "data":
        return False
    name = name_of(stream)
    return name in _REMADE or "timecode" in stream.metadata or (name == "bin_data" and bool(source.chapters()))


def _words(stream: Any) -> str:
    return f"stream {stream.index} ({stream.type}, {name_of(stream)})"


def _kept(metadata: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in metadata.items() if key not in _NOT_NAMED}


def _others(av: Any, source: Any, pairs: dict[int, Any], facts: ClipFacts) -> Iterator[Any]:
    """The packets of all other streams, in the order of the file, as far as it can be read."""
    wanted = [stream for stream in source.streams if stream.index in pairs and stream.index != facts.stream]
    wanted = [stream for stream in wanted if stream.type != "attachment"]
    if not wanted:
        return
    packets = source.demux(*wanted)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError, OSError):
            return
        if packet.size == 0 or (packet.dts is None and packet.pts is None):
            continue
        if name_of(packet.stream) == "mov_text" and bytes(packet) == _NO_TEXT:
            continue  # The muxer makes the gaps between texts itself.
        packet.stream, time_s = pairs[packet.stream.index], _seconds(packet)
        yield time_s, packet


def _seconds(packet: Any) -> float:
    return float((packet.dts if packet.dts is not None else packet.pts) * packet.time_base)


def _mux(output: Any, video: Any, store: SegmentStore, others: Iterator[Any], facts: ClipFacts) -> None:
    """Weave the packets together by time, so that no stream waits long for another."""
    av = require_av()
    waiting = next(others, None)
    for packet, decode_stamp in store.packets():
        time_s = float(decode_stamp * facts.time_base)
        while waiting is not None and waiting[0] <= time_s:
            output.mux_one(waiting[1])
            waiting = next(others, None)
        written = av.Packet(packet.data)
        written.stream, written.time_base = video, facts.time_base
        written.pts, written.dts = packet.stamp, decode_stamp
        written.duration = packet.duration
        written.is_keyframe = packet.is_key
        output.mux_one(written)
    while waiting is not None:
        output.mux_one(waiting[1])
        waiting = next(others, None)
