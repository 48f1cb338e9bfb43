"""Things before a bare face that are no covering: the segmenter must learn to leave them alone."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from demask.types import ImageU8, Landmarks

_MOUTH, _CHIN, _NOSE = (13, 14), 152, 1
_LEFT, _RIGHT = 234, 454  # The jaw beside the ears.

Layer = tuple[ImageU8, "cv2.typing.MatLike"]


def add_distractor(face: ImageU8, landmarks: Landmarks, rng: np.random.Generator) -> ImageU8:
    """Draw a hand, a microphone, a cup, a stubbly beard or a scarf on a bare face.

    Args:
        face: uint8 RGB [H, W, 3].
        landmarks: FaceMesh points in its pixels, [468, 3].
        rng: Decides what and how.

    Returns:
        A new picture, uint8 RGB [H, W, 3]. None of it counts as covering.
    """
    kinds: tuple[Callable[[ImageU8, Landmarks, np.random.Generator], ImageU8], ...] = (
        _hand, _microphone, _cup, _beard, _scarf,
    )  # fmt: skip
    return kinds[int(rng.integers(len(kinds)))](face, landmarks, rng)


def _blend(face: ImageU8, paint: ImageU8, coverage: ImageU8, rng: np.random.Generator) -> ImageU8:
    """Lay `paint` over the face where `coverage` (0..255) says, with soft edges and grain."""
    soft = cv2.GaussianBlur(coverage, (0, 0), float(rng.uniform(0.6, 1.4)))
    grain = cv2.resize(
        rng.normal(0, rng.uniform(1, 5), (face.shape[0] // 2 + 1, face.shape[1] // 2 + 1, 1)).astype(
            np.float32
        ),
        (face.shape[1], face.shape[0]),
    )
    fraction = (soft.astype(np.float32) / 255)[..., None]
    mixed = face * (1 - fraction) + (paint + grain[..., None]) * fraction
    return np.clip(mixed, 0, 255).astype(np.uint8)


def _skin(
    face: ImageU8, landmarks: Landmarks, rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The median colour of cheeks and forehead, a little off, as another hand's would be."""
    x, y = landmarks[[50, 280, 9, 10], :2].round().astype(int).T
    x, y = np.clip(x, 2, face.shape[1] - 3), np.clip(y, 2, face.shape[0] - 3)
    colour = np.median(
        [face[b - 2 : b + 3, a - 2 : a + 3].reshape(-1, 3).mean(0) for a, b in zip(x, y, strict=True)], 0
    )
    return np.asarray(colour * np.exp(rng.normal(0, 0.12)) + rng.normal(0, 5, 3), np.float32)


def _width(landmarks: Landmarks) -> float:
    return max(float(np.linalg.norm(landmarks[_RIGHT, :2] - landmarks[_LEFT, :2])), 20.0)


def _shaded(shape: tuple[int, ...], colour: object, rng: np.random.Generator) -> ImageU8:
    """A plain colour under slowly changing light."""
    light = cv2.resize(
        rng.normal(1, 0.13, (4, 4)).astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC
    )
    shaded: ImageU8 = np.clip(np.asarray(colour, np.float32) * light[..., None], 0, 255).astype(np.uint8)
    return shaded


def _hand(face: ImageU8, landmarks: Landmarks, rng: np.random.Generator) -> ImageU8:
    """Fingers that come from below or the side and end near the mouth."""
    width = _width(landmarks)
    paint = _shaded(face.shape, _skin(face, landmarks, rng), rng)
    coverage = np.zeros(face.shape[:2], np.uint8)
    tip = landmarks[_MOUTH[0], :2] + rng.normal(0, 0.15, 2) * width
    angle = rng.uniform(0.1, np.pi - 0.1)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    thick = width * rng.uniform(0.09, 0.14)
    for finger in range(int(rng.integers(1, 5))):
        start = tip + across * thick * 1.05 * finger + along * thick * rng.uniform(-0.6, 0.6)
        end = start + along * width * rng.uniform(0.6, 1.2)
        ends = [tuple(int(v) for v in p) for p in (start, end)]
        cv2.line(coverage, ends[0], ends[1], 255, max(3, int(thick)), cv2.LINE_AA)
        edge = (
            tuple(int(v) for v in start + across * thick * 0.5),
            tuple(int(v) for v in end + across * thick * 0.5),
        )
        dark = tuple(float(v) for v in _skin(face, landmarks, rng) * 0.6)
        cv2.line(paint, edge[0], edge[1], dark, 1, cv2.LINE_AA)
    return _blend(face, paint, coverage, rng)


def _microphone(face: ImageU8, landmarks: Landmarks, rng: np.random.Generator) -> ImageU8:
    """A dark ball on a stick, below or beside the mouth."""
    width = _width(landmarks)
    paint = _shaded(face.shape, np.full(3, rng.uniform(15, 90)), rng)
    coverage = np.zeros(face.shape[:2], np.uint8)
    centre = landmarks[_MOUTH[1], :2] + np.array([rng.normal(0, 0.25), rng.uniform(0.05, 0.4)]) * width
    angle = rng.uniform(0.2, np.pi - 0.2)
    end = centre + np.array([np.cos(angle), np.sin(angle)]) * width * 1.5
    radius = width * rng.uniform(0.08, 0.2)
    at = (int(centre[0]), int(centre[1]))
    cv2.line(coverage, at, (int(end[0]), int(end[1])), 255, max(2, int(radius * 0.9)), cv2.LINE_AA)
    cv2.circle(coverage, at, int(radius), 255, -1, cv2.LINE_AA)
    return _blend(face, paint, coverage, rng)


def _cup(face: ImageU8, landmarks: Landmarks, rng: np.random.Generator) -> ImageU8:
    """A cup, a phone or a sheet of paper: a tilted rectangle of one colour before the mouth or chin."""
    width = _width(landmarks)
    paint = _shaded(face.shape, rng.uniform(10, 250, 3), rng)
    coverage = np.zeros(face.shape[:2], np.uint8)
    centre = landmarks[_CHIN, :2] + np.array([rng.normal(0, 0.25), rng.uniform(-0.25, 0.3)]) * width
    size = width * rng.uniform(0.2, 0.5, 2)
    box = cv2.boxPoints(
        ((float(centre[0]), float(centre[1])), (float(size[0]), float(size[1])), float(rng.normal(0, 20)))
    )
    cv2.fillConvexPoly(coverage, box.astype(np.int32), 255, cv2.LINE_AA)
    return _blend(face, paint, coverage, rng)


def _beard(face: ImageU8, landmarks: Landmarks, rng: np.random.Generator) -> ImageU8:
    """Darken the lower face with the texture of short hair, the lips spared."""
    jaw = [
        132,
        58,
        172,
        136,
        150,
        149,
        176,
        148,
        152,
        377,
        400,
        378,
        379,
        365,
        397,
        288,
        361,
        425,
        391,
        2,
        165,
        205,
    ]
    coverage = np.zeros(face.shape[:2], np.uint8)
    cv2.fillPoly(coverage, [landmarks[jaw, :2].round().astype(np.int32)], int(rng.integers(110, 235)))
    lips = [61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91]
    cv2.fillPoly(coverage, [landmarks[lips, :2].round().astype(np.int32)], 0)
    coverage = cv2.GaussianBlur(coverage, (0, 0), max(1.0, _width(landmarks) * 0.03)).astype(np.uint8)
    hair = np.array([60, 42, 30], np.float32) * rng.uniform(0.3, 2.6)
    strands = cv2.GaussianBlur(rng.normal(0, 60, face.shape[:2]).astype(np.float32), (0, 0), 0.8, sigmaY=2.0)
    paint = np.clip(hair + strands[..., None], 0, 255).astype(np.uint8)
    return _blend(face, paint, coverage, rng)


def _scarf(face: ImageU8, landmarks: Landmarks, rng: np.random.Generator) -> ImageU8:
    """Cloth about the neck that ends below the mouth."""
    width = _width(landmarks)
    chin = landmarks[_CHIN, :2]
    stripes = _shaded(face.shape, rng.uniform(10, 245, 3), rng)
    if rng.random() < 0.5:
        period, lean = rng.uniform(0.05, 0.2) * width, rng.normal(0, 0.5)
        y, x = np.mgrid[: face.shape[0], : face.shape[1]].astype(np.float32)
        stripes[np.sin((y + lean * x) * 2 * np.pi / period) > rng.uniform(-0.5, 0.8)] = rng.integers(0, 255, 3)
    top = chin[1] + width * rng.uniform(-0.02, 0.12)
    x = np.linspace(-40, face.shape[1] + 40, 12)
    edge = (
        top
        + width * 0.15 * ((x - chin[0]) / width) ** 2 * rng.uniform(-1.5, 0.3)
        + rng.normal(0, 0.01 * width, 12)
    )
    outline = np.vstack(
        [np.column_stack([x, edge]), [[face.shape[1] + 40, face.shape[0] + 40], [-40, face.shape[0] + 40]]]
    )
    coverage = np.zeros(face.shape[:2], np.uint8)
    cv2.fillPoly(coverage, [outline.astype(np.int32)], 255, cv2.LINE_AA)
    return _blend(face, stripes, coverage, rng)
