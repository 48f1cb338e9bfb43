"""A file or its bytes to upright RGB pixels, with all that is needed to write it back alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from demask.errors import PhotoTooLarge, PhotoUnreadable, PhotoUnsupported
from demask.photo import exif as exif_block
from demask.photo.bombs import refuse_bombs
from demask.photo.coding import Coding, coding_of
from demask.photo.colour import GREY_MODES, KNOWN_MODES, to_rgb
from demask.photo.deep import DeepPixels, decode_deep, deep_of, is_deep, key_alpha, to_8_bit
from demask.photo.file_bytes import read_file
from demask.photo.jpeg_segments import Segments
from demask.photo.notes import notes_of
from demask.photo.opening import open_header, refuse_several_frames, unreadable_if_broken
from demask.photo.png_chunks import Chunk, kept_chunks
from demask.photo.stored_metadata import dpi_of, exif_of, profile_of, xmp_of
from demask.types import ImageU8

AlphaChannel = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


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
