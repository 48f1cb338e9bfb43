"""Draw a covering on a photograph of a face: on an aligned crop, or on a whole photo at its own resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from demask.coverings.catalogue import KINDS, TEXTURES, TRAINING_KINDS, TRAINING_TEXTURES, check_names
from demask.coverings.head import head_frame
from demask.coverings.look import COLOUR_SETS, Look
from demask.coverings.render import render
from demask.coverings.shading import read_scene
from demask.coverings.shape import Shape, pick_kind, plan_shape
from demask.errors import InputError
from demask.faces.landmarks import landmarks_from_points
from demask.types import Alpha, Face, Hole, ImageU8, Landmarks

MIN_ALPHA = 0.05
"""Coverage below this is dropped from the drawing, so that the hole holds every covered pixel."""
MARGIN = 0.7
"""Room around the face box, as a fraction of its longer side: straps and shadows stay inside."""
MAX_DRAWN_PX = 1536
"""A larger window is drawn smaller and scaled up: a covering has no finer detail than that."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Drawn:
    """A face with a covering drawn on it.

    Attributes:
        masked: The picture with the covering, uint8 RGB, shape of the face.
        alpha: How much each pixel shows the covering, straps included: float32 [H, W] in {0} or [0.05, 1].
        hole: `alpha > 0`: every pixel whose colour is covering, even partly. A shadow on skin is no hole.
        recipe: What was drawn, ready for JSON: kind, variant, texture, colours, straps and further measures.
    """

    masked: ImageU8
    alpha: Alpha
    hole: Hole
    recipe: dict[str, Any]


def draw(
    face: ImageU8,
    landmarks: Landmarks,
    rng: np.random.Generator,
    *,
    kinds: Sequence[str] | None = None,
    textures: Sequence[str] | None = None,
    patches: Sequence[ImageU8] = (),
    colours: str = "training",
    unusual_fraction: float = 0.0,
) -> Drawn:
    """Draw one covering, fitted to the landmarks and lit as the photograph is.

    Pixels that show neither covering nor its shadow keep their values exactly. The same face, landmarks,
    options and generator state give the same bytes.

    Args:
        face: Photograph, uint8 RGB [H, W, 3]; any size, the 256 px crop is usual.
        landmarks: FaceMesh points in its pixels, float [468, 3].
        rng: Source of chance, see `demask.rng.rng_for`.
        kinds: Kinds to choose from; by default `TRAINING_KINDS`.
        textures: Prints to choose from; by default `TRAINING_TEXTURES`, where "plain" is as usual as the kind
            makes it. Given without "plain", every covering is printed.
        patches: Pictures whose pieces may be printed (texture "patch"); none gives a cloudy print instead.
        colours: "training" leaves out the held-out hues, "held_out" uses only those, "any" uses all.
        unusual_fraction: Chance of straps of any width and colour, and of things that stick to the covering,
            which no kind has: for training on more than there is.

    Raises:
        ConfigError: An unknown kind, texture or colour set.
        InputError: The face is not uint8 RGB, or the landmarks cannot be used.
    """
    wanted_kinds = tuple(TRAINING_KINDS if kinds is None else kinds)
    wanted_textures = tuple(TRAINING_TEXTURES if textures is None else textures)
    check_names("kind", wanted_kinds, KINDS)
    check_names("texture", wanted_textures, TEXTURES)
    check_names("colours", (colours,), COLOUR_SETS)
    if face.dtype != np.uint8 or face.ndim != 3 or face.shape[2] != 3 or not face.size:
        raise InputError(f"face is {face.dtype} {face.shape}; a covering is drawn on uint8 RGB [H, W, 3]")
    frame = head_frame(landmarks)
    unusual = bool(unusual_fraction) and rng.random() < unusual_fraction
    shape = plan_shape(frame, pick_kind(rng, wanted_kinds), rng, unusual=unusual)
    scene = read_scene(face, frame, rng)
    look = Look.choose(shape, wanted_textures, colours, rng, unusual=unusual)
    recipe: dict[str, Any] = {
        "kind": shape.kind, "variant": shape.variant, "low_ride": shape.low_ride, "straps": shape.strap_way,
        "colour_set": colours, **look.as_recipe(),
    }  # fmt: skip
    if unusual:
        recipe["unusual"] = True

    alpha = np.zeros(face.shape[:2], np.float32)
    masked = face.copy()
    window = _window(shape, face.shape[:2], margin=4 + 0.10 * frame.width_px)
    if window is None:  # The face's lower half lies outside the picture.
        return Drawn(masked=masked, alpha=alpha, hole=alpha > 0, recipe=recipe)
    x0, y0, x1, y1 = window
    part, part_alpha, more = render(
        face[y0:y1, x0:x1], shape.moved(-x0, -y0), frame, scene, look, rng,
        patches=patches, min_alpha=MIN_ALPHA,
    )  # fmt: skip
    masked[y0:y1, x0:x1], alpha[y0:y1, x0:x1] = part, part_alpha
    recipe |= more
    return Drawn(masked=masked, alpha=alpha, hole=alpha > 0, recipe=recipe)


def draw_hole(
    landmarks: Landmarks,
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    kinds: Sequence[str] | None = None,
) -> Hole:
    """Draw only a covering's hole, for training that blanks it anyway; several times faster than `draw`.

    Args:
        landmarks: FaceMesh points in pixels, float [468, 3].
        shape: (height, width) of the picture.
        rng: Source of chance; the covering is the one `draw` would fit with the same state and kinds.
        kinds: As for `draw`.

    Returns:
        True where covering or strap lies, bool [H, W].

    Raises:
        ConfigError: An unknown kind.
        InputError: The landmarks cannot be used.
    """
    wanted = tuple(TRAINING_KINDS if kinds is None else kinds)
    check_names("kind", wanted, KINDS)
    planned = plan_shape(head_frame(landmarks), pick_kind(rng, wanted), rng)
    cover, straps = planned.fill(shape)
    hole: Hole = cv2.max(cover, straps) > 255 * MIN_ALPHA
    return hole


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


def _window(shape: Shape, size: tuple[int, int], margin: float) -> tuple[int, int, int, int] | None:
    """The part of the picture that may change, on JPEG's 8 px grid, or None where there is none."""
    x0, y0, x1, y1 = shape.bounds()
    left, top = max(0, int(x0 - margin)) // 8 * 8, max(0, int(y0 - margin)) // 8 * 8
    right, bottom = min(size[1], int(np.ceil(x1 + margin))), min(size[0], int(np.ceil(y1 + margin)))
    if right - left < 4 or bottom - top < 4:
        return None
    return left, top, right, bottom


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
