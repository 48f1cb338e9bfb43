"""Outline of a covering: from 468 landmarks to a surface that lies on the face, also on a turned head.

A covering is cut in the head's own frame (x to the right ear in the picture, y to the chin, z out of the
face; unit: face width), laid on a smooth surface fitted through the landmarks, domed outwards, and only
then projected into the picture. So the far edge of a turned head comes out as the dome's own contour.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from demask.errors import InputError
from demask.types import Landmarks

F64 = npt.NDArray[np.float64]

JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
NOSE_CHAIN = (6, 197, 195, 5, 4, 2, 164, 0, 17, 18, 200)  # From the bridge down to the chin.
_LEFT_CHEEK, _RIGHT_CHEEK = (118, 117, 116), (347, 346, 345)  # Inner to outer, under the eye.
_INNER = (4, 5, 1, 2, 164, 0, 17, 18, 200, 199, 175, 61, 291, 57, 287, 205, 425, 50, 280, 187, 411)
NUM_SPANS = 6  # Samples per span of the spline.
RINGS = np.array([0.0, 0.12, 0.26, 0.42, 0.6, 0.8, 1.0])


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadFrame:
    """The head's own axes.

    Attributes:
        origin: Middle of the mouth, pixels, [3].
        axes: Rows: right, down, out of the face, as unit vectors of the picture, [3, 3].
        width_px: Face width.
        points: Landmarks in the frame, [468, 3].
        surface: Coefficients of the smooth face surface z(x, y), see `_basis`.
    """

    origin: F64
    axes: F64
    width_px: float
    points: F64
    surface: F64

    def to_picture(self, points: F64) -> F64:
        """Project points of the frame, [..., 3] to [..., 3] in pixels (z: smaller is nearer)."""
        projected: F64 = self.origin + self.width_px * (points @ self.axes)
        return projected

    def z_of(self, x: F64, y: F64) -> F64:
        """Height of the smooth face surface; held constant beyond the face."""
        z: F64 = _basis(np.clip(x, -0.56, 0.56), np.clip(y, -0.55, 0.36)) @ self.surface
        return z


def _basis(x: F64, y: F64) -> F64:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y, x * x * y, y**3, x**4], axis=-1)


def head_frame(landmarks: Landmarks) -> HeadFrame:
    """Find the head's axes and the smooth surface of its face.

    Args:
        landmarks: FaceMesh points, float [468, 3] in pixels.

    Raises:
        InputError: Wrong shape, not finite, or all in one place.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (468, 3) or not np.isfinite(points).all():
        raise InputError(
            f"landmarks are {points.shape}; a covering needs 468 finite FaceMesh points (x, y, z)"
        )
    across, down = points[454] - points[234], points[152] - points[10]
    width = float(np.linalg.norm(across))
    if width < 4 or np.linalg.norm(np.cross(across, down)) < 4:
        raise InputError("the landmarks lie in one place or on one line; a face must be at least 4 px wide")
    right = across / width
    down -= right * (down @ right)
    down /= np.linalg.norm(down)
    axes = np.stack([right, down, -np.cross(right, down)])
    origin = (points[13] + points[14]) / 2
    local = (points - origin) @ axes.T / width
    low = local[:, 1] > -0.62
    surface, *_ = np.linalg.lstsq(_basis(local[low, 0], local[low, 1]), local[low, 2], rcond=None)
    return HeadFrame(origin=origin, axes=axes, width_px=width, points=local, surface=surface)


def along(points: F64, chain: tuple[int, ...], position: float) -> F64:
    """Point at a fractional position of a chain of landmarks, [3]."""
    position = min(max(position, 0.0), len(chain) - 1.0)
    i = min(int(position), len(chain) - 2)
    part: F64 = points[chain[i]] + (position - i) * (points[chain[i + 1]] - points[chain[i]])
    return part


@lru_cache(maxsize=8)
def _spline_weights(tension: float) -> F64:
    t = np.arange(NUM_SPANS) / NUM_SPANS
    k = tension
    return np.stack(
        [
            -k * t + 2 * k * t**2 - k * t**3,
            1 + (k - 3) * t**2 + (2 - k) * t**3,
            k * t + (3 - 2 * k) * t**2 + (k - 2) * t**3,
            -k * t**2 + k * t**3,
        ]
    )


def closed_spline(control: F64, tension: float = 0.5) -> F64:
    """Closed cardinal spline through control points, [N, D] to [N * NUM_SPANS, D].

    `tension` 0.5 is Catmull and Rom's (Computer Aided Geometric Design, 1974); 0 gives a polygon.
    """
    around = np.stack([np.roll(control, 1, 0), control, np.roll(control, -1, 0), np.roll(control, -2, 0)])
    curve: F64 = np.einsum("knd,kt->ntd", around, _spline_weights(round(tension, 1)))
    return curve.reshape(-1, control.shape[1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """One covering's measures; see `catalogue.Kind` for the units. Pairs are (left, right in the picture)."""

    start: tuple[float, float]
    nose: float
    cheek: tuple[float, float]
    widen: float
    drop: float
    dome: float
    square: float
    stand_off: tuple[float, float]
    tilt_deg: float
    shift: tuple[float, float]
    bottom: str
    jitter: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """Edge of a covering in the head's frame.

    Attributes:
        edge: Closed curve, float [N, 2] (x, y).
        anchors: Where straps leave: left top, left bottom, right top, right bottom, float [4, 2].
        dome: How far the middle stands off the face.
    """

    edge: F64
    anchors: F64
    dome: float


def cut_outline(frame: HeadFrame, cut: Cut, rng: np.random.Generator) -> Outline:
    """Lay the edge of a catalogue covering along jaw, cheeks and nose."""
    points = frame.points
    nose = along(points, NOSE_CHAIN, cut.nose)[:2]
    below = max(0.0, cut.nose - 4.0) * 0.06  # Worn low, the whole upper edge comes down.
    inner_left, inner_right = points[_LEFT_CHEEK[0], :2].copy(), points[_RIGHT_CHEEK[0], :2].copy()
    inner_left[1] += 0.04 + 0.10 * cut.cheek[0] + below
    inner_right[1] += 0.04 + 0.10 * cut.cheek[1] + below
    # No corner may stand up like a horn above the edge that it ends.
    first = _lowered(points, cut.start[0], inner_left[1] - 0.13)
    last = 20 - _lowered(points[:, :2], cut.start[1], inner_right[1] - 0.13, mirrored=True)
    num = 9
    jaw = np.stack([along(points, JAW, first + (last - first) * i / (num - 1)) for i in range(num)])[:, :2]
    jaw[:, 0] *= cut.widen
    # The lower edge hangs below the chin; most in the middle.
    hang = np.clip((jaw[:, 1] - jaw[[0, -1], 1].mean()) / 0.4, 0, 1)
    jaw[:, 1] += hang * cut.drop
    jaw[: num // 2, 0] -= cut.stand_off[0] * np.linspace(0.4, 1, num // 2)
    jaw[num // 2 + 1 :, 0] += cut.stand_off[1] * np.linspace(1, 0.4, num // 2)
    if cut.square > 0:
        # Push the side's middle outwards and straighten the lower edge: four corners appear.
        for i, sign in ((1, -1.0), (2, -1.0), (num - 3, 1.0), (num - 2, 1.0)):
            edge_x = (jaw[0, 0] if sign < 0 else jaw[-1, 0]) * 0.94
            pushed = min(jaw[i, 0], edge_x) if sign < 0 else max(jaw[i, 0], edge_x)
            jaw[i, 0] += 0.7 * cut.square * (pushed - jaw[i, 0])
    if cut.bottom == "neck":
        left, right = jaw[3], jaw[num - 4]
        far = points[152, 1] + 1.2
        jaw = np.concatenate(
            [jaw[:3], [[left[0] * 1.0, left[1] + 0.12], [left[0] * 0.98, far], [right[0] * 0.98, far],
             [right[0], right[1] + 0.12]], jaw[num - 3 :]]
        )  # fmt: skip
    elif cut.bottom == "point":
        jaw[3:-3, 1] += cut.drop * np.array([0.3, 1.0, 0.3])
    sides = []
    for inner, chain, corner in ((inner_left, _LEFT_CHEEK, jaw[0]), (inner_right, _RIGHT_CHEEK, jaw[-1])):
        outer = 0.5 * points[chain[2], :2] + 0.5 * corner
        outer[1] = max(outer[1], inner[1] - 0.02)
        sides.append((inner, outer))
    (left_in, left_out), (right_in, right_out) = sides
    # Where the upper edge meets a corner that lies further in than the cheek, drop the outer point.
    right_top = [right_out, right_in] if abs(jaw[-1, 0]) > abs(right_in[0]) + 0.06 else [right_in]
    left_top = [left_in, left_out] if abs(jaw[0, 0]) > abs(left_in[0]) + 0.06 else [left_in]
    control = np.concatenate([jaw, right_top, [nose], left_top])
    control = control + rng.normal(0, cut.jitter, control.shape)
    edge = closed_spline(control, 0.5 - 0.3 * cut.square)
    n = len(jaw)
    anchors = np.stack([control[0], control[3 if n > 6 else 1], control[n - 1], control[n - 4]])
    angle = np.deg2rad(cut.tilt_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shift = np.array(cut.shift)
    return Outline(edge=edge @ turn + shift, anchors=anchors @ turn + shift, dome=cut.dome)


def _lowered(points: F64, start: float, highest_y: float, *, mirrored: bool = False) -> float:
    """First position at or below `start` along the jaw that lies no higher than `highest_y`."""
    chain = JAW[::-1] if mirrored else JAW
    while start < 7 and float(along(points, chain, start)[1]) < highest_y:
        start += 0.25
    return start


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A covering's surface, sampled on rings from its edge (first) to its middle (last).

    Attributes:
        uv: Position on the cloth: u from -1 (left ear) to 1, v from 0 (top) to 1 (bottom), [R, N, 2].
        picture: The same points in the picture, pixels, [R, N, 3].
        normals: Unit normals in picture axes (z < 0 faces the viewer), [R, N, 3].
        hull: Picture outline of what bulges under the cloth, [M, 2], may be empty.
    """

    uv: F64
    picture: F64
    normals: F64
    hull: F64


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
    # Beyond the horizon of a turned head the cloth cannot be seen: its edge there is the last visible ring.
    for k in range(len(RINGS) - 3, -1, -1):
        hidden = normals[k, :, 2] > 0.0
        picture[k, hidden] = picture[k + 1, hidden]
    half = max(-low[0], high[0], 0.2)
    u = np.arcsin(np.clip(xy[..., 0] / half, -1, 1) * 0.95) / np.arcsin(0.95)
    v = (xy[..., 1] - low[1]) / max(min(high[1], low[1] + 1.0) - low[1], 0.05)

    # Taut cloth spans whatever stands out under it: nose, lips, chin.
    contour = edge.astype(np.float32).reshape(-1, 1, 2)
    inner = [
        i for i in _INNER
        if cv2.pointPolygonTest(contour, (float(frame.points[i, 0]), float(frame.points[i, 1])), True) > 0.03
    ]  # fmt: skip
    hull = (
        frame.to_picture(frame.points[inner] + [0, 0, 0.015])[:, :2] if len(inner) > 2 else np.empty((0, 2))
    )
    return Sheet(uv=np.stack([u, v], -1), picture=picture, normals=normals, hull=hull)


def silhouette(sheet: Sheet, shape: tuple[int, int], *, solid: bool = True) -> npt.NDArray[np.uint8]:
    """Fill the sheet's outline in the picture, anti-aliased: uint8 [H, W], 255 = covered."""
    canvas = np.zeros(shape, np.uint8)
    rings = sheet.picture[:5] if solid else sheet.picture[:1]
    for ring in rings:
        cv2.fillPoly(canvas, [fixed_point(ring[:, :2])], 255, cv2.LINE_AA, 4)
    if solid and len(sheet.hull) > 2:
        hull = cv2.convexHull(sheet.hull.astype(np.float32))[:, 0]
        cv2.fillConvexPoly(canvas, fixed_point(hull), 255, cv2.LINE_AA, 4)
    return canvas


def fixed_point(points: npt.NDArray[np.floating]) -> npt.NDArray[np.int32]:
    """Picture points as OpenCV wants them with `shift=4`: int32 [N, 2], sixteenths of a pixel."""
    limited: npt.NDArray[np.int32] = np.clip(np.rint(points * 16), -(1 << 20), 1 << 20).astype(np.int32)
    return limited
