"""What the photograph tells of its light, colour, sharpness and noise, so that a covering can share them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from demask.coverings.head import HeadFrame
from demask.types import Floats64, ImageU8

# Landmarks on bare skin: forehead, cheeks, nose, chin, jaw.
_SKIN = (
    10, 151, 9, 67, 297, 103, 332, 50, 280, 101, 330, 117, 346, 205, 425, 187, 411, 36, 266, 4, 5, 195,
    199, 200, 175, 172, 397, 136, 365, 132, 361, 93, 323, 116, 345,
)  # fmt: skip
_LUMA = np.array([0.299, 0.587, 0.114])
_USUAL_SKIN = np.array([1.22, 0.97, 0.78])  # Mean ratio of a face's channels to their mean, in white light.


# Ratio of fine to coarse detail, and the standard deviation (pixels) of the blur it goes with: medians over
# 60 sharp faces at 256 px, blurred on purpose. Beyond 2 px the ratio hardly changes.
_SHARPNESS = ((0.30, 0.33, 0.36, 0.43, 0.49, 0.62, 0.80), (2.6, 2.0, 1.5, 1.0, 0.7, 0.3, 0.0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Light and camera of one photograph.

    Attributes:
        ambient: Factor on a cloth's colour where no direction matters.
        light: Direction and strength of the light: brightness changes by `light @ normal`, picture axes, [3].
        gain: Colour of the light, RGB, mean 1; [3].
        tint: None in a colour photograph; in a grey (or sepia) one the RGB ratio that every grey has.
        blur_px: Standard deviation of the photograph's own blur.
        grain: Standard deviation of its noise, in levels of 0..255.
    """

    ambient: float
    light: Floats64
    gain: Floats64
    tint: Floats64 | None
    blur_px: float
    grain: float


def read_scene(face: ImageU8, frame: HeadFrame, rng: np.random.Generator) -> Scene:
    """Estimate light and camera from the skin; cheap (about 1 ms) and rough on purpose.

    The light is a least-squares fit of brightness to surface normals at 35 skin landmarks. Noise follows
    Immerkaer (Computer Vision and Image Understanding 64(2), 1996, eq. 4) on the flattest part of the face.
    """
    height, width = face.shape[:2]
    shrink = max(1, round(frame.width_px / 40))
    small = cv2.resize(
        face, (max(1, width // shrink), max(1, height // shrink)), interpolation=cv2.INTER_AREA
    ).astype(np.float64)
    local = frame.points[list(_SKIN)]
    where = np.rint(frame.to_picture(local)[:, :2] / shrink - 0.5).astype(int)
    inside = (where >= 0).all(1) & (where[:, 0] < small.shape[1]) & (where[:, 1] < small.shape[0])
    if inside.sum() < 6:
        where, local = np.zeros((1, 2), int), local[:1]
    else:
        where, local = where[inside], local[inside]
    skin = small[where[:, 1], where[:, 0]]
    luma = skin @ _LUMA

    # Normals of the smooth face surface at those landmarks, in picture axes.
    step = 0.01
    zx = (frame.z_of(local[:, 0] + step, local[:, 1]) - frame.z_of(local[:, 0] - step, local[:, 1])) / (
        2 * step
    )
    zy = (frame.z_of(local[:, 0], local[:, 1] + step) - frame.z_of(local[:, 0], local[:, 1] - step)) / (
        2 * step
    )
    normals = np.stack([-zx, -zy, np.ones_like(zx)], 1)
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True) @ frame.axes
    level = float(np.median(luma)) + 1.0
    weights = np.exp(-(((luma - level) / (0.45 * level)) ** 2))  # Hair and highlights count little.
    system = np.column_stack([np.ones(len(normals)), normals]) * weights[:, None]
    ridge = np.diag([0.01, 0.6, 0.6, 0.6]) * max(1.0, len(luma) / 20)
    fit = np.linalg.solve(system.T @ system + ridge, system.T @ (weights * luma / level))
    light = np.clip(fit[1:], -0.6, 0.6) * float(rng.uniform(0.7, 1.3))

    bright = float(np.percentile(small @ _LUMA, 96))
    # Skin is dark or light by nature as well as by exposure: the brightest parts arbitrate.
    exposure = 0.6 * min(1.0, bright / 205) + 0.4 * float(np.clip(level / 140, 0.35, 1.2))
    mean_skin, mean_all = skin.mean(0) + 1, small.reshape(-1, 3).mean(0) + 1
    spread = float(np.abs(small - small.mean(2, keepdims=True)).mean())
    tint = None
    gain = np.ones(3)
    ratio = mean_all / mean_all.mean()
    chroma = small / (small.mean(2, keepdims=True) + 8) - ratio
    if (
        spread < 3.0
        or float(np.abs(chroma[small.mean(2) > 40]).mean() if (small.mean(2) > 40).any() else 0) < 0.012
    ):
        tint = ratio
    else:
        from_skin = mean_skin / mean_skin.mean() / _USUAL_SKIN
        gain = np.clip(from_skin**0.28 * ratio**0.25, 0.8, 1.22)
        gain /= gain.mean()
    gray = np.asarray(cv2.cvtColor(_face_part(face, frame), cv2.COLOR_RGB2GRAY), np.uint8)
    blur_px, grain = _camera(gray)
    return Scene(
        ambient=float(np.clip(exposure * rng.uniform(0.9, 1.1), 0.2, 1.08)),
        light=light, gain=gain, tint=tint, blur_px=blur_px, grain=grain,
    )  # fmt: skip


def _face_part(face: ImageU8, frame: HeadFrame) -> ImageU8:
    """The middle of the face at full size: where sharpness and noise are read."""
    centre = frame.to_picture(np.array([0.0, -0.3, 0.2]))[:2]
    reach = max(12.0, min(0.42 * frame.width_px, 160.0))
    height, width = face.shape[:2]
    x0, y0 = (int(np.clip(c - reach, 0, max(0, s - 8))) for c, s in zip(centre, (width, height), strict=True))
    return face[y0 : y0 + int(2 * reach), x0 : x0 + int(2 * reach)]


def _camera(gray: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Blur (pixels) and noise (levels) of a picture of a face."""
    soft = cv2.GaussianBlur(gray, (0, 0), 1.0)
    fine, coarse = cv2.absdiff(gray, soft), cv2.absdiff(soft, cv2.GaussianBlur(gray, (0, 0), 2.5))
    # Eyes and brows hold both; in a blurred photograph the fine part is missing.
    part = (_percentile(fine, 0.97) + 0.5) / (_percentile(coarse, 0.97) + 0.5)
    blur_px = float(np.interp(part, *_SHARPNESS))
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = cv2.absdiff(cv2.filter2D(gray, cv2.CV_32F, kernel), np.zeros(1))
    # Half of a face is flat: the median of |response| there is 0.6745 * 6 sigma of Gaussian noise.
    grain = float(np.median(response)) / (6 * 0.6745)
    return blur_px, float(np.clip(grain, 0.3, 10.0))


def _percentile(values: cv2.typing.MatLike, part: float) -> float:
    """Smallest level that at least `part` of uint8 values do not exceed; much faster than sorting them."""
    counts = np.cumsum(np.bincount(values.ravel(), minlength=256))
    return float(np.searchsorted(counts, part * counts[-1]))
