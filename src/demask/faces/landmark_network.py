"""The 468 FaceMesh points of aligned crops, by our own small network."""

from __future__ import annotations

import numpy as np

from demask.geometry import require_crops
from demask.types import ImageU8, Landmarks
from demask.weights.sessions import Session, open_session, require_contract

BATCH = 32


class LandmarkFinder:
    """Place 468 points on the faces of aligned crops; one session serves all threads.

    Args:
        session: A network that maps `crop` uint8 [N, 256, 256, 3] to `points` float32 [N, 468, 3].

    Raises:
        WeightsError: The network has other inputs or outputs.
    """

    def __init__(self, session: Session) -> None:
        inputs, outputs = {"crop": "tensor(uint8)"}, {"points": "tensor(float)"}
        require_contract(session, inputs=inputs, outputs=outputs, what="landmark network")
        self._session = session

    @classmethod
    def shipped(cls, *, device: str = "auto", threads: int | None = None) -> LandmarkFinder:
        """Load the network that comes with the package; errors as `open_session`."""
        return cls(open_session("landmarks", device=device, threads=threads))

    def __call__(self, crops: ImageU8) -> Landmarks:
        """Place the points.

        Args:
            crops: Aligned crops, uint8 RGB [N, 256, 256, 3]; any N, also 0.

        Returns:
            float32 [N, 468, 3] in crop pixels; z scaled alike, smaller is nearer.

        Raises:
            InputError: The crops have another shape or type.
        """
        require_crops(crops)
        points = np.zeros((len(crops), 468, 3), np.float32)
        for start in range(0, len(crops), BATCH):
            part = np.ascontiguousarray(crops[start : start + BATCH])
            points[start : start + BATCH] = self._session.run(["points"], {"crop": part})[0]
        return points
