"""Faces and five points in a whole photo, masked or bare.

The network answers for every cell of three grids; here the photo is brought to its size, the weak
answers are dropped and doubles are merged. Every photo is looked at once with its longest side at
320 px, where large faces are easy; a large one is looked at again at 0.4 of its own size, where a face
of 40 px is still 16 px wide. Non-maximum suppression is the greedy one of Felzenszwalb et al.
(IEEE TPAMI 32(9), 2010, sec. 7.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from demask.errors import ConfigError, InputError
from demask.types import AnyArray, Face, ImageU8
from demask.weights.sessions import Session, giving_back_memory, open_session, require_contract

GRID_PX = 32
"""The sides of what the network sees are multiples of this: its coarsest stride."""

MAX_FEATURE = 0.4
"""An eye, a nose or a mouth is smaller than this share of its face."""

LARGE_PX = 1024 * 1024
"""A picture with more pixels takes hundreds of megabytes while the network looks at it; they are given back."""

PAD_GREY = 128
"""The value around a photo that does not fill the network's picture; training pads alike."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FinderSettings:
    """How a photo is searched.

    Attributes:
        min_score: Faces below this confidence are dropped, in [0, 1].
        max_overlap: Two boxes whose intersection over union exceeds this are one face.
        overview_px: Longest side of the first look.
        closeup_scale: Scale of the second look, taken where it is larger than the first.
        closeup_px: Longest side that the second look may have: bounds time and memory.
        margin: Border added on every side of a photo too small for a second look, as a fraction of its
            longest side. In a tight chip the face fills the frame; a little air makes it findable.
    """

    min_score: float = 0.65
    max_overlap: float = 0.4
    overview_px: int = 320
    closeup_scale: float = 0.4
    closeup_px: int = 2400
    margin: float = 0.1

    def __post_init__(self) -> None:
        for name in ("min_score", "max_overlap", "closeup_scale"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ConfigError(f"{name} is {value}; it must lie above 0 and at most at 1")
        for name in ("overview_px", "closeup_px"):
            if getattr(self, name) < GRID_PX:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least {GRID_PX}")
        if not 0 <= self.margin <= 1:
            raise ConfigError(f"margin is {self.margin}; it must lie in [0, 1]")


class Finder:
    """Photo in, faces out. Holds a session and no other state; safe to call from many threads."""

    def __init__(self, session: Session, settings: FinderSettings | None = None) -> None:
        """Wrap a network.

        Args:
            session: onnxruntime session: `photo` uint8 [1, H, W, 3] to `boxes` [N, 4], `points`
                [N, 5, 2] and `scores` [N], every cell, in pixels.
            settings: How photos are searched.

        Raises:
            WeightsError: The network has other inputs or outputs.
        """
        floats = "tensor(float)"
        require_contract(
            session,
            inputs={"photo": "tensor(uint8)"},
            outputs={"boxes": floats, "points": floats, "scores": floats},
            what="face finder",
        )
        self._session = session
        self.settings = settings or FinderSettings()

    @classmethod
    def shipped(
        cls,
        device: str = "auto",
        settings: FinderSettings | None = None,
        *,
        threads: int | None = None,
    ) -> Finder:
        """The finder that comes with demask.

        Args:
            device: `auto`, `cpu`, `cuda` and others; see `demask.weights.devices`.
            settings: How photos are searched.
            threads: Threads that one operator may use; None leaves it to the runtime.

        Raises:
            WeightsError: The weights file is missing or damaged.
            DeviceUnavailable: The named device is not there.
        """
        return cls(open_session("finder", device=device, threads=threads), settings)

    def __call__(self, photo: ImageU8) -> list[Face]:
        """Find every face.

        Args:
            photo: uint8 RGB [H, W, 3], any size.

        Returns:
            The faces, largest first; boxes may reach beyond the photo where a face does.

        Raises:
            InputError: The array is not an RGB photo.
        """
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or 0 in photo.shape:
            raise InputError(
                f"the photo is {photo.dtype} of shape {photo.shape}; "
                "the finder needs uint8 RGB [height, width, 3]"
            )
        settings = self.settings
        longest = max(photo.shape[:2])
        closeup_scale = min(settings.closeup_scale, settings.closeup_px / longest)
        looks = []
        picture, margin_px = photo, 0
        if closeup_scale * longest > settings.overview_px:
            # The overview is scaled down from the close-up: a huge photo is averaged only once.
            picture = _scaled(photo, closeup_scale)
            looks.append(self._look(picture, photo.shape, margin_px=0))
        else:
            margin_px = round(settings.margin * min(longest, settings.overview_px))
        overview = _scaled(picture, settings.overview_px / max(picture.shape[:2]))
        looks.append(self._look(overview, photo.shape, margin_px))
        boxes, points, scores = (np.concatenate(parts) for parts in zip(*looks, strict=True))
        kept = without_features(boxes, suppress(boxes, scores, max_overlap=settings.max_overlap))
        faces = [
            Face(
                box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                points=points[index].astype(np.float32),
                score=float(scores[index]),
            )
            for index, box in zip(kept, boxes[kept], strict=True)
        ]
        return sorted(faces, key=lambda face: -face.size_px)

    def _look(
        self, picture: ImageU8, shape: tuple[int, ...], margin_px: int
    ) -> tuple[AnyArray, AnyArray, AnyArray]:
        """Run the network on a scaled photo; boxes, points and scores in pixels of the photo of `shape`."""
        height, width = picture.shape[:2]
        # Margins are rounded up so that both sides become multiples of the grid, the photo centred.
        full_h = -(-(height + 2 * margin_px) // GRID_PX) * GRID_PX
        full_w = -(-(width + 2 * margin_px) // GRID_PX) * GRID_PX
        top, left = (full_h - height) // 2, (full_w - width) // 2
        canvas = np.full((1, full_h, full_w, 3), PAD_GREY, np.uint8)
        canvas[0, top : top + height, left : left + width] = picture
        large = full_h * full_w > LARGE_PX
        options = (giving_back_memory(),) if large else ()
        boxes, points, scores = self._session.run(["boxes", "points", "scores"], {"photo": canvas}, *options)
        sure = scores >= self.settings.min_score
        # Pixel centres: x_large = (x_small + 0.5) * ratio - 0.5.
        ratio = np.array([shape[1] / width, shape[0] / height], dtype=np.float32)
        shift = np.array([left, top], dtype=np.float32)
        points = (points[sure] - shift + 0.5) * ratio - 0.5
        corners = (boxes[sure].reshape(-1, 2, 2) - shift + 0.5) * ratio - 0.5
        return corners.reshape(-1, 4), points, scores[sure]


def suppress(boxes: AnyArray, scores: AnyArray, *, max_overlap: float) -> list[int]:
    """Greedy non-maximum suppression.

    Args:
        boxes: float [N, 4] as (x0, y0, x1, y1).
        scores: float [N].
        max_overlap: A box that overlaps a better one by more than this (intersection over union) goes.

    Returns:
        Indices of the boxes that stay, best first.
    """
    order = np.argsort(-scores, kind="stable")
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        common = np.prod(np.maximum(high - low, 0), axis=1)
        union = areas[best] + areas[rest] - common
        order = rest[common <= max_overlap * union]
    return kept


def without_features(boxes: AnyArray, kept: list[int]) -> list[int]:
    """Drop what lies in a face and is as small as an eye or a mouth of it: close up these look like faces.

    Args:
        boxes: float [N, 4] as (x0, y0, x1, y1).
        kept: Indices of those that `suppress` left, best first.

    Returns:
        The indices that stay, in the same order.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)

    def is_feature_of(inner: int, outer: int) -> bool:
        starts_inside = (boxes[inner, :2] >= boxes[outer, :2]).all()
        ends_inside = (boxes[inner, 2:] <= boxes[outer, 2:]).all()
        return bool(starts_inside and ends_inside and sides[inner] < MAX_FEATURE * sides[outer])

    return [index for index in kept if not any(is_feature_of(index, other) for other in kept)]


def _scaled(photo: ImageU8, scale: float) -> ImageU8:
    if scale >= 1:
        return photo
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
