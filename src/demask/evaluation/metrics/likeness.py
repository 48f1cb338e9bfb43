"""How much two pictures show the same person: cosine of face embeddings (MobileFace).

The faces are aligned as in ArcFace (arXiv:1801.07698, sec. 3.1).
"""

from __future__ import annotations

import numpy as np

from demask.errors import InputError
from demask.geometry import ARCFACE_POINTS, ARCFACE_PX, crop_to_frame, similarity
from demask.types import Floats32, ImageU8, Points
from demask.weights.sessions import Session


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
