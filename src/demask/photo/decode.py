"""A file or its bytes to upright RGB pixels, with all that is needed to write it back alike."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from demask.errors import DemaskError, PhotoTooLarge, PhotoUnreadable, PhotoUnsupported
from demask.photo import exif as exif_block
from demask.photo.ancillary import Chunk, Segments, kept_chunks
from demask.photo.bombs import refuse_bombs
from demask.photo.colour import GREY_MODES, KNOWN_MODES, to_rgb
from demask.photo.deep import DeepPixels, decode_deep, deep_of, is_deep, key_alpha, to_8_bit
from demask.photo.exif import dpi_of, exif_of, profile_of, xmp_of
from demask.photo.file_bytes import is_clip, read_file
from demask.photo.formats import FORMATS, Coding, coding_of
from demask.photo.notes import notes_of
from demask.types import ImageU8

AlphaChannel = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
_TIFF_SUBFILE = 254
_MAX_TIFF_PAGES = 32
"""Directories that are looked at: each costs time, and a file can hold millions."""


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
        turn: The orientation that was applied, 1 to 8 as in EXIF.
        chunks: What a PNG says about its colours and in texts.
        notes: Comments and the IPTC record, of a JPEG, PNG or TIFF.
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
    turn: int = 1
    chunks: tuple[Chunk, ...] = ()
    notes: Segments = field(default_factory=Segments)
    coding: Coding = field(default_factory=Coding)
    source_bytes: bytes = b""

    @property
    def grey(self) -> bool:
        """Whether the file holds one channel of brightness and no colour."""
        return self.mode in GREY_MODES


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
    image = open_header(data, name)
    width, height = image.size
    if width * height > max_megapixels * 1e6:
        raise PhotoTooLarge(width=width, height=height, max_megapixels=max_megapixels)
    format = "JPEG" if image.format == "MPO" else str(image.format)
    refuse_bombs(image, format, data, name, max_megapixels=max_megapixels)
    refuse_several_frames(image, name)
    if image.mode not in KNOWN_MODES:
        raise PhotoUnsupported(
            f"{name} stores {image.mode} pixels (32-bit or float); convert it to 8 or 16 bit per channel"
        )
    with unreadable_if_broken(name):
        mode, coding, deep_file = image.mode, coding_of(image, format, data), is_deep(image, format, data)
        # Pillow decodes 16-bit files too, if only to 8 bits: it notices a file cut short, OpenCV may not.
        image.load()
    block = exif_of(image, format)
    # Pillow and OpenCV both turn a TIFF upright as they load it; its kept entries ask for no more.
    turn = exif_block.orientation(block)
    icc = profile_of(image.info)
    deep: DeepPixels | None = None
    alpha: AlphaChannel | None
    with unreadable_if_broken(name):
        if deep_file:
            deep, alpha = decode_deep(data, name, turn=turn)
            alpha = key_alpha(image, deep) if alpha is None else alpha
        elif mode.startswith("I;16"):
            deep, alpha = exif_block.upright(deep_of(image), turn), None
        else:
            pixels, flat_alpha, icc = to_rgb(image, icc)
            pixels = exif_block.upright(pixels, turn)
            alpha = None if flat_alpha is None else exif_block.upright(flat_alpha, turn)
    if deep is not None:
        pixels = to_8_bit(deep if deep.ndim == 3 else np.repeat(deep[..., None], 3, axis=2))
    chunks = kept_chunks(data) if format == "PNG" else ()
    with unreadable_if_broken(name):
        notes = notes_of(image, format, data, chunks)
    image.close()
    return Photo(
        pixels=pixels,
        alpha=alpha,
        deep=deep,
        format=format,
        mode=mode,
        icc=icc,
        exif=exif_block.cleaned(block),
        xmp=xmp_of(image.info),
        dpi=dpi_of(image.info),
        turn=turn,
        chunks=chunks,
        notes=notes,
        coding=coding,
        source_bytes=data,
    )


def open_header(data: bytes, name: str) -> ImageFile.ImageFile:
    """Read the header. Pillow's own size limits, which are global, are not asked: ours follows.

    Raises:
        PhotoUnreadable: No decoder knows it.
        PhotoUnsupported: It is HEIC and that decoder is not installed.
    """
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
        raise PhotoUnsupported(
            f"{name} is HEIC, which needs pillow-heif, which is not here; install it, or convert the picture"
        )
    if is_clip(data[:256]):
        raise PhotoUnreadable(f"{name} is a clip, not a photo; use `demask video`")
    raise PhotoUnreadable(f"{name} is no picture we can read{reason}; give one of {', '.join(FORMATS)}")


@contextlib.contextmanager
def unreadable_if_broken(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises inside the block, and it may be anything, into an error of ours.

    Raises:
        PhotoUnreadable: The decoder raised.
    """
    try:
        yield
    except DemaskError:
        raise
    except Exception as error:
        raise PhotoUnreadable(f"{name} is broken or cut short ({error}); get a whole copy") from error


def refuse_several_frames(image: ImageFile.ImageFile, name: str) -> None:
    """Refuse animations and pages; extra views in a phone's JPEG and TIFF thumbnails do no harm.

    Raises:
        PhotoUnsupported: It has several.
        PhotoUnreadable: They cannot be counted.
    """
    # pillow-heif counts the pictures of a collection; the main one is what it shows.
    if image.format in ("MPO", "HEIF"):
        return
    with unreadable_if_broken(name):
        if image.format == "TIFF":
            count, kind = _num_pages(image), "has {} pages"
        else:
            count, kind = int(getattr(image, "n_frames", 1)), "is an animation of {} frames"
    if count > 1:
        some = f"at least {count}" if count > _MAX_TIFF_PAGES and image.format == "TIFF" else str(count)
        raise PhotoUnsupported(
            f"{name} {kind.format(some)}; give a single still picture, such as one frame saved as PNG"
        )


def _load_all_plugins() -> None:
    Image.init()
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()


def _num_pages(image: Any) -> int:
    """Count the pages of a TIFF that are no thumbnails of another; stops where there are too many."""
    count = 1
    for page in range(1, _MAX_TIFF_PAGES + 1):
        try:
            image.seek(page)
        except EOFError:
            break
        count += not int(image.tag_v2.get(_TIFF_SUBFILE, 0)) & 1
    else:
        count = _MAX_TIFF_PAGES + 1
    image.seek(0)
    return count
