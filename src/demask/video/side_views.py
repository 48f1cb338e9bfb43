"""Before and after, to look at: a contact sheet, and a clip of both side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from demask.atomic import replacing, write_atomic
from demask.errors import OutputError
from demask.types import ImageU8
from demask.video.clip_reader import ClipFacts, Damage, TimedFrame, read_facts, read_frames, require_av
from demask.video.codec_choice import muxer_of
from demask.video.planes import rgb_of

_SHEET_FRAMES = 12
_COLUMNS = 6
_TILE_PX = 240
_COMPARE_CRF = "20"
_MOST_WIDTH = 3840


def contact_sheet(before: Path, after: Path, target: Path, *, overwrite: bool) -> None:
    """Write frames spread over the clip, each as it came above as it is now.

    Args:
        before: The input.
        after: The output, of as many frames.
        target: A .png or .jpg.
        overwrite: Replace a file that is there.

    Raises:
        OutputError: It cannot be written.
    """
    facts = read_facts(before)
    total = facts.num_frames or sum(1 for _ in read_frames(facts, Damage()))
    wanted = sorted({round((place + 0.5) * total / _SHEET_FRAMES) for place in range(_SHEET_FRAMES)})
    tiles = []
    for old, new in _pairs(before, after, wanted=frozenset(wanted)):
        tiles.append(np.vstack([_tile(old), _tile(new)]))
    if not tiles:
        raise OutputError(f"{before}: no frame could be shown; get a whole copy")
    blank = np.full_like(tiles[0], 255)
    columns = min(_COLUMNS, len(tiles))
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)  # OpenCV wants BGR.
    done, data = cv2.imencode(target.suffix.lower(), sheet)
    if not done:
        raise OutputError(f"the contact sheet cannot be encoded as {target.suffix}; name a .png")
    write_atomic(target, bytes(data), overwrite=overwrite)


def side_by_side(before: Path, after: Path, target: Path) -> None:
    """Write a clip with input left and output right, without sound, for looking at.

    Raises:
        OutputError: It cannot be written.
    """
    av = require_av()
    facts = read_facts(before)
    muxer = muxer_of(target)
    name = "libvpx-vp9" if muxer == "webm" else "libx264"
    try:
        with replacing(target) as temporary, av.open(str(temporary), "w", format=muxer) as output:
            stream: Any = None
            for old, new, timed in _timed_pairs(before, after):
                both = _even(np.hstack([old, new]))
                if stream is None:
                    options = {"crf": _COMPARE_CRF, **({"b": "0"} if muxer == "webm" else {})}
                    stream = output.add_stream(name, rate=facts.rate, options=options)
                    stream.width, stream.height, stream.pix_fmt = both.shape[1], both.shape[0], "yuv420p"
                    stream.codec_context.time_base = facts.time_base
                    for tag in ("colorspace", "color_primaries", "color_trc", "color_range"):
                        setattr(stream.codec_context, tag, 1)
                shown = av.VideoFrame.from_ndarray(both, format="rgb24")
                shown = shown.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)
                shown.pts, shown.time_base = timed.stamp, facts.time_base
                output.mux(stream.encode(shown))
            if stream is not None:
                output.mux(stream.encode(None))
    except (av.FFmpegError, OSError) as error:
        raise OutputError(f"cannot write {target}: {error.strerror}; name another place") from error


def _pairs(before: Path, after: Path, *, wanted: frozenset[int]) -> Iterator[tuple[ImageU8, ImageU8]]:
    for old, new in _frames_of_both(before, after):
        if old[1].index in wanted:
            yield _upright(*old), _upright(*new)
        if old[1].index >= max(wanted):
            return


def _timed_pairs(before: Path, after: Path) -> Iterator[tuple[ImageU8, ImageU8, TimedFrame]]:
    for old, new in _frames_of_both(before, after):
        yield _upright(*old), _upright(*new), old[1]


def _frames_of_both(
    before: Path, after: Path
) -> Iterator[tuple[tuple[ClipFacts, TimedFrame], tuple[ClipFacts, TimedFrame]]]:
    one, other = read_facts(before), read_facts(after)
    for old, new in zip(read_frames(one, Damage()), read_frames(other, Damage()), strict=False):
        yield (one, old), (other, new)


def _upright(facts: ClipFacts, timed: TimedFrame) -> ImageU8:
    shown: ImageU8 = facts.orientation.upright(rgb_of(timed.frame, facts.colours))
    return shown


def _tile(picture: ImageU8) -> ImageU8:
    scale = _TILE_PX / picture.shape[1]
    size = (_TILE_PX, max(1, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _even(picture: ImageU8) -> ImageU8:
    """Of a size that 4:2:0 and every player can take."""
    shrink = max(1, math.ceil(picture.shape[1] / _MOST_WIDTH))
    if shrink > 1:
        size = (picture.shape[1] // shrink, picture.shape[0] // shrink)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])
