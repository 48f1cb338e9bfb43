"""Surface of a covering: its outline domed over the face and projected, also on a turned head.

A covering is cut in the head's own frame (x to the right ear in the picture, y to the chin, z out of the
face; unit: face width), laid on a smooth surface fitted through the landmarks, domed outwards, and only
then projected into the picture. So the far edge of a turned head comes out as the dome's own contour.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from demask.coverings.head import HeadFrame
from demask.coverings.outline import Outline
from demask.types import Floats64

_INNER = (4, 5, 1, 2, 164, 0, 17, 18, 200, 199, 175)  # Nose, lips and chin.
_SMOOTH = ((-2, 1 / 9), (-1, 2 / 9), (0, 3 / 9), (1, 2 / 9), (2, 1 / 9))
RINGS = np.array([0.0, 0.12, 0.26, 0.42, 0.6, 0.8, 1.0])
_FAR_SIDE = -0.25  # A side whose outward direction points away from the viewer by more than this is hidden.


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A covering's surface, sampled on rings from its edge (first) to its middle (last).

    Attributes:
        uv: Position on the cloth: u from -1 (left ear) to 1, v from 0 (top) to 1 (bottom), [R, N, 2].
        picture: The same points in the picture, pixels, [R, N, 3].
        normals: Unit normals in picture axes (z < 0 faces the viewer), [R, N, 3].
        hull: Picture outline of what bulges under the cloth, [M, 2], may be empty.
    """

    uv: Floats64
    picture: Floats64
    normals: Floats64
    hull: Floats64


def drape(frame: HeadFrame, outline: Outline) -> Sheet:
    """Dome the covering over the face and project it."""
    edge = outline.edge
    low, high = edge.min(0), edge.max(0)
    middle = np.array([(low[0] + high[0]) / 2, low[1] + 0.55 * (min(high[1], low[1] + 0.9) - low[1])])
    ring = RINGS[:, None, None]
    xy = edge + ring * 0.98 * (middle - edge)
    lift = outline.dome * (1 - (1 - RINGS[:, None]) ** 2) + 0.012
    z = frame.z_of(xy[..., 0], xy[..., 1]) + lift
    spatial = np.concatenate([xy, z[..., None]], axis=-1)
    picture = frame.to_picture(spatial)

    along_ring = np.roll(spatial, -1, 1) - np.roll(spatial, 1, 1)
    inward = np.gradient(spatial, axis=0)
    normals = np.cross(inward, along_ring)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9
    normals *= np.where(normals[..., 2:] < 0, -1.0, 1.0)
    normals = normals @ frame.axes
    _hide_far_edge(frame, spatial, picture, normals)
    half = max(-low[0], high[0], 0.2)
    u = np.arcsin(np.clip(xy[..., 0] / half, -1, 1) * 0.95) / np.arcsin(0.95)
    v = (xy[..., 1] - low[1]) / max(min(high[1], low[1] + 1.0) - low[1], 0.05)

    # Taut cloth spans whatever stands out under it: nose, lips, chin.
    contour = edge.astype(np.float32).reshape(-1, 1, 2)
    inner = [
        i for i in _INNER
        if cv2.pointPolygonTest(contour, (float(frame.points[i, 0]), float(frame.points[i, 1])), True) > 0.03
    ]  # fmt: skip
    hull = frame.to_picture(frame.points[inner] + [0, 0, 0.015])[:, :2] if len(inner) > 2 else np.empty((0, 2))
    return Sheet(uv=np.stack([u, v], -1), picture=picture, normals=normals, hull=hull)


def silhouette(sheet: Sheet, shape: tuple[int, int], *, solid: bool = True) -> npt.NDArray[np.uint8]:
    """Fill the sheet's outline in the picture, anti-aliased: uint8 [H, W], 255 = covered."""
    canvas = np.zeros(shape, np.uint8)
    rings = sheet.picture[:5] if solid else sheet.picture[:1]
    for ring in rings:
        cv2.fillPoly(canvas, [fixed_point(ring[:, :2])], 255, cv2.LINE_AA, 4)
    if solid and len(sheet.hull) > 2:
        hull = cv2.convexHull(sheet.hull.astype(np.float32))[:, 0]
        cv2.fillConvexPoly(canvas, fixed_point(np.asarray(hull, np.float32)), 255, cv2.LINE_AA, 4)
    return canvas


def fixed_point(points: npt.NDArray[np.floating]) -> npt.NDArray[np.int32]:
    """Picture points as OpenCV wants them with `shift=4`: int32 [N, 2], sixteenths of a pixel."""
    limited: npt.NDArray[np.int32] = np.clip(np.rint(points * 16), -(1 << 20), 1 << 20).astype(np.int32)
    return limited


_EAR_TOP, _EAR_LOW = (
    (127, 356),
    (93, 323),
)  # Left, right in the picture: where the ear's root begins and ends.


@dataclass(frozen=True, kw_only=True, slots=True)
class StrapPlan:
    """How the straps run.

    Attributes:
        way: "none", "loops" or "bands".
        width: Width in face widths, at the ear; `flare` times as wide where it leaves the covering.
        flare: See `width`.
        slack: How far a strap sags, in face widths.
        spread: Shift of the two straps' ends along the ear, face widths, (upper, lower).
    """

    way: str
    width: float
    flare: float
    slack: float
    spread: tuple[float, float]


def strap_polygons(frame: HeadFrame, outline: Outline, plan: StrapPlan) -> list[Floats64]:
    """Ribbons of every visible strap, each a closed polygon in picture pixels, [M, 2]."""
    if plan.way == "none":
        return []
    polygons = []
    for side, sign in ((0, -1.0), (1, 1.0)):
        outward = sign * frame.axes[0]
        if -outward[2] < _FAR_SIDE:
            continue
        top, low = outline.anchors[2 * side], outline.anchors[2 * side + 1]
        if plan.flare > 2:  # The cloth itself runs out into the straps: both leave the side's middle.
            top, low = top + 0.25 * (low - top), top + 0.55 * (low - top)
        ear_top, ear_low = frame.points[_EAR_TOP[side]].copy(), frame.points[_EAR_LOW[side]].copy()
        if plan.way == "loops":
            back = np.array([sign * 0.015, 0.0, -0.16])
            ends = (
                ear_top + back + np.array([0, 0.03 + plan.spread[0], 0]),
                ear_low + back + np.array([0, plan.spread[1], 0]),
            )
        else:
            # The upper band climbs over the ear to the crown, the lower one goes under it to the neck.
            crown, nape = (
                np.array([0.0, -0.08 + 1.5 * plan.spread[0], -0.6]),
                np.array([0.0, 0.1 + plan.spread[1], -0.5]),
            )
            ends = (ear_top + crown, ear_low + nape)
        for start, end in ((top, ends[0]), (low, ends[1])):
            polygons.append(_ribbon(frame, start, end, plan))
    return polygons


def _hide_far_edge(frame: HeadFrame, spatial: Floats64, picture: Floats64, normals: Floats64) -> None:
    """Let the edge of a turned head's far side be the last ring that can be seen, in place.

    The smooth surface falls off more slowly than a face does: there, points beyond the face's own contour
    (the hull of its landmarks) count as hidden too.
    """
    far = -np.sign(frame.axes[0, 2])  # Negative z is nearer: the side whose outward direction has z > 0 is far.
    contour = None
    if abs(frame.axes[0, 2]) > 0.12:
        contour = cv2.convexHull(frame.to_picture(frame.points)[:, :2].astype(np.float32))
    for k in range(len(RINGS) - 3, -1, -1):
        hidden = normals[k, :, 2] > 0.0
        if contour is not None and k <= 2:
            beyond = np.flatnonzero((spatial[k, :, 0] * far < -0.2) & (spatial[k, :, 1] < 0.28))
            for i in beyond:
                x, y = float(picture[k, i, 0]), float(picture[k, i, 1])
                hidden[i] |= cv2.pointPolygonTest(contour, (x, y), True) < -0.012 * frame.width_px
        picture[k, hidden] = picture[k + 1, hidden]
        if k <= 2 and hidden.any():  # Round off the steps where one ring takes over from another.
            picture[k] = sum(w * np.roll(picture[k], d, 0) for d, w in _SMOOTH)


def _ribbon(frame: HeadFrame, start: Floats64, end: Floats64, plan: StrapPlan) -> Floats64:
    """One strap as a polygon: a sagging curve over the cheek, widened to both sides in the picture."""
    t = np.linspace(0.0, 1.0, 9)
    # Begin a little inside, so that no gap shows between covering and strap.
    begin = start * 0.94
    x = begin[0] + t * (end[0] - begin[0])
    y = begin[1] + t * (end[1] - begin[1]) + plan.slack * np.sin(np.pi * t)
    # Lie on the face first, then run straight back along the side of the head.
    on_face = frame.z_of(x, y) + 0.02
    z = on_face + t**2 * (end[2] - on_face)
    line = frame.to_picture(np.stack([x, y, z], -1))[:, :2]
    way = np.gradient(line, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-9
    half = 0.5 * frame.width_px * plan.width * (1 + (plan.flare - 1) * (1 - t) ** 2)
    side = np.stack([-way[:, 1], way[:, 0]], 1) * half[:, None]
    return np.concatenate([line + side, (line - side)[::-1]])
