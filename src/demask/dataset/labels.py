"""The teachers: YuNet for box and five points, FaceMesh for 468 landmarks, both on the bare photo.

YuNet: Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", Machine Intelligence
Research 20, 2023. FaceMesh: Kartynnik et al., "Real-time facial surface geometry from monocular
video on mobile GPUs", arXiv:1907.06724.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from demask.errors import WeightsError
from demask.geometry import FRAME_PX, crop_to_frame
from demask.types import AnyArray, Face, ImageU8, Landmarks, Matrix
from demask.weights import registry
from demask.weights.sessions import open_session

MESH_PX = 192
# FaceMesh was trained on loose crops. The frame with this much around it is what it wants: without
# the margin the chin points sit too high.
MESH_MARGIN_PX = {"top": 28, "bottom": 56, "left": 42, "right": 42}
_MESH_SPAN_PX = FRAME_PX + MESH_MARGIN_PX["left"] + MESH_MARGIN_PX["right"]

# YuNet knows faces of about 10 to 300 px: a large photo is looked at small.
_SEARCH_LONGEST_PX = 640
# On slivers its answer is noise (it pads the input to whole blocks of 32 px), and no face fits in one.
_SEARCH_SHORTEST_PX = 32
_PAD_FRACTION = 0.3
_PASSES = ((0.6, False), (0.6, True), (0.3, False), (0.3, True))


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherPaths:
    """Where the two teachers' files lie."""

    yunet: Path
    facemesh: Path

    @classmethod
    def find(cls, folder: Path | None = None) -> TeacherPaths:
        """Look for both files in `folder`; None = wherever the weights registry finds them.

        Raises:
            WeightsError: A file is missing or damaged.
        """
        if folder is None:
            return cls(yunet=registry.find("yunet"), facemesh=registry.find("facemesh"))
        found = []
        for name in ("yunet", "facemesh"):
            path = folder / registry.lookup(name).file
            if not path.is_file():
                raise WeightsError(f"{path.name} is not in {folder}; put it there or name another folder")
            registry.check(registry.lookup(name), path)
            found.append(path)
        return cls(yunet=found[0], facemesh=found[1])


class Teachers:
    """Both networks, loaded once and used for many photos; one per process, not thread-safe."""

    def __init__(self, paths: TeacherPaths) -> None:
        try:
            self._yunet = cv2.FaceDetectorYN.create(
                str(paths.yunet), "", (320, 320), score_threshold=0.3, nms_threshold=0.3, top_k=200
            )
        except cv2.error as error:
            raise WeightsError(f"{paths.yunet} cannot be loaded as YuNet: {error.err}") from error
        self._mesh = open_session(paths.facemesh, device="cpu", threads=1)
        self._mesh_input = self._mesh.get_inputs()[0].name

    def main_face(self, photo: ImageU8) -> Face | None:
        """Find the one face that a portrait is about: large and central.

        The photo is tried as it is, then with a border around it (a tight chip leaves YuNet too
        little context), first at threshold 0.6 and then at 0.3.

        Args:
            photo: uint8 RGB [H, W, 3].

        Returns:
            The face, in pixels of `photo`, or None.
        """
        for threshold, padded in _PASSES:
            faces = [face for face in self._search(photo, padded=padded) if face.score >= threshold]
            if faces:
                return max(faces, key=lambda face: prominence(face, photo.shape[1], photo.shape[0]))
        return None

    def _search(self, photo: ImageU8, *, padded: bool) -> list[Face]:
        height, width = photo.shape[:2]
        scale = min(1.0, _SEARCH_LONGEST_PX / max(height, width))
        small: AnyArray = photo
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        if min(small.shape[:2]) < _SEARCH_SHORTEST_PX:
            return []
        border = round(_PAD_FRACTION * max(small.shape[:2])) if padded else 0
        if border:
            small = cv2.copyMakeBorder(
                small, border, border, border, border, cv2.BORDER_CONSTANT, value=(128, 128, 128)
            )
        self._yunet.setInputSize((small.shape[1], small.shape[0]))
        _, rows = self._yunet.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        if rows is None:
            return []
        ratio = np.array([width / (small.shape[1] - 2 * border), height / (small.shape[0] - 2 * border)])
        return [_face(row, border=border, ratio=ratio) for row in rows]

    def landmarks(self, photo: ImageU8, matrix: Matrix) -> tuple[Landmarks, float]:
        """Place the 468 FaceMesh points.

        Args:
            photo: uint8 RGB [H, W, 3].
            matrix: Photo to frame, as from `demask.geometry.to_frame`.

        Returns:
            The points in pixels of the 256 px frame, z scaled alike, float32 [468, 3], and how sure
            FaceMesh is that there is a face, in [0, 1].
        """
        scale = MESH_PX / _MESH_SPAN_PX
        to_mesh = matrix * scale
        to_mesh[:, 2] += scale * np.array([MESH_MARGIN_PX["left"], MESH_MARGIN_PX["top"]], dtype=np.float64)
        crop, _ = crop_to_frame(photo, to_mesh, size_px=MESH_PX)
        batch = (crop.astype(np.float32) / 255).transpose(2, 0, 1)[None]
        presence, points = self._mesh.run(None, {self._mesh_input: batch})
        # The network answers in shares of its input's side.
        landmarks = np.asarray(points, np.float32).reshape(468, 3) * np.float32(_MESH_SPAN_PX)
        landmarks[:, :2] -= (MESH_MARGIN_PX["left"], MESH_MARGIN_PX["top"])
        return landmarks, float(np.asarray(presence).reshape(-1)[0])


def prominence(face: Face, width: int, height: int) -> float:
    """Rank faces of one photo: the box's area, falling off with its distance from the middle."""
    x0, y0, x1, y1 = face.box
    off_x = ((x0 + x1) / 2 - width / 2) / width
    off_y = ((y0 + y1) / 2 - height / 2) / height
    return max(x1 - x0, 0.0) * max(y1 - y0, 0.0) * float(np.exp(-4 * (off_x**2 + off_y**2)))


def _face(row: AnyArray, *, border: int, ratio: AnyArray) -> Face:
    """One row of YuNet's output to a Face: x, y, w, h, five points, score.

    YuNet's first eye and first mouth corner are the person's right ones, which are left in the picture.
    """
    corner = (row[:2] - border) * ratio
    far = (row[:2] + row[2:4] - border) * ratio
    points = ((row[4:14].reshape(5, 2) - border) * ratio).astype(np.float32)
    return Face(
        box=(float(corner[0]), float(corner[1]), float(far[0]), float(far[1])),
        points=points,
        score=float(row[14]),
    )
