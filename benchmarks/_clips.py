"""Clips whose truth is known: a covering moves with a bare face, in a real clip or along a made-up path."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import gaussian_filter1d

from demask.coverings.draw import draw
from demask.coverings.head import Turn
from demask.faces.crop_networks import LandmarkFinder
from demask.faces.finder import Finder
from demask.geometry import Framed, apply, invert, to_frame
from demask.rng import rng_for
from demask.types import AnyArray, Hole, ImageU8, Landmarks

_OUTWARD = (1.25, 1.6)
_NOWHERE = -1000.0
_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176)
_OVAL += (149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrueFrame:
    """A frame with and without its covering.

    Attributes:
        bare: The truth, uint8 RGB [H, W, 3].
        masked: With the covering.
        hole: Where it shows, bool [H, W].
        landmarks: Of the face, float32 [468, 3].
    """

    bare: ImageU8
    masked: ImageU8
    hole: Hole
    landmarks: Landmarks


def frames_of(path: Path, *, start: int = 0, count: int | None = None) -> Iterator[ImageU8]:
    """Frames of a clip as RGB."""
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if count is not None and index >= start + count:
                return
            if index >= start:
                yield frame.to_ndarray(format="rgb24")


def landmarks_along(frames: list[ImageU8]) -> list[Landmarks]:
    """The landmarks of the largest face in each frame, smoothed over five frames."""
    finder, network = Finder.shipped(), LandmarkFinder.shipped()
    points = gaussian_filter1d(np.stack([finder(frame)[0].points for frame in frames]), 1.5, axis=0)
    found = []
    for frame, five in zip(frames, points, strict=True):
        matrix = to_frame(five)
        found.append(apply(invert(matrix), network(Framed.cut(frame, matrix).crop[None])[0]))
    return list(gaussian_filter1d(np.stack(found), 1.5, axis=0).astype(np.float32))


def cover(frames: list[ImageU8], landmarks: list[Landmarks], *, seed: int, kind: str) -> list[TrueFrame]:
    """Draw one covering on the middle frame and carry it to all others by the landmarks' mesh."""
    middle = len(frames) // 2
    drawn = draw(frames[middle], landmarks[middle], rng_for(seed, "clip", kind), kinds=(kind,))
    soft = np.dstack([drawn.masked.astype(np.float32), drawn.alpha * 255])
    # What lies under a soft edge is the frame's own: carry the covering's colour alone.
    alpha = np.maximum(drawn.alpha, 0.05)[..., None]
    below = frames[middle].astype(np.float32)
    colour = np.clip((soft[..., :3] - (1 - alpha) * below) / alpha, 0, 255)
    colour[drawn.alpha < 0.3] = cv2.blur(colour, (9, 9))[drawn.alpha < 0.3]
    covered = []
    for frame, here in zip(frames, landmarks, strict=True):
        across, down = _mesh_map(here, landmarks[middle], frame.shape[:2])
        carried = cv2.remap(np.dstack([colour, drawn.alpha]), across, down, cv2.INTER_LINEAR)
        share = np.where(carried[..., 3:] < 0.05, 0, carried[..., 3:])
        masked = np.rint(share * carried[..., :3] + (1 - share) * frame).clip(0, 255).astype(np.uint8)
        covered.append(TrueFrame(bare=frame, masked=masked, hole=share[..., 0] > 0, landmarks=here))
    return covered


def _mesh_map(here: Landmarks, there: Landmarks, size: tuple[int, int]) -> tuple[AnyArray, AnyArray]:
    """For each pixel, where its part of the face lies in another frame; float32 maps for `cv2.remap`."""
    sources, targets = [here[:, :2]], [there[:, :2]]
    for reach in _OUTWARD:
        for points, corners in ((here, sources), (there, targets)):
            centre = points[:, :2].mean(0)
            corners.append(centre + reach * (points[list(_OVAL), :2] - centre))
    interpolate = LinearNDInterpolator(np.concatenate(sources), np.concatenate(targets), fill_value=_NOWHERE)
    # On every fourth pixel, and linearly between: the triangles are larger.
    ys, xs = np.mgrid[: size[0] + 4 : 4, : size[1] + 4 : 4]
    coarse = interpolate(np.stack([xs, ys], axis=-1)).astype(np.float32)
    grown = np.array([[4, 0, 0], [0, 4, 0]], np.float64)
    found = cv2.warpAffine(coarse, grown, size[::-1], flags=cv2.INTER_LINEAR)
    known = cv2.warpAffine(
        (coarse[..., 0] > _NOWHERE).astype(np.float32), grown, size[::-1], flags=cv2.INTER_LINEAR
    )
    found[known < 1] = _NOWHERE
    return found[..., 0], found[..., 1]


def moved_face(
    photo: ImageU8, landmarks: Landmarks, *, seed: int, count: int, size: tuple[int, int] = (480, 640)
) -> tuple[list[ImageU8], list[Landmarks]]:
    """A still face on a smooth path: turned, shifted, scaled, lit and blurred by motion."""
    rng = rng_for(seed, "path", str(count))
    phase, speed = rng.uniform(0, 2 * np.pi, 8), rng.uniform(0.6, 1.4, 8)
    time = np.arange(count) / 30
    waves = np.sin(2 * np.pi * 0.25 * speed[:, None] * time + phase[:, None])
    height, width = size
    span = np.ptp(landmarks[:, 1])
    frames, places = [], []
    for index in range(count):
        turn = Turn.of(landmarks, yaw_deg=22 * waves[0, index], pitch_deg=7 * waves[1, index])
        turned, points = turn.picture(photo), turn.landmarks(landmarks)
        scale = 0.42 * height / span * (1 + 0.12 * waves[2, index])
        angle = np.deg2rad(7 * waves[3, index])
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = landmarks[:, :2].mean(0)
        goal = np.array([width * (0.5 + 0.10 * waves[4, index]), height * (0.5 + 0.06 * waves[5, index])])
        matrix = np.column_stack([linear, goal - linear @ centre])
        frame = cv2.warpAffine(
            turned, matrix, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT
        )
        light = 1 + 0.12 * waves[6, index] + 0.10 * waves[7, index] * np.linspace(-1, 1, width)[None, :, None]
        frames.append(np.clip(frame * light, 0, 255).astype(np.uint8))
        places.append(apply(matrix, points))
    # The shutter stays open for half a frame's time.
    blurred = [frames[0]]
    for before, now in itertools.pairwise(frames):
        blurred.append(cv2.addWeighted(before, 0.15, now, 0.85, 0))
    return blurred, places


def write_clip(path: Path, frames: list[ImageU8], *, crf: int | None = 18, rate: int = 30) -> Path:
    """Write RGB frames as H.264, 4:2:0, BT.709; CRF None is lossless."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(
            "libx264", rate=rate, options={"crf": str(crf)} if crf is not None else {"qp": "0"}
        )
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = context.color_range = 1
        for pixels in frames:
            shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            output.mux(stream.encode(shown.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)))
        output.mux(stream.encode(None))
    return path
