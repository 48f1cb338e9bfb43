"""A file or its bytes to upright RGB pixels, with all that is needed to write it back alike."""

from __future__ import annotations

import contextlib
import io
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageFile

from demask.errors import InputError, PhotoTooLarge, PhotoUnreadable, PhotoUnsupported
from demask.photo import exif as exif_block
from demask.photo.formats import FORMATS
from demask.types import ImageU8

AlphaChannel = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
DeepPixels = npt.NDArray[np.uint16]

_GREY_MODES = frozenset({"1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N"})
_KNOWN_MODES = _GREY_MODES | {"P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB"}
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_SAMPLE_FORMAT, _TIFF_SUBFILE = 258, 262, 339, 254
# What a TIFF says about the picture rather than about how it is stored: the part worth keeping.
_TIFF_KEPT = (270, 271, 272, 305, 306, 315, 316, 33432, 33723, 34665, 34853)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Coding:
    """How the input was compressed, so that the output's quality can follow it.

    Attributes:
        jpeg_tables: Quantisation tables of a JPEG by number, 64 values each.
        jpeg_subsampling: Pillow's number for the chroma subsampling: 0 = 4:4:4, 1 = 4:2:2, 2 = 4:2:0.
        progressive: A progressive JPEG.
        lossless: A WebP that is stored lossless.
        tiff_compression: Pillow's name for the compression of a TIFF.
        avif_subsampling: "4:4:4", "4:2:2" or "4:2:0", of an AVIF.
    """

    jpeg_tables: dict[int, list[int]] | None = None
    jpeg_subsampling: int | None = None
    progressive: bool = False
    lossless: bool = False
    tiff_compression: str | None = None
    avif_subsampling: str | None = None


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
        PhotoUnreadable: Missing, empty, no picture, broken or cut short.
        PhotoUnsupported: Animated, of several pages, or of a kind we cannot put back (32-bit, float).
        PhotoTooLarge: More pixels than the limit.
    """
    name = str(source) if isinstance(source, Path) else "the picture"
    data = _bytes_of(source)
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
    mode, coding, is_deep = image.mode, _coding(image, format, data), _is_deep(image, format, data)
    try:
        # Pillow decodes 16-bit files too, if only to 8 bits: it notices a file cut short, OpenCV may not.
        image.load()
        orientation = int(image.getexif().get(exif_block.ORIENTATION, 1))
        block = _exif_of(image, format)
    except Exception as error:  # A decoder fed with a broken file may raise anything.
        raise PhotoUnreadable(f"{name} is broken or cut short ({error}); get a whole copy") from error
    icc = image.info.get("icc_profile") or None
    xmp = image.info.get("xmp") or None
    dpi = image.info.get("dpi")
    deep: DeepPixels | None = None
    if is_deep:
        deep, alpha = _decode_deep(data, name, turn=orientation)
        pixels = to_8_bit(deep if deep.ndim == 3 else np.repeat(deep[..., None], 3, axis=2))
    else:
        pixels, alpha, icc = _decode_8_bit(image, icc, turn=orientation)
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


def to_8_bit(deep: DeepPixels) -> ImageU8:
    """Round 16-bit values to the nearest 8-bit ones (0 to 0, 65535 to 255): value / 257."""
    table = ((np.arange(65536, dtype=np.uint32) + 128) // 257).astype(np.uint8)
    return table[deep]


def _bytes_of(source: Path | bytes) -> bytes:
    if not isinstance(source, Path):
        return bytes(source)
    try:
        return source.read_bytes()
    except OSError as error:
        raise PhotoUnreadable(f"cannot read {source}: {error.strerror}; check the path") from error


def _open(data: bytes, name: str) -> ImageFile.ImageFile:
    """Read the header. Pillow's own size limits, which are global, are not asked: ours follows."""
    Image.init()
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    reason = ""
    for format in FORMATS:
        factory, accept = Image.OPEN.get(format, (None, None))
        if factory is None or (accept and accept(data[:16]) is not True):
            continue
        try:
            return factory(io.BytesIO(data), "")
        except Exception as error:  # A decoder fed with a broken file may raise anything.
            reason = f" ({error})"
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"heim", b"heis"):
        raise PhotoUnsupported(f"{name} is HEIC, which needs pillow-heif; run: pip install 'demask[heic]'")
    raise PhotoUnreadable(f"{name} is no picture we can read{reason}; give one of {', '.join(FORMATS)}")


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


def _coding(image: Any, format: str, data: bytes) -> Coding:
    if format == "JPEG":
        from PIL.JpegImagePlugin import get_sampling

        sampling = get_sampling(image)
        return Coding(
            jpeg_tables={number: list(table) for number, table in image.quantization.items()},
            # Layouts Pillow cannot name (4:4:0, CMYK) lose nothing as 4:4:4.
            jpeg_subsampling=sampling if sampling >= 0 else 0,
            progressive=bool(image.info.get("progressive")),
        )
    if format == "WEBP":
        return Coding(lossless=_webp_is_lossless(data))
    if format == "TIFF":
        return Coding(tiff_compression=image.info.get("compression"))
    if format == "AVIF":
        return Coding(avif_subsampling=_avif_subsampling(data))
    return Coding()


def _webp_is_lossless(data: bytes) -> bool:
    """Find the first bitstream chunk: "VP8L" or "VP8 " (RFC 9649, sec. 2.4 to 2.7)."""
    position = 12
    while position + 8 <= len(data):
        kind = data[position : position + 4]
        if kind in (b"VP8L", b"VP8 "):
            return kind == b"VP8L"
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + size + size % 2
    return False


def _avif_subsampling(data: bytes) -> str | None:
    """Read the chroma flags of the first av1C box (AV1-ISOBMFF v1.2, sec. 2.3.3)."""
    position = data.find(b"av1C")
    if position < 0 or position + 7 > len(data):
        return None
    horizontal, vertical = data[position + 6] >> 3 & 1, data[position + 6] >> 2 & 1
    return {(0, 0): "4:4:4", (1, 0): "4:2:2", (1, 1): "4:2:0"}.get((horizontal, vertical))


def _is_deep(image: Any, format: str, data: bytes) -> bool:
    """Whether the file holds 16 bits per channel in a layout we write back."""
    if format == "PNG":
        return data[24] == 16
    if format != "TIFF":
        return False
    bits = image.tag_v2.get(_TIFF_BITS, (1,))
    if max(bits) <= 8:
        return False
    integer = set(image.tag_v2.get(_TIFF_SAMPLE_FORMAT, (1,))) == {1}
    if set(bits) != {16} or not integer or image.tag_v2.get(_TIFF_PHOTOMETRIC) not in (1, 2):
        raise PhotoUnsupported(
            f"the TIFF stores {'/'.join(map(str, bits))} bits per channel in a layout we cannot put back; "
            "convert it to 8 or 16 bit RGB or grey"
        )
    return True


def _decode_deep(data: bytes, name: str, *, turn: int) -> tuple[DeepPixels, AlphaChannel | None]:
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16:
        raise PhotoUnreadable(
            f"{name} holds 16-bit pixels that cannot be decoded; save it again as 16-bit PNG"
        )
    values: DeepPixels = exif_block.upright(stored.astype(np.uint16, copy=False), turn)
    if values.ndim == 2:
        return values, None
    alpha: DeepPixels | None = np.ascontiguousarray(values[..., 3]) if values.shape[2] == 4 else None
    return np.ascontiguousarray(values[..., 2::-1]), alpha  # OpenCV stores BGR.


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
            raise InputError(
                f"the Lab picture cannot be converted to RGB ({error}); save it as RGB"
            ) from error
        _logger.warning("the CMYK profile cannot be used (%s); taking plain ink coverage", error)
        return image.convert("RGB"), srgb.tobytes()


def _exif_of(image: Image.Image, format: str) -> bytes | None:
    """The EXIF block as stored, or for a TIFF the entries worth keeping as a block of its own."""
    if format != "TIFF":
        return image.info.get("exif") or None
    stored, kept = image.getexif(), Image.Exif()
    for tag in _TIFF_KEPT:
        if tag in stored:
            kept[tag] = stored.get_ifd(tag) if tag in (34665, 34853) else stored[tag]
    return kept.tobytes() if len(kept) else None
