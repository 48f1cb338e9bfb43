"""Pixels of any kind that Pillow knows to RGB of 8 bits and transparency, and RGB to brightness."""

from __future__ import annotations

import functools
import io
import logging

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from demask.errors import InputError
from demask.types import Hole, ImageU8

GREY_MODES = frozenset({"1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N"})
KNOWN_MODES = GREY_MODES | {"P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB"}
_logger = logging.getLogger(__name__)


def to_rgb(image: Image.Image, icc: bytes | None) -> tuple[ImageU8, npt.NDArray[np.uint8] | None, bytes | None]:
    """Convert a picture of 8 bits (or fewer) per channel.

    Args:
        image: Any of `KNOWN_MODES` but the 16-bit ones, which Pillow clips instead of scaling.
        icc: Its profile.

    Returns:
        uint8 RGB [H, W, 3]; the transparency, uint8 [H, W], if it has any; and the profile that
        describes the RGB values.

    Raises:
        InputError: A Lab picture that cannot be converted.
    """
    if image.mode in ("CMYK", "LAB"):
        converted, icc = _to_srgb(image, icc)
        return np.asarray(converted), None, icc
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB")), None, icc
    rgba = image.convert("RGBA")
    return np.asarray(rgba.convert("RGB")), np.asarray(rgba.getchannel("A")), icc


def luma(pixels: ImageU8) -> npt.NDArray[np.uint8]:
    """Brightness of RGB values [..., 3] by the weights of ITU-R BT.601; grey values stay as they are."""
    weighted = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.rint(weighted).astype(np.uint8)


def grey_merged(photo: ImageU8, pixels: ImageU8, changed: Hole) -> npt.NDArray[np.uint8]:
    """A grey photo's values, [H, W], with the brightness of `pixels` where it changed; both RGB [H, W, 3]."""
    merged = photo[..., 0].copy()
    merged[changed] = luma(pixels[changed])
    return merged


@functools.cache
def srgb_profile() -> bytes:
    """An sRGB profile that is the same bytes on every day (ICC.1:2022, sec. 7.2).

    The library writes into it when it was made; the output of one photo would differ from day to day.
    """
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = np.array([2000, 1, 1, 0, 0, 0], ">u2").tobytes()  # The date of making.
    profile[84:100] = bytes(16)  # A checksum that would no longer fit; zero = not computed.
    return bytes(profile)


def _to_srgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, bytes]:
    """Convert through the embedded profile (relative colorimetric, black point compensated).

    A CMYK picture without a usable profile is taken as plain ink coverage, as viewers do.
    """
    srgb = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
    try:
        if image.mode == "LAB":
            own = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif icc:
            own = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        else:
            return image.convert("RGB"), srgb_profile()
        converted = ImageCms.profileToProfile(
            image,
            own,
            srgb,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        assert converted is not None
        return converted, srgb_profile()
    except (ImageCms.PyCMSError, OSError) as error:
        if image.mode == "LAB":
            raise InputError(f"the Lab picture cannot be converted to RGB ({error}); save it as RGB") from error
        _logger.warning("the CMYK profile cannot be used (%s); taking plain ink coverage", error)
        return image.convert("RGB"), srgb_profile()
