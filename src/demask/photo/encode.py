"""Pixels back to a file of the input's kind: format, quality, profile, metadata, depth."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from demask.errors import OutputError, PhotoUnsupported, ShapeMismatch
from demask.photo import exif as exif_block
from demask.photo.ancillary import shows_other_colours, with_chunks, with_segments
from demask.photo.colour import grey_merged
from demask.photo.decode import Photo
from demask.photo.deep import deep_merged, encode_deep
from demask.photo.formats import FORMATS, output_format, writable
from demask.photo.jpeg_blocks import keep_blocks
from demask.photo.notes import as_chunks
from demask.photo.provenance import Label, labelled, read_label
from demask.photo.tiff import encode_tiff
from demask.types import Hole, ImageU8

_MAX_SEGMENT_BYTES = 65_533  # A JPEG marker segment holds 16 bits of length.
_logger = logging.getLogger(__name__)


def encode_photo(
    photo: Photo,
    pixels: ImageU8,
    *,
    changed: Hole,
    format: str | None = None,
    quality: int | None = None,
    label: bool = True,
    networks: Mapping[str, str] | None = None,
) -> bytes:
    """Encode a changed photo the way the input was encoded.

    A JPEG takes the input's quantisation tables and subsampling, and its coefficients in every block that
    `changed` does not touch (see `jpeg_blocks` for where it cannot); a WebP stays lossless or lossy, a
    16-bit PNG or TIFF keeps its 16-bit values wherever `changed` is False (inside, 8-bit values are
    scaled by 257), a grey file stays grey. ICC profile, EXIF, XMP, resolution and alpha are kept;
    comments and IPTC between JPEG, PNG and TIFF; from PNG to PNG texts and what says how the colours show.

    Args:
        photo: What was read.
        pixels: The result, uint8 RGB [H, W, 3].
        changed: Pixels that may differ from the photo, bool [H, W].
        format: Pillow's name; the input's own by default (PNG where that cannot be labelled or written).
        quality: 1 to 100 for the lossy formats; follows the input by default.
        label: Add the XMP label that the picture is partly invented.
        networks: What the label names: what each network is for, and its name.

    Returns:
        The file.

    Raises:
        ShapeMismatch: `pixels` or `changed` are not of the photo's size.
        PhotoUnsupported: The format is not written, cannot be labelled, or cannot hold the transparency.
        OutputError: The encoder failed, such as on a picture too large for the format.
    """
    for other in (changed, pixels):
        if other.shape[:2] != photo.pixels.shape[:2]:
            raise ShapeMismatch(image=photo.pixels.shape, hole=other.shape)
    name = (format or output_format(photo.format)).upper()
    name = "JPEG" if name == "JPG" else name
    kind = writable(name, label=label)
    has_alpha = photo.alpha is not None and bool((photo.alpha < np.iinfo(photo.alpha.dtype).max).any())
    if has_alpha and not kind.alpha:
        raise PhotoUnsupported(f"{name} cannot hold the photo's transparency; write PNG, WEBP, TIFF or AVIF")

    deep = photo.deep is not None and name in ("PNG", "TIFF")
    # 16-bit grey with transparency becomes RGBA.
    grey = photo.grey and kind.grey and not (deep and photo.alpha is not None)
    xmp = labelled(photo.xmp, label=label, networks=networks) if label or photo.xmp else None
    metadata = _metadata(photo, name, grey=grey, xmp=xmp)
    try:
        if photo.deep is not None and deep:
            merged = deep_merged(photo.deep, pixels, changed)
            return _with_the_rest(encode_deep(name, merged, photo.alpha, **metadata), photo, name)
        flat: npt.NDArray[np.uint8] = grey_merged(photo.pixels, pixels, changed) if grey else pixels
        if kind.alpha and photo.alpha is not None:
            alpha = photo.alpha if photo.alpha.dtype == np.uint8 else (photo.alpha // 257).astype(np.uint8)
            flat = np.dstack([flat, alpha])
        if name == "TIFF":
            compress = photo.coding.tiff_compression != "raw"
            return _with_the_rest(encode_tiff(flat, compress=compress, **metadata), photo, name)
        image = Image.fromarray(flat)
        if flat.ndim == 3 and flat.shape[2] == 2:
            image = Image.merge("LA", [Image.fromarray(np.ascontiguousarray(flat[..., c])) for c in (0, 1)])
        options = {**_coding_options(photo, name, quality, grey=grey), **metadata}
        data = _with_the_rest(_save(image, name, options), photo, name)
        if name == photo.format == "JPEG" and quality is None:
            return keep_blocks(data, photo.source_bytes, changed, turn=photo.turn)
        return data
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise OutputError(f"the result cannot be encoded as {name}: {error}; try PNG") from error


def _metadata(photo: Photo, name: str, *, grey: bool, xmp: bytes | None) -> dict[str, Any]:
    """What goes along: icc_profile, exif, xmp and dpi, each only where there is something to write."""
    metadata: dict[str, Any] = {}
    # A profile fits only pixels of its own kind: a grey one none that were spread to RGB.
    if photo.icc and photo.icc[16:20] == (b"GRAY" if grey else b"RGB "):
        metadata["icc_profile"] = photo.icc
    if photo.exif:
        metadata["exif"] = exif_block.PREFIX + photo.exif
    if FORMATS[name].labels and xmp:
        metadata["xmp"] = xmp
    if photo.dpi:
        metadata["dpi"] = photo.dpi
    if name == "TIFF" and photo.notes:
        metadata["notes"] = photo.notes
    if name == "JPEG":
        if len(metadata.get("exif", b"")) > _MAX_SEGMENT_BYTES:
            _logger.warning("the EXIF block is too long for a JPEG and is left out")
            del metadata["exif"]
        if len(metadata.get("xmp", b"")) > _MAX_SEGMENT_BYTES - 29:
            _logger.warning("the XMP packet is too long for a JPEG; only the label is written")
            label = read_label(xmp) or Label()
            metadata["xmp"] = labelled(None, label=label.is_ours, networks=label.networks)
    return metadata


def _with_the_rest(file: bytes, photo: Photo, name: str) -> bytes:
    """Put in what Pillow does not write for us: texts of a PNG, comments and IPTC of a JPEG."""
    if name == "PNG":  # What a PNG said in texts it says again; others' notes become texts.
        return with_chunks(file, photo.chunks if photo.format == "PNG" else as_chunks(photo.notes))
    if photo.icc is None and shows_other_colours(photo.chunks):
        _logger.warning("%s cannot say which colours the PNG means (gAMA, cICP); they may show otherwise", name)
    return with_segments(file, photo.notes) if name == "JPEG" else file


def _coding_options(photo: Photo, name: str, quality: int | None, *, grey: bool) -> dict[str, Any]:
    """Save options that make the output as fine as the input was."""
    coding = photo.coding
    if name == "JPEG":
        options: dict[str, Any] = {"progressive": coding.progressive, "optimize": coding.progressive}
        tables = coding.jpeg_tables
        if tables and photo.turn in (5, 6, 7, 8):  # What was across is down now.
            tables = {key: np.reshape(table, (8, 8)).T.ravel().tolist() for key, table in tables.items()}
        if quality is None and tables and max(map(max, tables.values())) <= 255:
            # A grey output has one component and uses the first table.
            options["qtables"] = {0: tables[min(tables)]} if grey else tables
        else:
            options["quality"] = quality or 95
        options["subsampling"] = coding.jpeg_subsampling or 0
        return options
    if name == "PNG":
        return {"compress_level": 4}
    if name == "WEBP":
        from_lossless = FORMATS[photo.format].lossless and photo.format != "WEBP"
        lossless = quality is None and (coding.lossless or from_lossless)
        # Exact: keep the colours under transparent pixels too.
        return {"lossless": lossless, "exact": True, "quality": 60 if lossless else quality or 90}
    if name == "AVIF":
        return {"quality": quality or 90, "subsampling": coding.avif_subsampling or "4:4:4", "speed": 7}
    if name == "HEIF":
        return {"quality": quality or 90}
    return {}


def _save(image: Image.Image, name: str, options: dict[str, Any]) -> bytes:
    if name == "HEIF":
        try:
            import pillow_heif
        except ImportError:
            raise PhotoUnsupported("writing HEIC needs pillow-heif; install that") from None
        pillow_heif.register_heif_opener()
    if name == "PNG" and "xmp" in options:
        from PIL.PngImagePlugin import PngInfo

        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode())
        options["pnginfo"] = text
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()
