"""Which encoder writes a clip's video, and how good: as the input unless asked otherwise."""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demask.errors import UsageError
from demask.video.clip_reader import ClipFacts, require_av
from demask.video.planes import working_format

MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""What we write, by the output's suffix: containers that carry the label."""

CODECS = ("h264", "hevc", "vp9", "av1", "prores", "mjpeg", "ffv1")
_ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp8": "libvpx",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "prores": "prores_ks",
    "mjpeg": "mjpeg",
    "ffv1": "ffv1",
}
_CRF_RANGE = {
    "libx264": (0, 51),
    "libx265": (0, 51),
    "libvpx": (4, 63),
    "libvpx-vp9": (0, 63),
    "libsvtav1": (1, 63),
}
# Where CRF 23 of x264 ends up on camera clips, in bits per pixel; six steps of CRF double the bits.
_USUAL_BITS = {"h264": 0.10, "hevc": 0.06, "vp8": 0.12, "vp9": 0.06, "av1": 0.05}
_USUAL_CRF = {"libx264": 21.0, "libx265": 22.0, "libvpx": 12.0, "libvpx-vp9": 30.0, "libsvtav1": 30.0}
_FINEST_CRF = {"libx264": 14.0, "libx265": 15.0, "libvpx": 6.0, "libvpx-vp9": 18.0, "libsvtav1": 18.0}
_GLOBAL_HEADER = 1 << 22


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderPlan:
    """How the video is written.

    Attributes:
        encoder: FFmpeg's name.
        pixel_format: What it is given.
        options: Its options.
        tag: Four letters for the container; empty leaves it to the muxer.
        notes: What is not as in the input, for people.
    """

    encoder: str
    pixel_format: str
    options: dict[str, str] = field(default_factory=dict)
    tag: str = ""
    notes: tuple[str, ...] = ()

    def as_words(self) -> str:
        """The encoder and its options, for reports."""
        return " ".join([self.encoder, *(f"{key}={value}" for key, value in self.options.items())])


def plan_encoder(
    facts: ClipFacts,
    target: Path,
    *,
    codec: str | None = None,
    crf: float | None = None,
    lossless: bool = False,
) -> EncoderPlan:
    """Choose the encoder.

    Args:
        facts: Of the input.
        target: Where the output goes; its suffix names the container.
        codec: One of `CODECS`; None follows the input.
        crf: Constant quality in the encoder's own scale; None tells it from the input's bits per pixel.
        lossless: The decoded frames are those that were encoded.

    Raises:
        UsageError: The container or the codec is unknown, they do not go together, or CRF is out of range.
    """
    muxer = muxer_of(target)
    wished = _NAMES.get((codec or "").lower(), (codec or "").lower()) or None
    if wished is not None and wished not in CODECS:
        raise UsageError(f"unknown codec {codec!r}; it is one of {', '.join(CODECS)}")
    notes: list[str] = []
    chosen = wished or _followed(facts, muxer, lossless, notes)
    if lossless and wished in ("prores", "mjpeg"):
        raise UsageError(f"{wished} cannot be lossless; leave --codec out, or take ffv1, h264, hevc or vp9")
    if chosen not in _held_by(muxer):
        raise UsageError(f"{target.suffix} cannot hold {chosen}; name an output that ends in .mkv")
    encoder = _ENCODERS[chosen]
    pixel_format = _pixel_format(encoder, facts, lossless, notes)
    options = _options(facts, encoder, crf, lossless, notes)
    tag = facts.codec_tag if chosen == facts.codec == "hevc" and muxer in ("mp4", "mov") else ""
    return EncoderPlan(encoder=encoder, pixel_format=pixel_format, options=options, tag=tag, notes=tuple(notes))


_NAMES = {"h265": "hevc", "x265": "hevc", "x264": "h264", "avc": "h264"}


def muxer_of(target: Path) -> str:
    """FFmpeg's name of the container that a file name stands for.

    Raises:
        UsageError: We do not write it.
    """
    muxer = MUXERS.get(target.suffix.lower())
    if muxer is None:
        raise UsageError(f"{target}: clips are written as {', '.join(MUXERS)}; name the output so")
    return muxer


def _held_by(muxer: str) -> set[str]:
    av = require_av()
    held = av.open(io.BytesIO(), "w", format=muxer).supported_codecs & set(_ENCODERS)
    return held | {"ffv1"} if muxer == "mov" else set(held)


def _followed(facts: ClipFacts, muxer: str, lossless: bool, notes: list[str]) -> str:
    held = _held_by(muxer)
    if lossless:
        if muxer == "matroska" or facts.pixel_format.startswith("gbr"):
            return "ffv1" if "ffv1" in held else "hevc"
        deep = working_format(facts.pixel_format).endswith(("12le", "14le", "16le"))
        return "vp9" if muxer == "webm" else "hevc" if deep else "h264"
    if facts.codec in _ENCODERS and facts.codec in held:
        return facts.codec
    instead = "vp9" if muxer == "webm" else "h264"
    why = "cannot be in that container" if facts.codec in _ENCODERS else "is not written here"
    notes.append(f"the video becomes {instead}: {facts.codec} {why}")
    return instead


def _pixel_format(encoder: str, facts: ClipFacts, lossless: bool, notes: list[str]) -> str:
    """The working format where the encoder takes it, else the nearest that it takes."""
    av = require_av()
    wanted = working_format(facts.pixel_format)
    known = av.Codec(encoder, "w").video_formats or []
    names = [one.name for one in known]
    if wanted in names:
        return wanted
    plain = wanted.replace("yuvj", "yuv")
    if plain in names:
        return plain
    if wanted == "gbrp" and "bgr0" in names:
        return "bgr0"
    bits = av.VideoFormat(wanted).components[0].bits
    near: str = min(names, key=lambda name: _distance(wanted, bits, name))
    if lossless:
        raise UsageError(
            f"{encoder} cannot hold {wanted} without loss; name an output in .mkv and leave --codec out"
        )
    notes.append(f"the pixels become {near}: {encoder} does not take {wanted}")
    return near


def _distance(wanted: str, bits: int, name: str) -> tuple[int, int, int]:
    av = require_av()
    one, other = av.VideoFormat(wanted, 64, 64), av.VideoFormat(name, 64, 64)
    fewer_bits = max(0, bits - other.components[0].bits)
    fewer_chroma = max(0, one.chroma_width() - other.chroma_width()) + max(
        0, one.chroma_height() - other.chroma_height()
    )
    return (fewer_bits, fewer_chroma + 64 * (other.is_rgb != one.is_rgb), other.bits_per_pixel)


def _options(
    facts: ClipFacts, encoder: str, crf: float | None, lossless: bool, notes: list[str]
) -> dict[str, str]:
    options: dict[str, str] = {}
    if crf is not None:
        if lossless:
            raise UsageError("--lossless and --crf contradict each other; give one of them")
        if encoder not in _CRF_RANGE:
            raise UsageError(f"--crf is for h264, hevc, vp9 and av1, not for {encoder}; leave it out")
        low, high = _CRF_RANGE[encoder]
        if not low <= crf <= high:
            raise UsageError(f"--crf {crf:g} is out of range; {encoder} takes {low} to {high}")
    if lossless:
        options |= {
            "libx264": {"qp": "0"},
            "libx265": {"x265-params": "lossless=1:log-level=none"},
            "libvpx-vp9": {"lossless": "1"},
            "ffv1": {"level": "3", "slicecrc": "1"},
        }[encoder]
    elif encoder in _CRF_RANGE:
        options["crf"] = f"{crf if crf is not None else crf_like(facts, encoder):g}"
    if encoder in ("libvpx", "libvpx-vp9"):
        options |= {
            "b": "20M" if encoder == "libvpx" else "0",
            "row-mt": "1",
            "cpu-used": "4",
            "deadline": "good",
        }
        if encoder == "libvpx":
            options.pop("row-mt")
    if encoder == "libsvtav1":
        options["preset"] = "8"
    if encoder == "mjpeg":
        options |= {"qmin": "2", "qmax": "3"}
    if encoder == "libx265":
        params = [options.get("x265-params", "log-level=none"), *_hdr10(facts, notes)]
        options["x265-params"] = ":".join(params)
    elif facts.light:
        notes.append("the HDR mastering facts of the input are kept only by --codec hevc")
    return options


def crf_like(facts: ClipFacts, encoder: str) -> float:
    """A constant quality that keeps about what the input shows, told from its bits per pixel.

    What was compressed hard needs no more bits than it has; what is fine stays fine. Somewhat finer than a
    first encoding would be, since the second generation adds its own loss.
    """
    if not facts.bit_rate:
        return _USUAL_CRF[encoder]
    bits = facts.bit_rate / (facts.width * facts.height * float(facts.rate))
    steps = -6 * math.log2(max(bits, 1e-4) / _USUAL_BITS.get(facts.codec, 0.2))
    usual = _USUAL_CRF[encoder]
    return round(min(max(usual + steps, _FINEST_CRF[encoder]), usual + 2), 1)


def _hdr10(facts: ClipFacts, notes: list[str]) -> list[str]:
    """x265's words for the mastering display (ST 2086) and the content's light (CTA-861.3)."""
    words = []
    mastering = facts.light.get("MASTERING_DISPLAY_METADATA")
    if mastering is not None and len(mastering) >= 88:
        numbers = struct.unpack("<22i", mastering[:88])
        values = [n / d if d else 0.0 for n, d in zip(numbers[0:20:2], numbers[1:20:2], strict=True)]
        r, g, b, white = (tuple(round(v * 50000) for v in values[i : i + 2]) for i in (0, 2, 4, 6))
        low, high = (round(value * 10000) for value in values[8:10])
        words.append(
            f"master-display=G({g[0]},{g[1]})B({b[0]},{b[1]})R({r[0]},{r[1]})"
            f"WP({white[0]},{white[1]})L({high},{low})"
        )
    content = facts.light.get("CONTENT_LIGHT_LEVEL")
    if content is not None and len(content) >= 8:
        words.append("max-cll={},{}".format(*struct.unpack("<2I", content[:8])))
    if words:
        words += ["hdr10=1", "repeat-headers=1"]
    if "DOVI_RPU_BUFFER" in facts.light or "DYNAMIC_HDR_PLUS" in facts.light:
        notes.append("Dolby Vision and HDR10+ data of each frame describe other pixels and are left out")
    return words


def open_encoder(plan: EncoderPlan, facts: ClipFacts) -> Any:
    """A fresh encoder of the plan."""
    av = require_av()
    context = av.CodecContext.create(plan.encoder, "w")
    set_up(context, plan, facts)
    context.flags |= _GLOBAL_HEADER
    context.open()
    return context


def set_up(context: Any, plan: EncoderPlan, facts: ClipFacts) -> None:
    """Tell an encoder what it will be given; the same for every segment and for the container's header."""
    context.width, context.height, context.pix_fmt = facts.width, facts.height, plan.pixel_format
    context.time_base, context.framerate = facts.time_base, facts.rate
    context.colorspace, context.color_range = facts.matrix, facts.range
    context.color_primaries, context.color_trc = facts.primaries, facts.transfer
    if facts.aspect is not None:
        context.sample_aspect_ratio = facts.aspect
    if plan.tag:
        context.codec_tag = plan.tag
    context.options = dict(plan.options)
