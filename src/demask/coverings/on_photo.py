"""A covering on a face of a whole photo, at the photo's own resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from demask.coverings.draw import draw
from demask.faces.landmarks import landmarks_from_points
from demask.types import Alpha, Face, Hole, ImageU8

MARGIN = 0.7
"""Room around the face box, as a fraction of its longer side: straps and shadows stay inside."""

MAX_DRAWN_PX = 1536
"""A larger window is drawn smaller and scaled up: a covering has no finer detail than that."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DrawnOnPhoto:
    """A photo with one more covering.

    Attributes:
        masked: uint8 RGB [H, W, 3].
        hole: Pixels that the covering hides, bool [H, W].
        recipe: What was drawn.
    """

    masked: ImageU8
    hole: Hole
    recipe: dict[str, Any]


def draw_on_photo(
    photo: ImageU8,
    face: Face,
    rng: np.random.Generator,
    *,
    kinds: Sequence[str] | None = None,
    colours: str = "any",
) -> DrawnOnPhoto:
    """Draw a covering on one face; only a window around it is worked on.

    Args:
        photo: uint8 RGB [H, W, 3]; not changed.
        face: The face, in pixels of the photo.
        rng: Source of chance, see `demask.rng.rng_for`.
        kinds: Kinds to choose from, see `demask.coverings.draw`.
        colours: Colour set, see the same.

    Raises:
        ConfigError: An unknown kind or colour set.
        InputError: The face's points cannot be used, or it lies outside the photo.
    """
    height, width = photo.shape[:2]
    margin = MARGIN * face.size_px
    x0, y0 = max(int(face.box[0] - margin), 0), max(int(face.box[1] - margin), 0)
    x1, y1 = min(int(face.box[2] + margin) + 1, width), min(int(face.box[3] + margin) + 1, height)
    window = np.ascontiguousarray(photo[y0:y1, x0:x1])
    scale = min(1.0, MAX_DRAWN_PX / max(window.shape[:2], default=1))
    size = (max(round(window.shape[1] * scale), 1), max(round(window.shape[0] * scale), 1))
    small: ImageU8 = window
    if scale < 1:
        small = cv2.resize(window, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    landmarks = landmarks_from_points(face.points)
    landmarks[:, :2] = (landmarks[:, :2] - (x0, y0) + 0.5) * scale - 0.5
    landmarks[:, 2] *= scale

    drawn = draw(small, landmarks, rng, kinds=kinds, colours=colours)
    masked, hole = photo.copy(), np.zeros((height, width), bool)
    if scale == 1:
        masked[y0:y1, x0:x1], hole[y0:y1, x0:x1] = drawn.masked, drawn.hole
    else:
        large, large_hole = _scaled_up(window, small, drawn.masked, drawn.alpha, drawn.hole)
        masked[y0:y1, x0:x1], hole[y0:y1, x0:x1] = large, large_hole
    return DrawnOnPhoto(masked=masked, hole=hole, recipe=drawn.recipe)


def _scaled_up(
    window: ImageU8, small: ImageU8, masked: ImageU8, alpha: Alpha, hole: Hole
) -> tuple[ImageU8, Hole]:
    """Bring a covering drawn on a smaller copy to the window's size; skin keeps its fine detail."""
    size = (window.shape[1], window.shape[0])

    def up(array: Any) -> Alpha:
        return np.asarray(cv2.resize(array.astype(np.float32), size, interpolation=cv2.INTER_LINEAR))

    opacity = up(alpha)[..., None]
    shadow = up(masked.astype(np.int16) - small.astype(np.int16))
    blended = opacity * up(masked) + (1 - opacity) * (window + shadow)
    large = np.clip(np.rint(blended), 0, 255).astype(np.uint8)
    untouched = (opacity[..., 0] == 0) & (shadow == 0).all(axis=2)
    large[untouched] = window[untouched]
    return large, up(hole) > 0.5
