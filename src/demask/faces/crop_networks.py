"""What our networks see in aligned crops: the pixels that are covered, and the 468 FaceMesh points."""

from __future__ import annotations

import numpy as np

from demask.faces.judge import LOWER_FACE, in_window
from demask.geometry import FRAME_PX, require_crops
from demask.types import Alpha, ImageU8, Landmarks
from demask.weights.sessions import Session, open_session, require_contract, require_shapes, windows_of

HOLES_AT_ONCE = 8
"""Crops per run: more gains nothing on a CPU and costs memory."""
_LANDMARKS_AT_ONCE = 32


class HoleFinder:
    """Tell the covered pixels of aligned crops; one session serves all threads.

    Args:
        session: A network that maps `crop` uint8 [N, S, S, 3] to `coverage` float32 [N, S, S] in [0, 1]; S is
            256, or left open, and then the wide window's crops fit too.
        mirrored: Look at each crop and at its mirror image, and average: less is missed of coverings
            unlike those of the training, for twice the time. Each look counts by how much of the lower
            face it holds for covered: now and then one of the two sees no covering at all.

    Attributes:
        windows: Which windows' crops it takes.

    Raises:
        WeightsError: The network has other inputs or outputs.
    """

    def __init__(self, session: Session, *, mirrored: bool = True) -> None:
        inputs, outputs = {"crop": "tensor(uint8)"}, {"coverage": "tensor(float)"}
        require_contract(session, inputs=inputs, outputs=outputs, what="hole finder")
        crops = (None, FRAME_PX, FRAME_PX)
        require_shapes(session, {"crop": (*crops, 3), "coverage": crops}, what="hole finder")
        self._session, self._mirrored = session, mirrored
        self.windows = windows_of(session)

    @classmethod
    def shipped(cls, *, device: str = "auto", threads: int | None = None) -> HoleFinder:
        """Load the network that comes with the package; errors as `open_session`."""
        return cls(open_session("hole", device=device, threads=threads))

    def __call__(self, crops: ImageU8) -> Alpha:
        """Give the coverage of each pixel.

        Args:
            crops: Aligned crops of one window, uint8 RGB [N, S, S, 3]; any N, also 0.

        Returns:
            float32 [N, S, S] in [0, 1]; covered above `JudgeSettings.threshold`.

        Raises:
            InputError: The crops have another shape or type.
        """
        require_crops(crops)
        coverage = np.zeros(crops.shape[:3], np.float32)
        for start in range(0, len(crops), HOLES_AT_ONCE):
            part = crops[start : start + HOLES_AT_ONCE]
            found = self._run(part)
            if self._mirrored:
                found = _averaged(found, self._run(part[:, :, ::-1])[:, :, ::-1])
            coverage[start : start + HOLES_AT_ONCE] = found
        return coverage

    def _run(self, crops: ImageU8) -> Alpha:
        coverage: Alpha = self._session.run(["coverage"], {"crop": np.ascontiguousarray(crops)})[0]
        return coverage


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
        for start in range(0, len(crops), _LANDMARKS_AT_ONCE):
            part = np.ascontiguousarray(crops[start : start + _LANDMARKS_AT_ONCE])
            points[start : start + _LANDMARKS_AT_ONCE] = self._session.run(["points"], {"crop": part})[0]
        return points


def _averaged(one: Alpha, other: Alpha) -> Alpha:
    """The mean of two looks at crops, [N, S, S], each weighted by its coverage of the lower face."""
    looks = np.stack([one, other])
    weights = looks[:, :, in_window(LOWER_FACE, one.shape[1])].mean(axis=2) + np.float32(1e-6)
    averaged: Alpha = np.einsum("lnyx,ln->nyx", looks, weights / weights.sum(axis=0))
    return averaged
