"""What an output keeps of its input, format by format."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from demask.errors import OutputError, PhotoUnsupported, ShapeMismatch
from demask.photo.decode import Photo, read_photo
from demask.photo.encode import encode_photo
from demask.photo.formats import FORMATS, output_format
from demask.photo.provenance import DIGITAL_SOURCE_TYPE, digital_source_type

LABELLED = sorted(name for name, kind in FORMATS.items() if kind.writes and kind.labels and name != "HEIF")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="a camera"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


def picture(seed: int = 0, height: int = 30, width: int = 40) -> np.ndarray[Any, Any]:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def exif_with(**values: Any) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = values.get("make", "Maker")
    exif[0x0112] = values.get("orientation", 1)
    exif.get_ifd(0x8769)[0x9003] = "2020:05:01 10:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    return exif.tobytes()


def hole_of(photo: Photo) -> np.ndarray[Any, Any]:
    hole = np.zeros(photo.pixels.shape[:2], bool)
    hole[10:20, 12:30] = True
    return hole


def changed(photo: Photo) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    hole = hole_of(photo)
    pixels = photo.pixels.copy()
    pixels[hole] = (200, 150, 130)
    return pixels, hole


@pytest.mark.parametrize("format", LABELLED)
def test_metadata_and_label_survive(format: str) -> None:
    image = Image.fromarray(picture())
    data = encoded(image, "JPEG", exif=exif_with(), icc_profile=SRGB, xmp=XMP, dpi=(300, 300), quality=95)
    photo = read_photo(data)
    pixels, hole = changed(photo)
    again = read_photo(encode_photo(photo, pixels, changed=hole, format=format))
    assert again.format == format
    assert again.icc == SRGB
    assert digital_source_type(again.xmp) == DIGITAL_SOURCE_TYPE
    assert again.xmp is not None
    assert b"a camera" in again.xmp
    assert again.exif is not None
    exif = Image.Exif()
    exif.load(again.exif)
    assert exif[0x010F] == "Maker"
    assert exif.get_ifd(0x8769)[0x9003] == "2020:05:01 10:00:00"
    assert exif.get_ifd(0x8825)[1] == "N"
    if format in ("JPEG", "PNG", "TIFF"):
        assert again.dpi == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("format", LABELLED)
def test_every_format_is_labelled_without_any_metadata(format: str) -> None:
    photo = read_photo(encoded(Image.fromarray(picture()), format))
    pixels, hole = changed(photo)
    data = encode_photo(photo, pixels, changed=hole)
    assert digital_source_type(read_photo(data).xmp) == DIGITAL_SOURCE_TYPE
    unlabelled = encode_photo(photo, pixels, changed=hole, label=False)
    assert digital_source_type(read_photo(unlabelled).xmp) is None


def test_a_jpeg_keeps_its_tables_and_subsampling() -> None:
    for subsampling in (0, 1, 2):
        data = encoded(Image.fromarray(picture()), "JPEG", quality=63, subsampling=subsampling)
        photo = read_photo(data)
        again = read_photo(encode_photo(photo, photo.pixels, changed=hole_of(photo)))
        assert again.coding == photo.coding


def test_an_explicit_quality_wins() -> None:
    photo = read_photo(encoded(Image.fromarray(picture()), "JPEG", quality=95))
    small, large = (
        encode_photo(photo, photo.pixels, changed=hole_of(photo), quality=quality) for quality in (20, 95)
    )
    assert len(small) < len(large)


def test_a_grey_jpeg_stays_grey() -> None:
    photo = read_photo(encoded(Image.fromarray(picture()).convert("L"), "JPEG", quality=90))
    pixels, hole = changed(photo)
    data = encode_photo(photo, pixels, changed=hole)
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "L"


def test_grey_with_alpha_stays_so_and_exact_outside() -> None:
    grey = Image.fromarray(picture()).convert("L")
    grey.putalpha(Image.linear_gradient("L").resize(grey.size))
    photo = read_photo(encoded(grey, "PNG"))
    pixels, hole = changed(photo)
    data = encode_photo(photo, pixels, changed=hole)
    again = read_photo(data)
    assert again.mode == "LA"
    assert np.array_equal(again.alpha, photo.alpha)  # type: ignore[arg-type]
    assert np.array_equal(again.pixels[~hole], photo.pixels[~hole])
    assert (again.pixels[hole] == round(0.299 * 200 + 0.587 * 150 + 0.114 * 130)).all()


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_lossless_outputs_keep_colours_under_transparency(format: str) -> None:
    alpha = np.zeros((30, 40), np.uint8)
    alpha[:, 20:] = 130
    image = Image.fromarray(np.dstack([picture(), alpha]))
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    photo = read_photo(encoded(image, format, **options))
    pixels, hole = changed(photo)
    again = read_photo(encode_photo(photo, pixels, changed=hole))
    assert np.array_equal(again.pixels, pixels)
    assert np.array_equal(again.alpha, alpha)  # type: ignore[arg-type]


def test_transparency_is_never_dropped_silently() -> None:
    alpha = np.full((30, 40), 99, np.uint8)
    photo = read_photo(encoded(Image.fromarray(np.dstack([picture(), alpha])), "PNG"))
    with pytest.raises(PhotoUnsupported, match="transparency"):
        encode_photo(photo, photo.pixels, changed=hole_of(photo), format="JPEG")


def test_opaque_alpha_does_not_stop_a_jpeg() -> None:
    photo = read_photo(encoded(Image.fromarray(picture()).convert("RGBA"), "PNG"))
    data = encode_photo(photo, photo.pixels, changed=hole_of(photo), format="JPEG")
    assert read_photo(data).format == "JPEG"


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_a_tiff_is_written_lossless_and_plain_only_where_it_was(compression: str) -> None:
    data = encoded(Image.fromarray(picture()), "TIFF", compression=compression)
    photo = read_photo(data)
    pixels, hole = changed(photo)
    again = read_photo(encode_photo(photo, pixels, changed=hole))
    assert np.array_equal(again.pixels, pixels)
    expected = "raw" if compression == "raw" else "tiff_adobe_deflate"
    assert again.coding.tiff_compression == expected


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_files_keep_their_metadata(format: str) -> None:
    stored = np.random.default_rng(3).integers(0, 65536, (30, 40, 3)).astype(np.uint16)
    plain = read_photo(cv2.imencode(".png", stored)[1].tobytes())
    photo = Photo(
        pixels=plain.pixels, deep=plain.deep, format="PNG", mode="RGB", icc=SRGB, xmp=XMP,
        exif=exif_with().removeprefix(b"Exif\0\0"), dpi=(240.0, 240.0),
    )  # fmt: skip
    again = read_photo(encode_photo(photo, photo.pixels, changed=hole_of(photo), format=format))
    assert again.icc == SRGB
    assert again.exif is not None
    assert b"Maker" in again.exif
    assert b"2020:05:01" in again.exif
    assert again.dpi == pytest.approx((240, 240), abs=0.1)
    assert digital_source_type(again.xmp) == DIGITAL_SOURCE_TYPE


def test_a_16_bit_tiff_of_ours_is_read_by_pillow_too() -> None:
    stored = np.random.default_rng(3).integers(0, 65536, (200, 300, 3)).astype(np.uint16)
    photo = read_photo(cv2.imencode(".tiff", stored)[1].tobytes())
    data = encode_photo(photo, photo.pixels, changed=np.zeros((200, 300), bool))
    with Image.open(io.BytesIO(data)) as image:
        assert np.abs(np.asarray(image).astype(int) - photo.pixels).max() <= 1


def test_a_cmyk_file_becomes_rgb_with_a_profile_that_fits() -> None:
    photo = read_photo(encoded(Image.new("CMYK", (40, 30), (10, 200, 30, 0)), "JPEG"))
    data = encode_photo(photo, photo.pixels, changed=hole_of(photo))
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "RGB"
        assert image.info["icc_profile"][16:20] == b"RGB "


def test_formats_that_cannot_be_labelled_become_png() -> None:
    assert output_format("BMP") == output_format("GIF") == "PNG"
    photo = read_photo(encoded(Image.fromarray(picture()), "BMP"))
    pixels, hole = changed(photo)
    again = read_photo(encode_photo(photo, pixels, changed=hole))
    assert again.format == "PNG"
    assert np.array_equal(again.pixels, pixels)
    with pytest.raises(PhotoUnsupported, match="label"):
        encode_photo(photo, pixels, changed=hole, format="BMP")
    bare = encode_photo(photo, pixels, changed=hole, format="BMP", label=False)
    assert np.array_equal(read_photo(bare).pixels, pixels)


def test_an_unknown_format_is_refused() -> None:
    photo = read_photo(encoded(Image.fromarray(picture()), "PNG"))
    with pytest.raises(PhotoUnsupported, match="cannot write the format XCF"):
        encode_photo(photo, photo.pixels, changed=hole_of(photo), format="XCF")


def test_shapes_must_agree() -> None:
    photo = read_photo(encoded(Image.fromarray(picture()), "PNG"))
    with pytest.raises(ShapeMismatch):
        encode_photo(photo, photo.pixels, changed=np.zeros((5, 5), bool))
    with pytest.raises(ShapeMismatch):
        encode_photo(photo, photo.pixels[:-1], changed=hole_of(photo))


def test_a_picture_too_large_for_its_format_is_our_error() -> None:
    photo = read_photo(encoded(Image.new("RGB", (16_400, 2)), "PNG"))
    with pytest.raises(OutputError, match="WEBP"):
        encode_photo(photo, photo.pixels, changed=np.zeros((2, 16_400), bool), format="WEBP")


def test_metadata_too_long_for_a_jpeg_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    long = XMP.replace(b"a camera", b"a" * 70_000)
    photo = read_photo(encoded(Image.fromarray(picture()), "WEBP", xmp=long))
    data = encode_photo(photo, photo.pixels, changed=hole_of(photo), format="JPEG")
    assert digital_source_type(read_photo(data).xmp) == DIGITAL_SOURCE_TYPE
    assert "too long" in caplog.text


@pytest.mark.parametrize("format", LABELLED)
def test_the_same_input_gives_the_same_bytes(format: str) -> None:
    photo = read_photo(encoded(Image.fromarray(picture()), format))
    pixels, hole = changed(photo)
    first, second = (encode_photo(photo, pixels, changed=hole) for _ in range(2))
    assert first == second


def test_heic_round_trip_where_the_codec_is_installed() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = encoded(Image.fromarray(picture(height=64, width=64)), "HEIF", exif=exif_with(), quality=90)
    photo = read_photo(data)
    again = read_photo(encode_photo(photo, photo.pixels, changed=hole_of(photo)))
    assert photo.format == again.format == "HEIF"
    assert np.abs(again.pixels.astype(int) - photo.pixels).mean() < 4
    assert digital_source_type(again.xmp) == DIGITAL_SOURCE_TYPE
