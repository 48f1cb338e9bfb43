"""Wrap a cloth over a face, light it, and lay it into the photograph as a camera would have seen it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from demask.coverings import noise
from demask.coverings.head import HeadFrame
from demask.coverings.look import Look
from demask.coverings.shading import Scene
from demask.coverings.shape import Shape
from demask.coverings.sheet import fixed_point
from demask.coverings.tailor import make_cloth
from demask.coverings.texture import U_SPAN, V_HIGH, V_LOW
from demask.types import Alpha, Floats32, Floats64, ImageU8, UInts8


def render(
    face: ImageU8,
    shape: Shape,
    frame: HeadFrame,
    scene: Scene,
    look: Look,
    rng: np.random.Generator,
    *,
    patches: Sequence[ImageU8],
    min_alpha: float,
) -> tuple[ImageU8, Alpha, dict[str, Any]]:
    """Draw a covering on the window of the photograph that holds it.

    Args:
        face: The window, uint8 RGB [h, w, 3]; not changed.
        shape: The covering in the window's pixels.
        frame: The head (only its axes and width are used).
        scene: Light and camera.
        look: Material and colours.
        rng: Source of chance.
        patches: See `texture.paint`.
        min_alpha: Lower coverage is dropped.

    Returns:
        The window with the covering, its alpha, and what the recipe should say beside shape and look.
    """
    size = face.shape[:2]
    cover, straps = shape.fill(size)
    blur = max(0.35, scene.blur_px * float(rng.uniform(0.6, 1.2)))
    cloth, used = make_cloth(shape, look, scene, frame, rng, patches)
    colour = _place(cloth, shape, scene, frame, look, size, rng)
    _edge(colour, cover, shape, look, frame, scene, rng)
    for pod in shape.pods:
        _paint_pod(colour, pod, look, scene)
    for outline, ink in zip(shape.parts, look.parts, strict=True):
        _paint_part(colour, outline, ink, scene, rng)

    # Straps lie under the covering's edge and over the skin.
    soft_cover, soft_straps = (cv2.GaussianBlur(c, (0, 0), blur) for c in (cover, straps))
    part = soft_cover.astype(np.float32) * np.float32(1 / 255)
    if shape.straps:
        strap_colour = look.strap * 255 * scene.gain.astype(np.float32) * np.float32(scene.ambient * 0.95)
        _paint_straps(colour, cover, straps, shape, strap_colour, frame)
        strap_part = soft_straps.astype(np.float32) * np.float32(1 / 255)
        alpha: Alpha = part + strap_part * (1 - part)
    else:
        alpha = part
    alpha[alpha < min_alpha] = 0
    alpha[alpha > 0.985] = 1

    colour = np.asarray(cv2.GaussianBlur(colour, (0, 0), blur), np.float32)
    if scene.tint is not None:
        luma = colour @ np.array([0.299, 0.587, 0.114], np.float32)
        colour = luma[..., None] * scene.tint.astype(np.float32)
    grain = scene.grain * float(rng.uniform(0.7, 1.2))
    speck = noise.cut(rng, size, 0.5 if scene.blur_px < 0.6 else 0.75)
    colour += speck[..., None] * np.float32(grain)
    if scene.tint is None:
        colour += noise.cut(rng, size, 0.75, channels=3) * np.float32(0.35 * grain)

    shaded, darkened = _cast_shadow(face, np.maximum(cover, straps), frame, scene, rng)
    blended = cv2.blendLinear(colour, shaded, alpha, 1 - alpha)
    # To uint8: rounded and clipped. Where nothing was drawn, the picture itself, whatever rounding did.
    drawn = np.asarray(cv2.add(blended, np.zeros(4), dtype=cv2.CV_8U), np.uint8)
    covered = alpha > 0
    out = face.copy()
    cv2.copyTo(drawn, (covered | darkened).view(np.uint8), out)
    quality = None
    if rng.random() < 0.6:
        quality = int(rng.integers(60, 98))
        cv2.copyTo(_reencode(out, quality), covered.view(np.uint8), out)
    more = {"colours": used, "jpeg_quality": quality, "blur_px": round(blur, 2), "grain": round(grain, 2)}
    return out, alpha, more


def _place(
    cloth: ImageU8,
    shape: Shape,
    scene: Scene,
    frame: HeadFrame,
    look: Look,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Floats32:
    """Wrap the flat cloth over its surface and light it: float32 RGB [h, w, 3] in levels."""
    sheet = shape.sheet
    brightness = 1 + (sheet.normals - frame.axes[2]) @ scene.light
    brightness -= float(rng.uniform(0.0, 0.3)) * (1 + np.minimum(sheet.normals[..., 2], 0)) ** 1.5
    np.clip(brightness, 0.35, 1.5, out=brightness)

    # Place on the cloth and brightness, as cubic polynomials of the picture's x and y: smooth, and two small
    # matrix products per field. Points that face away from the viewer count little.
    points = sheet.picture[..., :2].reshape(-1, 2)
    middle, reach = points.mean(0), np.ptp(points, axis=0).max() / 2 + 1e-6
    x, y = ((points - middle) / reach).T
    powers = [(i, j) for i in range(4) for j in range(4 - i)]
    basis = np.stack([x**i * y**j for i, j in powers], 1)
    weights = np.where(sheet.normals[..., 2].ravel() < -0.05, 1.0, 0.08)[:, None]
    targets = np.concatenate([sheet.uv, brightness[..., None]], -1).reshape(-1, 3)
    weighted = basis * weights
    fit = np.linalg.solve(basis.T @ weighted + 1e-4 * np.eye(len(powers)), weighted.T @ targets)
    columns = (np.arange(size[1]) - middle[0]) / reach
    rows = (np.arange(size[0]) - middle[1]) / reach
    fields = []
    for k in range(3):
        square = np.zeros((4, 4))
        for (i, j), value in zip(powers, fit[:, k], strict=True):
            square[j, i] = value
        fields.append((np.vander(rows, 4, True) @ square @ np.vander(columns, 4, True).T).astype(np.float32))
    u, v, light = fields

    tall, wide = cloth.shape[:2]
    map_x = (u + np.float32(U_SPAN)) * np.float32(wide / (2 * U_SPAN))
    map_y = (v - np.float32(V_LOW)) * np.float32(tall / (V_HIGH - V_LOW))
    colour = cv2.remap(cloth, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    np.clip(light, 0.3, 1.6, out=light)
    gains = (scene.gain * scene.ambient).astype(np.float32)
    lit: Floats32 = np.asarray(
        cv2.multiply(colour, cv2.merge([light * g for g in gains]), dtype=cv2.CV_32F), np.float32
    )
    if look.gloss > 0.05:
        shine = np.maximum(light - np.float32(1.02), 0) * np.float32(260 * look.gloss * scene.ambient)
        lit += shine[..., None]
    # A film's shoulder: whites flatten out before they clip.
    np.minimum(lit, 225 + 0.4 * (lit - 225), out=lit)
    return lit


def _edge(
    colour: Floats32,
    cover: UInts8,
    shape: Shape,
    look: Look,
    frame: HeadFrame,
    scene: Scene,
    rng: np.random.Generator,
) -> None:
    """Let the cloth turn away at its rim, and sew a border on, in place."""
    depth = max(0.8, frame.width_px * float(rng.uniform(0.008, 0.025)))
    inner = cv2.GaussianBlur(cover, (0, 0), depth).astype(np.float32)
    rim = np.clip((inner - 127) * np.float32(1 / 128), 0, 1)
    strength = float(rng.uniform(-0.06, 0.30))
    colour *= (1 - np.float32(strength) * (1 - rim))[..., None]
    if look.piping is None or shape.kind == "random":
        return
    ring, normals = shape.sheet.picture[0, :, :2], shape.sheet.normals[0]
    ink = look.piping * 255 * scene.gain * scene.ambient
    thick = max(1, round(frame.width_px * float(rng.uniform(0.008, 0.035))))
    layer = np.zeros(cover.shape, np.uint8)
    fixed, seen = fixed_point(ring), normals[:, 2] < 0.0
    starts = np.flatnonzero(seen & ~np.roll(seen, 1))
    if not len(starts):
        runs = [fixed] if seen.all() else []
    else:
        fixed, seen = np.roll(fixed, -starts[0], 0), np.roll(seen, -starts[0])
        runs = [run for run in np.split(fixed, np.flatnonzero(np.diff(seen)) + 1)[::2] if len(run) > 1]
    cv2.polylines(layer, runs, not len(starts), 255, thick, cv2.LINE_AA, 4)
    part = (layer * np.float32(1 / 255))[..., None]
    colour += (ink.astype(np.float32) - colour) * part


def _paint_pod(colour: Floats32, pod: Floats64, look: Look, scene: Scene) -> None:
    """One filter housing: dark wall, lit front, two rings."""
    level = 255 * scene.gain * scene.ambient
    wall, front = look.base * 0.6 * level, look.strap * 0.9 * level
    hull = np.asarray(cv2.convexHull(pod.reshape(-1, 2).astype(np.float32))[:, 0], np.float32)
    cv2.fillConvexPoly(colour, fixed_point(hull), wall.tolist(), cv2.LINE_8, 4)
    centre = pod[1].mean(0)
    for grow, tone in ((1.0, 1.0), (0.82, 0.8), (0.76, 1.0), (0.3, 0.7)):
        disc = centre + grow * (pod[1] - centre)
        cv2.fillConvexPoly(colour, fixed_point(disc), (front * tone).tolist(), cv2.LINE_AA, 4)


def _paint_part(
    colour: Floats32, outline: Floats64, ink: Floats32, scene: Scene, rng: np.random.Generator
) -> None:
    """One thing that sticks to a covering: a dark rim, and up to three smaller outlines of other brightness."""
    level = (255 * ink * scene.gain * scene.ambient).astype(np.float32)
    centre = outline.mean(0)
    tones = rng.uniform(0.6, 1.1, int(rng.integers(1, 4)))
    for grow, tone in zip(
        (1.08, 0.9, rng.uniform(0.3, 0.8), rng.uniform(0.1, 0.3)), (0.55, *tones), strict=False
    ):
        cv2.fillPoly(
            colour, [fixed_point(centre + grow * (outline - centre))], (level * tone).tolist(), cv2.LINE_AA, 4
        )


def _paint_straps(
    colour: Floats32, cover: UInts8, straps: UInts8, shape: Shape, ink: Floats32, frame: HeadFrame
) -> None:
    """Colour the straps where they leave the covering, a little darker at both rims, in place."""
    # A little wider than they are, so that blurring mixes in no other colour; never into the covering's rim.
    near = cv2.dilate(straps, np.ones((5, 5), np.uint8)) > 0
    outside = near & (cover < 40)
    layer = np.zeros(cover.shape, np.uint8)
    thick = max(1, round(0.006 * frame.width_px))
    for strap in shape.straps:
        cv2.polylines(layer, [fixed_point(strap)], True, 60, thick, cv2.LINE_AA, 4)
    colour[outside] = ink * (1 - layer[outside] * np.float32(1 / 255))[:, None]


def _cast_shadow(
    face: ImageU8, covered: UInts8, frame: HeadFrame, scene: Scene, rng: np.random.Generator
) -> tuple[Floats32, npt.NDArray[np.bool_]]:
    """Soft shadow on the skin around the covering.

    Returns:
        The window with the shadow, float32 [h, w, 3], and where it differs from the window, bool [h, w].
    """
    softness = frame.width_px * float(rng.uniform(0.008, 0.035))
    away = -scene.light[:2] * float(rng.uniform(0.02, 0.08)) + [0, float(rng.uniform(-0.004, 0.014))]
    dx, dy = away * frame.width_px
    shift = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    moved = cv2.warpAffine(covered, shift, (covered.shape[1], covered.shape[0]), flags=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(moved, (0, 0), max(0.6, softness)).astype(np.float32)
    soft *= np.float32(float(rng.uniform(0.08, 0.5)) / 255)
    soft[soft < 0.012] = 0
    # Red is dimmed least: light that reaches shaded skin has passed through skin.
    warmth = (0.85, 0.97, 1.0) if scene.tint is None else (0.95, 0.95, 0.95)
    shaded = cv2.multiply(face, cv2.merge([1 - np.float32(w) * soft for w in warmth]), dtype=cv2.CV_32F)
    return np.asarray(shaded, np.float32), soft > 0


def _reencode(picture: ImageU8, quality: int) -> ImageU8:
    """JPEG and back. OpenCV takes and gives BGR."""
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    again = cv2.imdecode(data, cv2.IMREAD_COLOR) if done else None
    if again is None:
        raise RuntimeError(f"OpenCV could not encode a {picture.shape} window as JPEG and read it back")
    return np.asarray(cv2.cvtColor(again, cv2.COLOR_BGR2RGB), np.uint8)
