"""A file or its bytes to upright RGB pixels, with all that is needed to write it back alike."""

from __future__ import annotations

import contextlib
import io
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageFile

from demask.errors import InputError, PhotoTooLarge, PhotoUnreadable, PhotoUnsupported
from demask.photo import exif as exif_block
from demask.photo.coding import Coding, coding_of
from demask.photo.deep import DeepPixels, decode_deep, is_deep, to_8_bit
from demask.photo.file_bytes import read_file
from demask.photo.formats import FORMATS
from demask.types import ImageU8

AlphaChannel = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_GREY_MODES = frozenset({"1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N"})
_KNOWN_MODES = _GREY_MODES | {"P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB"}
_TIFF_SUBFILE = 254
# What a TIFF says about the picture rather than about how it is stored: the part worth keeping.
_TIFF_KEPT = (270, 271, 272, 305, 306, 315, 316, 33432, 33723, 34665, 34853)
_TIFF_GROUPS = (34665, 34853)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Photo:
    """A decoded photo.

    The pixels stay in the photo's own colour space, whatever its ICC profile says, because nothing
    outside the hole may change; the profile goes into the output. Only kinds that no RGB profile
    describes (CMYK, Lab) are converted, to sRGB, and `icc` is then sRGB's.

    Attributes:
        pixels: Upright uint8 RGB [H, W, 3]; grey, palette and one-bit pictures are spread to RGB.
        alpha: Transparency, uint8 (uint16 in a 16-bit file) [H, W]; None where there is none.
        deep: The file's 16-bit values, upright, uint16 RGB [H, W, 3] or grey [H, W]; None in 8-bit files.
        format: "JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF", "HEIF", ... (Pillow's names).
        mode: Pillow's mode of the stored picture, before any conversion.
        icc: Profile that describes `pixels`.
        exif: TIFF-structured block without JPEG's prefix; orientation reset, thumbnail unlinked.
        xmp: The packet as it was in the file.
        dpi: Resolution in dots per inch, (x, y).
        coding: How it was compressed.
        source_bytes: The file itself.
    """

    pixels: ImageU8
    alpha: AlphaChannel | None = None
    deep: DeepPixels | None = None
    format: str
    mode: str
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    coding: Coding = field(default_factory=Coding)
    source_bytes: bytes = b""

    @property
    def grey(self) -> bool:
        """Whether the file holds one channel of brightness and no colour."""
        return self.mode in _GREY_MODES


def read_photo(source: Path | bytes, *, max_megapixels: float = 100) -> Photo:
    """Decode a photo.

    Args:
        source: A file, or its bytes.
        max_megapixels: Limit on width times height in millions, checked against the header before
            any pixel is decoded.

    Returns:
        The photo, upright.

    Raises:
        PhotoUnreadable: Missing, no file, too large for a photo, empty, no picture, broken or cut short.
        PhotoUnsupported: Animated, of several pages, or of a kind we cannot put back (32-bit, float).
        PhotoTooLarge: More pixels than the limit.
    """
    name = str(source) if isinstance(source, Path) else "the picture"
    data = read_file(source, max_megapixels=max_megapixels) if isinstance(source, Path) else bytes(source)
    if not data:
        raise PhotoUnreadable(f"{name} is empty (0 bytes); give a picture file")
    image = _open(data, name)
    width, height = image.size
    if width * height > max_megapixels * 1e6:
        raise PhotoTooLarge(width=width, height=height, max_megapixels=max_megapixels)
    _refuse_several_frames(image, name)
    if image.mode not in _KNOWN_MODES:
        raise PhotoUnsupported(
            f"{name} stores {image.mode} pixels (32-bit or float); convert it to 8 or 16 bit per channel"
        )
    format = "JPEG" if image.format == "MPO" else str(image.format)
    mode, coding, deep_file = image.mode, coding_of(image, format, data), is_deep(image, format, data)
    try:
        # Pillow decodes 16-bit files too, if only to 8 bits: it notices a file cut short, OpenCV may not.
        image.load()
    except Exception as error:  # A decoder fed with a broken file may raise anything.
        raise PhotoUnreadable(f"{name} is broken or cut short ({error}); get a whole copy") from error
    block = _exif_of(image, format)
    # Pillow and OpenCV both turn a TIFF upright as they load it; its kept entries ask for no more.
    turn = exif_block.orientation(block)
    icc = image.info.get("icc_profile") or None
    xmp = image.info.get("xmp") or None
    dpi = image.info.get("dpi")
    deep: DeepPixels | None = None
    alpha: AlphaChannel | None
    if deep_file:
        deep, alpha = decode_deep(data, name, turn=turn)
        pixels = to_8_bit(deep if deep.ndim == 3 else np.repeat(deep[..., None], 3, axis=2))
    else:
        pixels, alpha, icc = _decode_8_bit(image, icc, turn=turn)
    image.close()
    return Photo(
        pixels=pixels,
        alpha=alpha,
        deep=deep,
        format=format,
        mode=mode,
        icc=icc,
        exif=exif_block.cleaned(block),
        xmp=xmp.encode() if isinstance(xmp, str) else xmp,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None,
        coding=coding,
        source_bytes=data,
    )


def _open(data: bytes, name: str) -> ImageFile.ImageFile:
    """Read the header. Pillow's own size limits, which are global, are not asked: ours follows."""
    reason = ""
    # The common formats first: to load every plugin takes longer than to decode a photo.
    for load_plugins in (Image.preinit, _load_all_plugins):
        load_plugins()
        for format in FORMATS:
            factory, accept = Image.OPEN.get(format, (None, None))
            if factory is None or (accept and accept(data[:16]) is not True):
                continue
            try:
                return factory(io.BytesIO(data), "")
            except Exception as error:  # A decoder fed with a broken file may raise anything.
                reason = f" ({error})"
    if (
        "HEIF" not in Image.OPEN
        and data[4:8] == b"ftyp"
        and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"heim", b"heis")
    ):
        raise PhotoUnsupported(f"{name} is HEIC, which needs pillow-heif; run: pip install 'demask[heic]'")
    raise PhotoUnreadable(f"{name} is no picture we can read{reason}; give one of {', '.join(FORMATS)}")


def _load_all_plugins() -> None:
    Image.init()
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()


def _refuse_several_frames(image: ImageFile.ImageFile, name: str) -> None:
    """Refuse animations and pages; extra views in a phone's JPEG and TIFF thumbnails do no harm."""
    if image.format == "MPO":
        return
    try:
        count = int(getattr(image, "n_frames", 1))
        if image.format == "TIFF":
            count = sum(1 for page in range(count) if not _is_reduced(image, page))
            image.seek(0)
    except Exception as error:  # A decoder fed with a broken file may raise anything.
        raise PhotoUnreadable(f"{name} is broken or cut short ({error}); get a whole copy") from error
    # pillow-heif counts the pictures of a collection; the main one is what it shows.
    if count > 1 and image.format != "HEIF":
        kind = f"has {count} pages" if image.format == "TIFF" else f"is an animation of {count} frames"
        raise PhotoUnsupported(f"{name} {kind}; give a single still picture, such as one frame saved as PNG")


def _is_reduced(image: Any, page: int) -> bool:
    image.seek(page)
    return bool(page and int(image.tag_v2.get(_TIFF_SUBFILE, 0)) & 1)


def _decode_8_bit(
    image: Image.Image, icc: bytes | None, *, turn: int
) -> tuple[ImageU8, AlphaChannel | None, bytes | None]:
    alpha: AlphaChannel | None = None
    converted: Image.Image
    if image.mode in ("CMYK", "LAB"):
        converted, icc = _to_srgb(image, icc)
    elif image.has_transparency_data:
        converted = image.convert("RGBA")
        alpha = exif_block.upright(np.asarray(converted.getchannel("A")), turn)
        converted = converted.convert("RGB")
    else:
        converted = image.convert("RGB")
    return exif_block.upright(np.asarray(converted), turn), alpha, icc


def _to_srgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, bytes]:
    """Convert through the embedded profile (relative colorimetric, black point compensated).

    A CMYK picture without a usable profile is taken as plain ink coverage, as viewers do.
    """
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    try:
        if image.mode == "LAB":
            own = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif icc:
            own = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        else:
            return image.convert("RGB"), srgb.tobytes()
        converted = ImageCms.profileToProfile(
            image,
            own,
            srgb,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        assert converted is not None
        return converted, srgb.tobytes()
    except (ImageCms.PyCMSError, OSError) as error:
        if image.mode == "LAB":
            raise InputError(f"the Lab picture cannot be converted to RGB ({error}); save it as RGB") from error
        _logger.warning("the CMYK profile cannot be used (%s); taking plain ink coverage", error)
        return image.convert("RGB"), srgb.tobytes()


def _exif_of(image: Image.Image, format: str) -> bytes | None:
    """The EXIF block as stored, or for a TIFF the entries worth keeping as a block of its own."""
    if format != "TIFF":
        return image.info.get("exif") or None
    try:
        stored, kept = image.getexif(), Image.Exif()
        for tag in _TIFF_KEPT:
            if tag in stored:
                kept[tag] = stored.get_ifd(tag) if tag in _TIFF_GROUPS else stored[tag]
        return kept.tobytes() if len(kept) else None
    except Exception as error:  # Any broken entry; the pixels are fine without.
        _logger.warning("the TIFF's EXIF entries are broken (%s) and are left out", error)
        return None
