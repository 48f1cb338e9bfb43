"""One face of the set: the four files it becomes inside a shard, and which of its pixels are a photograph."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from demask.dataset.manifest import labels_in, number_in, text_in
from demask.dataset.split import SPLITS, Split
from demask.errors import DatasetError
from demask.geometry import FRAME_PX, Window, apply, crop_to_frame
from demask.types import AnyArray, Floats64, Hole, ImageU8, Landmarks, Matrix, Points

PARTS = ("crop.jpg", "photo.jpg", "valid.png", "json")
"""What every face must have in its shard, each as `<face_id>.<part>`."""
# A rotated chip's corners are black up to JPEG noise; dark hair and studio backdrops are lighter.
_BLACK_LEVEL = 14
_SURE_BLACK_LEVEL = 4
_MIN_CORNER_FRACTION = 0.002
_ERODE_PX = 3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FaceRecord:
    """A bare face, aligned and labelled.

    Attributes:
        face_id: Unique name.
        source: Collection it comes from.
        identity: Whose face.
        split: train, val or test; the stored test split is never trained on.
        licence: Rights, as the publisher states them.
        crop: Aligned crop, uint8 RGB [256, 256, 3].
        valid: Pixels of the crop that are a photograph, bool [256, 256].
        landmarks: FaceMesh points in crop pixels, float32 [468, 3].
        photo: The photograph, scaled down if it was large, uint8 RGB [H, W, 3].
        photo_box: (x0, y0, x1, y1) of the face in pixels of `photo`.
        photo_points: Five points in pixels of `photo`, float32 [5, 2].
        photo_to_crop: Maps pixels of `photo` to pixels of `crop`.
        labels: What the source said about the face.
        sharpness: Variance of the Laplacian over the valid middle of the grey crop.
        scale: Crop pixels per pixel of the original photograph; above 1 the crop is enlarged.
    """

    face_id: str
    source: str
    identity: str
    split: Split
    licence: str
    crop: ImageU8
    valid: Hole
    landmarks: Landmarks
    photo: ImageU8
    photo_box: tuple[float, float, float, float]
    photo_points: Points
    photo_to_crop: Matrix
    labels: dict[str, str]
    sharpness: float
    scale: float


def sharpness_of(crop: ImageU8, valid: Hole) -> float:
    """Variance of the Laplacian over the valid pixels of the crop's middle (eyes to chin); 0 if none."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    middle = np.zeros((FRAME_PX, FRAME_PX), bool)
    middle[64:216, 64:192] = True
    middle &= valid
    return float(edges[middle].var()) if middle.any() else 0.0


def landmark_gap_px(record: FaceRecord) -> float:
    """Largest distance between YuNet's five points and FaceMesh's like ones, in crop pixels.

    Small on most faces (9 px); above 28 px it is a profile whose far points hang in the air.
    """
    seen = apply(record.photo_to_crop, record.photo_points)
    mesh = record.landmarks[:, :2]
    like = np.stack([(mesh[33] + mesh[133]) / 2, (mesh[263] + mesh[362]) / 2, mesh[4], mesh[61], mesh[291]])
    return float(np.linalg.norm(like - seen, axis=1).max())


def filled(record: FaceRecord, window: Window) -> float:
    """How much of a window a face's photograph fills, 0 to 1; turned photographs are taken for upright ones."""
    height, width = record.photo.shape[:2]
    ends = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    (x0, y0), (x1, y1) = (f(apply(window.of(record.photo_to_crop), ends), axis=0) for f in (np.min, np.max))
    side = window.side_px
    across, down = min(x1, side) - max(x0, 0.0), min(y1, side) - max(y0, 0.0)
    return float(max(across, 0.0) * max(down, 0.0)) / side**2


def encode_record(
    record: FaceRecord, *, jpeg_quality: int = 95, more: Mapping[str, Any] | None = None
) -> dict[str, bytes]:
    """Turn a face into the bytes of its four files, keyed by `PARTS`; `more` facts go to the json."""
    facts: dict[str, Any] = {
        "face_id": record.face_id,
        "source": record.source,
        "identity": record.identity,
        "split": record.split,
        "licence": record.licence,
        "labels": record.labels,
        "sharpness": round(record.sharpness, 2),
        "scale": round(record.scale, 4),
        "photo_box": [round(float(value), 2) for value in record.photo_box],
        "photo_points": np.round(record.photo_points.astype(np.float64), 2).tolist(),
        "photo_to_crop": np.round(record.photo_to_crop, 7).tolist(),
        "landmarks_float16_base64": base64.b64encode(record.landmarks.astype("<f2").tobytes()).decode(),
        **(more or {}),
    }
    return {
        "crop.jpg": _jpeg(record.crop, jpeg_quality),
        "photo.jpg": _jpeg(record.photo, jpeg_quality),
        "valid.png": _bilevel_png(record.valid),
        "json": dump_facts(facts),
    }


def dump_facts(facts: Mapping[str, Any]) -> bytes:
    """Facts to the bytes of a `.json` member; equal facts give equal bytes."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decode_record(parts: Mapping[str, bytes], *, name: str) -> FaceRecord:
    """Read a face back from the bytes of its four files.

    Args:
        parts: Bytes keyed by `PARTS`.
        name: What to call the face in an error, such as "train-00000.tar: face_id".

    Raises:
        DatasetError: A part is damaged.
    """
    try:
        facts = json.loads(parts["json"])
        landmarks = _landmarks(facts, name)
        crop = _decode(parts["crop.jpg"], cv2.IMREAD_COLOR_RGB, f"{name}: crop.jpg")
        valid = _decode(parts["valid.png"], cv2.IMREAD_GRAYSCALE, f"{name}: valid.png") > 127
        if crop.shape != (FRAME_PX, FRAME_PX, 3) or valid.shape != (FRAME_PX, FRAME_PX):
            raise DatasetError(
                f"{name}: crop is {crop.shape} and valid {valid.shape}; need {FRAME_PX} px squares; "
                "build the set again"
            )
        if facts["split"] not in SPLITS:
            raise ValueError(f"split is {facts['split']!r}")
        x0, y0, x1, y1 = _numbers(facts, "photo_box", (4,)).tolist()
        return FaceRecord(
            face_id=text_in(facts, "face_id"),
            source=text_in(facts, "source"),
            identity=text_in(facts, "identity"),
            split=facts["split"],
            licence=text_in(facts, "licence"),
            crop=crop,
            valid=valid,
            landmarks=landmarks,
            photo=_decode(parts["photo.jpg"], cv2.IMREAD_COLOR_RGB, f"{name}: photo.jpg"),
            photo_box=(x0, y0, x1, y1),
            photo_points=_numbers(facts, "photo_points", (5, 2)).astype(np.float32),
            photo_to_crop=_numbers(facts, "photo_to_crop", (2, 3)),
            labels=labels_in(facts),
            sharpness=number_in(facts, "sharpness"),
            scale=number_in(facts, "scale"),
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DatasetError(
            f"{name}: damaged ({type(error).__name__}: {error}); delete the shard and build again"
        ) from error


def black_corners(photo: ImageU8, *, hinted: bool | None = None) -> Hole:
    """Find near-black regions that reach into the picture from one of its four corners.

    Args:
        photo: uint8 RGB [H, W, 3].
        hinted: True = the source says that there are some, False = that there are none, None = unknown;
            then only regions that are black nearly everywhere count.

    Returns:
        bool [H, W], True = black corner.
    """
    height, width = photo.shape[:2]
    found = np.zeros((height, width), bool)
    if hinted is False:
        return found
    brightest = photo.max(axis=2)
    dark = (brightest <= _BLACK_LEVEL).astype(np.uint8)
    num_regions, regions = cv2.connectedComponents(dark, connectivity=4)
    if num_regions < 2:
        return found
    for y, x in ((0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1)):
        label = regions[y, x]
        if label == 0 or found[y, x]:
            continue
        region = regions == label
        if region.mean() < _MIN_CORNER_FRACTION:
            continue
        if hinted is None and np.mean(brightest[region] <= _SURE_BLACK_LEVEL) < 0.9:
            continue
        found |= region
    return found


def valid_region(photo: ImageU8, matrix: Matrix, *, hinted: bool | None = None) -> tuple[ImageU8, Hole]:
    """Cut the aligned crop and tell which of its pixels may be learnt from.

    Args:
        photo: uint8 RGB [H, W, 3].
        matrix: Photo to frame.
        hinted: As for `black_corners`.

    Returns:
        The crop, uint8 [256, 256, 3], and its valid region, bool [256, 256], eroded by 3 px where it
        meets an edge inside the frame, so that no half-black pixel of a slanted edge counts.
    """
    crop, valid = crop_to_frame(photo, matrix)
    corners = black_corners(photo, hinted=hinted)
    if corners.any():
        as_picture = np.repeat(np.where(corners, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
        valid &= crop_to_frame(as_picture, matrix)[0][:, :, 0] >= 250
    side = 2 * _ERODE_PX + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    # The frame's own edge is no edge of the photo: a border of "valid" keeps it from being eroded.
    eroded = cv2.erode(valid.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return crop, eroded.astype(bool)


def _numbers(facts: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Floats64:
    numbers = np.array(facts[name], np.float64)
    if numbers.shape != shape or not np.isfinite(numbers).all():
        raise ValueError(f"{name} is not {' x '.join(map(str, shape))} finite numbers")
    return numbers


def _landmarks(facts: Mapping[str, Any], name: str) -> Landmarks:
    text = facts.get("landmarks_float16_base64")
    points = np.frombuffer(base64.b64decode(text or "", validate=True), "<f2").astype(np.float32)
    if points.size == 0:
        raise DatasetError(f"{name}: has no landmarks; build the set again with `demask dataset build`")
    if points.size != 468 * 3 or not np.isfinite(points).all():
        raise DatasetError(
            f"{name}: {points.size} landmark values, {np.count_nonzero(~np.isfinite(points))} not finite; "
            "need 468 x 3 finite ones; build the set again"
        )
    return points.reshape(468, 3)


def _decode(data: bytes, flags: int, name: str) -> npt.NDArray[np.uint8]:
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise DatasetError(f"{name} is not a picture ({error.err}); build the set again") from error
    if picture is None:
        raise DatasetError(f"{name} is not a picture ({len(data)} bytes); build the set again")
    return cast(npt.NDArray[np.uint8], picture)


def _jpeg(picture: ImageU8, quality: int) -> bytes:
    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return _encode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)


def _bilevel_png(region: Hole) -> bytes:
    return _encode(".png", region.astype(np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])


def _encode(suffix: str, picture: AnyArray, settings: list[int]) -> bytes:
    done, data = cv2.imencode(suffix, picture, settings)
    if not done:
        raise DatasetError(f"OpenCV could not write a {picture.shape} picture as {suffix}")
    return data.tobytes()
