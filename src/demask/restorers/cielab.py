"""sRGB to CIE 1976 L*a*b* (CIE 15:2004; sRGB by IEC 61966-2-1, white point D65)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from demask.types import ImageU8

# Linear sRGB to XYZ, each row divided by the white point's X, Y or Z.
_TO_XYZ = np.array(
    [
        [0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883],
    ]
)
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27


def to_lab(picture: ImageU8) -> npt.NDArray[np.float64]:
    """Convert uint8 RGB [..., 3] to CIE Lab, float64 [..., 3]: L in [0, 100], a and b in about [-108, 98].

    Written out rather than left to OpenCV, whose tables differ between versions: patches are compared
    without rounding further on, so the same picture must give the same colours everywhere.
    """
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)[picture]
    # Three products and two sums per value, in a fixed order; a matrix product's order is the library's.
    x, y, z = (linear[..., 0] * row[0] + linear[..., 1] * row[1] + linear[..., 2] * row[2] for row in _TO_XYZ)
    fx, fy, fz = (np.where(t > _EPSILON, np.cbrt(t), (_KAPPA * t + 16) / 116) for t in (x, y, z))
    return np.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], axis=-1)


def to_rgb(lab: npt.NDArray[np.float64]) -> ImageU8:
    """Convert CIE Lab, float64 [..., 3], to uint8 RGB; colours that sRGB does not have are cut off."""
    fy = (lab[..., 0] + 16) / 116
    roots = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    xyz = np.where(roots**3 > _EPSILON, roots**3, (116 * roots - 16) / _KAPPA)
    linear = np.clip(xyz @ np.linalg.inv(_TO_XYZ).T, 0, 1)
    levels = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    picture: ImageU8 = np.rint(levels * 255).astype(np.uint8)
    return picture
