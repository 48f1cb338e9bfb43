"""Put a restored crop back into its photo: warped, matched in tone and grain, feathered."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import cv2
import numpy as np

from demask.errors import InputError, ShapeMismatch
from demask.geometry import Framed, box_around, corners_under, invert, is_invertible, scale_of, warp_back
from demask.photo import grain as grains
from demask.photo import tone
from demask.types import Alpha, AnyArray, Floats32, Hole, ImageU8, Matrix

_SHRINK = 2  # Tone is matched in crops so much smaller.
_STRIP_PIXELS = 1 << 20  # Large faces are blended in strips of about this many pixels.
_NUM_TILES = 8  # Places along the edge where grain is measured.


@dataclass(frozen=True, kw_only=True, slots=True)
class PasteConfig:
    """How a crop is pasted.

    Attributes:
        match_tone: Shift the crop's colours to meet the photo's at the edge of the hole.
        match_grain: Add the grain that the crop lacks.
        coarse_grain: How much of the lacking coarse grain is added, in [0, 1]; part of what looks like it
            around a hole is texture of the skin.
        feather_px: Width of the soft edge, in pixels of the 256 px frame, all of it inside the hole.
        seed: Start of the grain; the crop's content is mixed in, so equal inputs give equal bytes.
    """

    match_tone: bool = True
    match_grain: bool = True
    coarse_grain: float = 0.5
    feather_px: float = 1.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pasted:
    """A photo with one face restored.

    Attributes:
        pixels: uint8 RGB [H, W, 3].
        hole: The pixels that may have changed, bool [H, W]; all others equal the photo's bit for bit.
    """

    pixels: ImageU8
    hole: Hole


def paste_back(
    photo: ImageU8,
    restored: ImageU8,
    coverage: Floats32,
    framed: Framed,
    *,
    config: PasteConfig | None = None,
    into: Pasted | None = None,
) -> Pasted:
    """Paste a restored crop into the hole of its photo, at the photo's own resolution.

    Only a window around the hole is worked on, in strips, so memory beyond the result stays small.

    Args:
        photo: uint8 RGB [H, W, 3]; not changed, unless it is `into.pixels`.
        restored: The network's prediction, uint8 RGB [N, N, 3]; only its tone matters outside the hole.
        coverage: How covered each pixel of the frame is, float [N, N] in [0, 1]; the hole is where it is
            above 0.5 after it was warped to the photo.
        framed: The crop that was restored, as cut from `photo`, and where it lies.
        config: How to paste.
        into: Result of an earlier paste into the same photo that this one is added to, in place.

    Returns:
        The photo with the face, and the hole at the photo's resolution; `into` if it was given.

    Raises:
        ShapeMismatch: `restored`, `coverage` and the crop differ in size, or `into` and the photo do.
        InputError: The map to the frame cannot be inverted.
    """
    config = config or PasteConfig()
    matrix, valid = framed.matrix, framed.valid
    for other in (coverage, valid, framed.crop):
        if other.shape[:2] != restored.shape[:2]:
            raise ShapeMismatch(image=restored.shape, hole=other.shape)
    if into is None:
        into = Pasted(pixels=photo.copy(), hole=np.zeros(photo.shape[:2], bool))
    elif into.pixels.shape != photo.shape or into.hole.shape != photo.shape[:2]:
        raise ShapeMismatch(image=photo.shape, hole=into.pixels.shape)
    if not is_invertible(matrix):
        raise InputError("the map from photo to frame cannot be inverted; fit it to five points that lie apart")

    contour = _contour(coverage, valid, config.feather_px)
    box = _window(contour > 0.4, matrix, photo.shape)
    if box is None:
        return into
    corrected = restored.astype(np.float32)
    if config.match_tone:
        corrected = _match_tone(framed, corrected, contour)
    # A face smaller than the frame: blur what the photo's pixels could not show.
    scale = scale_of(matrix)
    if scale > 1:
        sigma = 0.5 * np.sqrt(scale**2 - 1)
        corrected, contour = _blurred(corrected, sigma), _blurred(contour, sigma)

    x0, y0, x1, y1 = box
    noise = np.zeros((1, 1), np.float32)
    if config.match_grain:
        lacking = _missing_grain(photo, corrected, contour, matrix)
        strength = replace(lacking, coarse=config.coarse_grain * lacking.coarse)
        rng = np.random.default_rng([config.seed, zlib.crc32(b"grain"), zlib.crc32(restored.tobytes())])
        noise = grains.draw(strength, (min(y1 - y0, 1024), x1 - x0), rng)
    rows = max(1, _STRIP_PIXELS // (x1 - x0))
    for top in range(y0, y1, rows):
        strip = (x0, top, x1, min(top + rows, y1))
        soft = _warp(contour, matrix, strip, cv2.INTER_CUBIC, cv2.BORDER_CONSTANT)
        face = _warp(corrected, matrix, strip, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
        face += noise[(np.arange(top, strip[3]) - y0) % len(noise)][..., None]
        inside = soft > 0.5
        # The contour climbs from 0.5 to 1 over the feather.
        alpha = np.clip((soft[inside] - 0.5) / 0.45, 0, 1)[:, None]
        here = (slice(top, strip[3]), slice(x0, x1))
        before = photo[here][inside]
        blended = before + alpha * (np.clip(face[inside], 0, 255) - before)
        into.pixels[here][inside] = np.rint(blended).astype(np.uint8)
        into.hole[here] |= inside
    return into


def composite(prediction: ImageU8, photo: ImageU8, hole: Hole, *, alpha: Alpha | None = None) -> ImageU8:
    """Return the photo with the prediction in the hole; every other pixel is the photo's, bit for bit.

    Args:
        prediction: uint8 RGB [H, W, 3]; what it shows outside the hole does not matter.
        photo: uint8 RGB [H, W, 3]; not changed.
        hole: Pixels that may change, bool [H, W].
        alpha: Weight of the prediction inside the hole, float [H, W] in [0, 1]; 1 everywhere if left
            out. Outside the hole it does not matter.

    Returns:
        A new array, uint8 RGB [H, W, 3].

    Raises:
        ShapeMismatch: The arrays do not cover the same pixels.
    """
    for other in (hole, prediction, alpha):
        if other is not None and other.shape[:2] != photo.shape[:2]:
            raise ShapeMismatch(image=photo.shape, hole=other.shape)
    result = photo.copy()
    if alpha is None:
        result[hole] = prediction[hole]
    else:
        weight = np.clip(alpha[hole].astype(np.float32), 0, 1)[:, None]
        mixed = weight * prediction[hole] + (1 - weight) * photo[hole]
        result[hole] = np.rint(mixed).astype(np.uint8)
    return result


def _contour(coverage: Floats32, valid: Hole, feather_px: float) -> Floats32:
    """Sharpen and then soften the coverage: a ramp that crosses 0.5 at its edge, `feather_px` wide inside.

    However soft the coverage is, the ramp is as wide as we choose; the blur rounds off the stairs of a
    binary one, so that a face of three times the frame's size has a smooth edge.
    """
    steep = np.clip((coverage.astype(np.float32) - 0.5) * 4 + 0.5, 0, 1)
    # The photo's outermost pixels are only partly valid: keep them.
    reachable = cv2.dilate(valid.astype(np.uint8), np.ones((5, 5), np.uint8))
    steep = steep * reachable
    # A step blurred by sigma reaches 0.95 at 1.64 sigma.
    return _blurred(steep, max(feather_px / 1.64, 0.4))


def _blurred(array: Floats32, sigma: float) -> Floats32:
    return np.asarray(cv2.GaussianBlur(array, (0, 0), sigma), np.float32)


def _window(hole: Hole, matrix: Matrix, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """Box (x0, y0, x1, y1) of the photo under the hole; None where there is none."""
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    if not len(rows):
        return None
    under = corners_under(matrix, columns[0] - 1.0, rows[0] - 1.0, columns[-1] + 1.0, rows[-1] + 1.0)
    return box_around(under, shape, margin_px=1)


def _warp(frame: Floats32, matrix: Matrix, box: tuple[int, int, int, int], how: int, border: int) -> Floats32:
    return np.asarray(warp_back(frame, matrix, box, how=how, border=border), np.float32)


def _match_tone(framed: Framed, restored: Floats32, contour: Floats32) -> Floats32:
    def small(array: AnyArray) -> Floats32:
        size = (array.shape[1] // _SHRINK, array.shape[0] // _SHRINK)
        shrunk = cv2.resize(array.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        return np.asarray(shrunk, np.float32)

    crop, coarse_contour = small(framed.crop), small(contour)
    known = (coarse_contour < 0.02) & (small(framed.valid) > 0.99)
    field = tone.tone_field(crop, small(restored), coarse_contour > 0.5, known)
    shifted = restored + cv2.resize(field, restored.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return tone.monochrome(crop, shifted, known)


def _missing_grain(photo: ImageU8, face: Floats32, contour: Floats32, matrix: Matrix) -> grains.Grain:
    """Measure the grain on both sides of the edge, in small tiles along it, at the photo's resolution."""
    nothing = grains.Grain(fine=0.0, coarse=0.0)
    lines, _ = cv2.findContours((contour > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not lines:
        return nothing
    line = max(lines, key=len)[:, 0].astype(np.float64)
    chosen = line[np.linspace(0, len(line), _NUM_TILES, endpoint=False).astype(int)]
    half = int(np.clip(20 / scale_of(matrix), 12, 48))
    around, pasted = [], []
    inverse = invert(matrix)
    for x, y in chosen @ inverse[:, :2].T + inverse[:, 2]:
        x0, y0 = max(int(x) - half, 0), max(int(y) - half, 0)
        x1, y1 = min(int(x) + half, photo.shape[1]), min(int(y) + half, photo.shape[0])
        if min(x1 - x0, y1 - y0) < 12:
            continue
        tile = (x0, y0, x1, y1)
        soft = _warp(contour, matrix, tile, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
        shown = cv2.cvtColor(np.ascontiguousarray(photo[y0:y1, x0:x1]), cv2.COLOR_RGB2GRAY)
        drawn = _warp(face, matrix, tile, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE).clip(0, 255).astype(np.uint8)
        outer = grains.measure(shown, soft < 0.02)
        inner = grains.measure(cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY), soft > 0.9)
        if outer and inner:
            around.append(outer)
            pasted.append(inner)
    if not around:
        return nothing

    # Hair and cloth look grainy: the lower third of the tiles outside are the skin.
    def typical(measured: list[grains.Grain], quantile: float) -> grains.Grain:
        return grains.Grain(
            fine=float(np.quantile([g.fine for g in measured], quantile)),
            coarse=float(np.quantile([g.coarse for g in measured], quantile)),
        )

    return grains.missing(typical(around, 0.35), typical(pasted, 0.5))
