"""Metrics that look through a network: LPIPS and identity. Both run on an onnxruntime session.

LPIPS: Zhang et al. 2018 (arXiv:1801.03924), version 0.1 with SqueezeNet; its scale is its own and
must not be set beside AlexNet or VGG figures. Identity: cosine of face embeddings (MobileFace),
aligned as in ArcFace (arXiv:1801.07698, sec. 3.1).
"""

from __future__ import annotations

import numpy as np

from demask.errors import InputError, WeightsError
from demask.geometry import ARCFACE_POINTS, ARCFACE_PX, crop_to_frame, similarity
from demask.types import Floats32, ImageU8, Points
from demask.weights.sessions import Session

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)

MIN_SIDE_PX = 32
"""SqueezeNet halves four times; below this its last maps have no pixel."""


class Lpips:
    """LPIPS between two pictures, 0 for identical ones.

    The exported graph divides by the length of a feature vector, which is 0 / 0 where all features
    of a pixel are zero (flat, dark pictures). Then both pictures get the same faint seeded grain,
    half a grey level at first and sixteen at most, until the score is a number.

    Args:
        session: The graph `lpips_sq.onnx`: `ref` and `dist`, float [1, 3, H, W], ImageNet-normalised.
    """

    GRAIN_LEVELS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, picture: ImageU8, truth: ImageU8) -> float:
        """Distance of two uint8 RGB pictures [H, W, 3], each side at least `MIN_SIDE_PX`.

        Raises:
            InputError: The shapes differ or are too small.
            WeightsError: No finite score came out, which the right weights cannot do.
        """
        if picture.shape != truth.shape or min(picture.shape[:2]) < MIN_SIDE_PX:
            raise InputError(
                f"LPIPS needs two pictures of one size, {MIN_SIDE_PX} px or more a side; "
                f"got {picture.shape} and {truth.shape}"
            )
        if np.array_equal(picture, truth):
            return 0.0
        for level in self.GRAIN_LEVELS:
            rng = np.random.default_rng(round(level * 2))
            grain = rng.normal(0, level, (1, 3, *picture.shape[:2])).astype(np.float32)
            feed = {"ref": imagenet_normalised(truth, grain), "dist": imagenet_normalised(picture, grain)}
            score = float(np.asarray(self._session.run(None, feed)[0]).reshape(-1)[0])
            if np.isfinite(score):
                return max(score, 0.0)
        raise WeightsError("LPIPS gave no finite score even with grain; check the sha256 of lpips_sq.onnx")


class Identity:
    """How much two pictures show the same person: cosine of embeddings in [-1, 1].

    About 0.73 for two photographs of one person and 0.03 for two people with `mobileface_v2.onnx`.

    Args:
        session: The graph: `face`, RGB 0..255 float [N, 3, 112, 112], to [N, D].
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def embed(self, picture: ImageU8, points: Points) -> Floats32:
        """Unit embedding, float32 [D], of the face at five points.

        Args:
            picture: uint8 RGB [H, W, 3].
            points: Eyes, nose tip, mouth corners in picture order: float [5, 2] in pixels of `picture`.
        """
        if points.shape != (5, 2):
            raise InputError(f"identity needs five points [5, 2], got {points.shape}")
        chip, _ = crop_to_frame(picture, similarity(points, ARCFACE_POINTS), size_px=ARCFACE_PX)
        face = np.ascontiguousarray(chip.transpose(2, 0, 1)[None], dtype=np.float32)
        embedding = np.asarray(self._session.run(None, {"face": face})[0], np.float32)[0]
        return np.asarray(embedding / max(float(np.linalg.norm(embedding)), 1e-12), np.float32)

    def __call__(self, picture: ImageU8, truth: ImageU8, points: Points) -> float:
        """Cosine of the two embeddings, both cut at the truth's five points.

        The same points serve both pictures, so that only their pixels can make the difference.
        """
        return float(self.embed(picture, points) @ self.embed(truth, points))


def imagenet_normalised(picture: ImageU8, grain: Floats32 | None = None) -> Floats32:
    """RGB uint8 [H, W, 3] to ImageNet-normalised float32 [1, 3, H, W].

    Args:
        picture: The picture.
        grain: Added before, in grey levels, float32 [1, 3, H, W]; None adds none.
    """
    planes = picture.transpose(2, 0, 1)[None].astype(np.float32)
    if grain is not None:
        planes = planes + grain
    planes = planes / np.float32(255)
    return np.ascontiguousarray((planes - IMAGENET_MEAN) / IMAGENET_STD, dtype=np.float32)
