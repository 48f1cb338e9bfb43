"""A PIL image to a Photo, and new pixels back to a PIL image of the same mode where that can hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from demask.errors import PhotoUnsupported
from demask.photo import exif as exif_block
from demask.photo.colour import GREY_MODES, KNOWN_MODES, grey_merged, to_rgb
from demask.photo.decode import Photo, unreadable_if_broken
from demask.photo.deep import DeepPixels, deep_merged, deep_of, key_alpha, to_8_bit
from demask.photo.exif import dpi_of, profile_of, xmp_of
from demask.photo.formats import FORMATS
from demask.photo.provenance import labelled
from demask.types import Hole, ImageU8

_NAME = "the PIL image"
_EXACT_MODES = frozenset({"YCbCr", "HSV"})
"""Colour modes that RGB does not hold exactly: outside the hole the result keeps the image's own values."""


def photo_of_pil(image: Image.Image) -> Photo:
    """Take a PIL image as `read_photo` takes a file.

    Args:
        image: Any image of 8 or 16 bits per channel; the frame it is at, if it has several. It may still
            have to be loaded from its file.

    Raises:
        PhotoUnsupported: Its pixels are of a kind we cannot put back, or it has none.
        PhotoUnreadable: It cannot be loaded.
    """
    mode = image.mode
    if mode not in KNOWN_MODES | _EXACT_MODES:
        raise PhotoUnsupported(
            f"{_NAME} has the mode {mode} (32-bit or float); convert it to 8 or 16 bit per channel"
        )
    if 0 in image.size:
        raise PhotoUnsupported(f"{_NAME} has {image.width}x{image.height} px; give one with pixels")
    with unreadable_if_broken(_NAME):
        image.load()
        turn, block = _turn_and_exif(image)
        icc = profile_of(image.info)
        deep, alpha = None, None
        if mode.startswith("I;16"):
            deep = exif_block.upright(deep_of(image), turn)
            pixels = to_8_bit(np.repeat(deep[..., None], 3, axis=2))
        else:
            pixels, alpha, icc = to_rgb(image, icc)
            pixels = exif_block.upright(pixels, turn)
    return Photo(
        pixels=pixels,
        alpha=key_alpha(image, deep) if alpha is None else exif_block.upright(alpha, turn),
        deep=deep,
        format=str(image.format) if image.format in FORMATS else "PNG",
        mode=mode,
        icc=icc,
        exif=exif_block.cleaned(block),
        xmp=xmp_of(image.info),
        dpi=dpi_of(image.info),
    )


def pil_of_photo(
    image: Image.Image,
    photo: Photo,
    pixels: ImageU8,
    changed: Hole,
    *,
    label: bool = True,
    networks: Mapping[str, str] | None = None,
) -> Image.Image:
    """Make an image like the one that came.

    The mode stays (grey, grey of 16 bits, RGB, YCbCr, HSV, with or without transparency), but for modes that
    cannot hold a new face: one-bit becomes L, palettes become RGB or RGBA, and CMYK and Lab become sRGB. A
    transparent colour becomes an alpha channel. Outside `changed` the values stay.

    Args:
        image: What came; its `info` goes along, as far as it still holds.
        photo: What `photo_of_pil` made of it.
        pixels: The result, uint8 RGB [H, W, 3].
        changed: Pixels that may differ from the photo, bool [H, W].
        label: Label its XMP.
        networks: What the label names.

    Returns:
        A new image, upright, its XMP labelled.
    """
    if photo.deep is not None:
        made = Image.fromarray(_deep_values(image, photo, pixels, changed))
    elif photo.mode in GREY_MODES:
        made = Image.fromarray(grey_merged(photo.pixels, pixels, changed))
    elif photo.mode in _EXACT_MODES:
        made = _merged(image, photo, pixels, changed)
    else:
        made = Image.fromarray(pixels)
    if photo.alpha is not None and photo.deep is None:
        made.putalpha(Image.fromarray(photo.alpha))
    made.info = _info(image, photo, label=label, networks=networks)
    return made


def _turn_and_exif(image: Image.Image) -> tuple[int, bytes | None]:
    """The orientation that a loaded image asks for (Pillow turns a TIFF as it loads it), and its EXIF block."""
    stored = image.info.get("exif")
    block = stored if isinstance(stored, bytes) else None
    try:
        exif = image.getexif()  # The caller may have changed it.
        turn = int(exif.get(exif_block.ORIENTATION, 1))
        return turn, block or (exif.tobytes() if len(exif) else None)
    except Exception:  # Any broken entry, of the EXIF block or of what else Pillow looks at.
        return exif_block.orientation(block), block


def _deep_values(image: Image.Image, photo: Photo, pixels: ImageU8, changed: Hole) -> DeepPixels:
    """The 16-bit values; in the hole, the one that stands for transparency only where it was before."""
    assert photo.deep is not None
    deep = deep_merged(photo.deep, pixels, changed)
    key = image.info.get("transparency")
    if isinstance(key, int):
        deep[changed & (deep == key)] = key + 1 if key < 65_535 else key - 1
        deep[changed & (photo.deep == key)] = key
    return deep


def _merged(image: Image.Image, photo: Photo, pixels: ImageU8, changed: Hole) -> Image.Image:
    """New values inside, the image's own outside, in a mode that RGB does not hold exactly."""
    values = np.asarray(Image.fromarray(pixels).convert(image.mode)).copy()
    turn, _ = _turn_and_exif(image)
    own = exif_block.upright(np.asarray(image), turn)
    values[~changed] = own[~changed]
    return Image.fromarray(values, mode=image.mode)


def _info(
    image: Image.Image, photo: Photo, *, label: bool, networks: Mapping[str, str] | None
) -> dict[str | tuple[int, int], Any]:
    """The image's `info` without what no longer holds."""
    info = dict(image.info)
    if photo.deep is None:
        info.pop("transparency", None)  # It is in the alpha channel.
    for key, value in (("icc_profile", photo.icc), ("exif", photo.exif)):
        info.pop(key, None)
        if value:
            info[key] = exif_block.PREFIX + value if key == "exif" else value
    info.pop("xmp", None)
    if label or photo.xmp:
        info["xmp"] = labelled(photo.xmp, label=label, networks=networks)
    if info.pop("XML:com.adobe.xmp", None) and "xmp" in info:  # Pillow's second name for it, in a PNG.
        info["XML:com.adobe.xmp"] = info["xmp"].decode()
    return info
