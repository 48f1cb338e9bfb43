"""HDR shown to networks that know everyday photographs, and back.

PQ is SMPTE ST 2084 (eq. 4.1, 5.1), HLG is ITU-R BT.2100 (table 5). Linear light, 1 = diffuse white at 203 cd/m2
(ITU-R BT.2408), is brought from BT.2020 to BT.709 primaries (BT.2087), rolled off above by Reinhard's curve
with a white point (SIGGRAPH 2002, eq. 4) and coded as sRGB. Every step has an inverse, so a restored pixel goes
back.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

import cv2
import numpy as np

from demask.types import AnyArray, Floats32, Floats64, ImageU8

_PQ, _HLG = 16, 18
_WHITE_NITS = 203.0
_PEAK = 4.9  # Diffuse whites that still fit: 1000 cd/m2.
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
_LEVELS = 4096


class Transfer(Enum):
    """From light to numbers."""

    PLAIN = "plain"
    PQ = "pq"
    HLG = "hlg"

    @classmethod
    def of_number(cls, number: int) -> Transfer:
        """By number of the transfer characteristics, H.273 table 3."""
        return {_PQ: cls.PQ, _HLG: cls.HLG}.get(number, cls.PLAIN)


def display_rgb(coded: AnyArray, transfer: Transfer) -> ImageU8:
    """Render HDR for the networks.

    Args:
        coded: uint16 RGB [H, W, 3], full range, in the clip's own coding.
        transfer: PQ or HLG.

    Returns:
        uint8 sRGB [H, W, 3].
    """
    linear = _linear_table(transfer)[coded >> 4]
    shown = cv2.transform(linear, _TO_709)
    steps = np.clip(shown * (_LEVELS / _PEAK), 0, _LEVELS - 1).astype(np.uint16)
    rendered: ImageU8 = _shown_table()[steps]
    return rendered


def scene_rgb(shown: Floats32, transfer: Transfer) -> Floats32:
    """Back from what the networks saw: sRGB [H, W, 3] in [0, 1] to the clip's own coding in [0, 1]."""
    light = _rolled_on(_srgb_to_linear(shown.astype(np.float64)))
    wide = np.clip(light @ np.linalg.inv(_TO_709.astype(np.float64)).T, 0, _PEAK)
    return (_pq(wide) if transfer is Transfer.PQ else _hlg(wide)).astype(np.float32)


@lru_cache(maxsize=2)
def _linear_table(transfer: Transfer) -> Floats32:
    """Light for each of 4096 code values."""
    code = np.linspace(0, 1, _LEVELS)
    light = _pq_inverse(code) if transfer is Transfer.PQ else _hlg_inverse(code)
    return np.minimum(light, _PEAK).astype(np.float32)


@lru_cache(maxsize=1)
def _shown_table() -> ImageU8:
    """The sRGB level of light from 0 to the peak."""
    light = (np.arange(_LEVELS, dtype=np.float64) + 0.5) * (_PEAK / _LEVELS)
    return np.rint(255 * _linear_to_srgb(_rolled_off(light))).clip(0, 255).astype(np.uint8)


def _rolled_off(light: Floats64) -> Floats64:
    return light * (1 + light / _PEAK**2) / (1 + light)


def _rolled_on(shown: Floats64) -> Floats64:
    # x (1 + x / w2) = s (1 + x), solved for x.
    half = (1 - shown) / 2 * _PEAK**2
    return -half + np.sqrt(half**2 + shown * _PEAK**2)


def _linear_to_srgb(light: Floats64) -> Floats64:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _srgb_to_linear(coded: Floats64) -> Floats64:
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def _pq(light: Floats64) -> Floats64:
    powered = (light * _WHITE_NITS / 10000) ** _M1
    return np.asarray(((_C1 + _C2 * powered) / (1 + _C3 * powered)) ** _M2)


def _pq_inverse(code: Floats64) -> Floats64:
    root = code ** (1 / _M2)
    return np.asarray((np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1) * 10000 / _WHITE_NITS)


_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
_HLG_WHITE = 0.265
"""Scene light of the level 0.75, which BT.2408 gives to diffuse white."""


def _hlg(light: Floats64) -> Floats64:
    scene = light * _HLG_WHITE
    with np.errstate(invalid="ignore"):
        return np.where(
            scene <= 1 / 12, np.sqrt(3 * scene), _A * np.log(np.maximum(12 * scene - _B, 1e-9)) + _C
        )


def _hlg_inverse(code: Floats64) -> Floats64:
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - _C) / _A) + _B) / 12)
    return np.asarray(scene / _HLG_WHITE)
