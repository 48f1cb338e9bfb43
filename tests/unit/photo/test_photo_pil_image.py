"""PIL images in and out: mode, values outside the hole, transparency, profile and info."""

from __future__ import annotations

import io
import struct
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from demask.errors import PhotoUnreadable, PhotoUnsupported
from demask.photo.colour import srgb_profile
from demask.photo.handed_in import open_photo
from demask.photo.pil_image import photo_of_pil, pil_of_photo
from demask.photo.provenance import DIGITAL_SOURCE_TYPE, digital_source_type

FACE = (200, 150, 130)
BRIGHTNESS = round(0.299 * 200 + 0.587 * 150 + 0.114 * 130)


def picture(width: int = 40, height: int = 30) -> Image.Image:
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def restored(image: Image.Image) -> tuple[Image.Image, np.ndarray[Any, Any]]:
    """The way of every caller: open, change a hole, give back."""
    opened = open_photo(image)
    pixels, hole = opened.pixels.copy(), np.zeros(opened.pixels.shape[:2], bool)
    hole[10:20, 12:30] = True
    pixels[hole] = FACE
    result = opened.give_back(pixels, hole).photo
    assert isinstance(result, Image.Image)
    return result, hole


def saved(image: Image.Image, format: str, **options: Any) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("RGB", "RGB"), ("RGBA", "RGBA"), ("L", "L"), ("LA", "LA"), ("1", "L"), ("P", "RGB"), ("PA", "RGBA"),
        ("CMYK", "RGB"), ("LAB", "RGB"), ("YCbCr", "YCbCr"), ("HSV", "HSV"), ("RGBX", "RGB"), ("RGBa", "RGBA"),
    ],
)  # fmt: skip
def test_the_mode_stays_where_it_can_hold_a_face(mode: str, expected: str) -> None:
    via = {"LAB": Image.new("LAB", (40, 30), (128, 140, 110)), "PA": picture().convert("P").convert("PA")}
    image = via.get(mode) or picture().convert("RGBA" if mode == "RGBa" else "RGB").convert(mode)
    result, hole = restored(image)
    assert result.mode == expected
    assert result.size == image.size
    if mode == expected:
        assert np.array_equal(np.asarray(result)[~hole], np.asarray(image)[~hole])
    inside = np.asarray(result.convert("RGB"))[hole]
    assert np.abs(inside.astype(int) - (BRIGHTNESS if expected in ("L", "LA") else FACE)).max() <= 3


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_a_16_bit_ramp_is_no_white_picture(mode: str) -> None:
    ramp = np.linspace(0, 65535, 1200).astype(np.uint16).reshape(30, 40)
    image = Image.frombytes(mode, (40, 30), ramp.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    photo = photo_of_pil(image)
    assert np.array_equal(photo.pixels[..., 1], np.rint(ramp / 257))
    result, hole = restored(image)
    assert result.mode == "I;16"
    assert np.array_equal(np.asarray(result)[~hole], ramp[~hole])
    assert (np.asarray(result)[hole] == BRIGHTNESS * 257).all()


def test_a_16_bit_value_that_means_transparent_stays_apart_from_the_new_face() -> None:
    values = np.full((30, 40), 1000, np.uint16)
    values[:, :15] = key = BRIGHTNESS * 257
    image = Image.fromarray(values)
    image.info["transparency"] = key
    assert photo_of_pil(image).alpha is not None
    result, hole = restored(image)
    assert result.info["transparency"] == key
    assert np.array_equal(np.asarray(result) == key, values == key)
    assert np.abs(np.asarray(result)[hole].astype(int) - key).max() <= 1


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_becomes_an_alpha_channel_and_can_be_saved(mode: str) -> None:
    image = picture().convert(mode)
    pixel = image.getpixel((0, 0))
    image = saved(image, "PNG", transparency=pixel)
    expected = np.asarray(image.convert("RGBA"))[..., 3]
    assert expected.min() == 0
    result, hole = restored(image)
    assert result.mode == ("LA" if mode == "L" else "RGBA")
    assert np.array_equal(np.asarray(result.getchannel("A")), expected)
    again = np.asarray(saved(result, "PNG").convert("RGBA"))
    assert np.array_equal(again[~hole], np.asarray(image.convert("RGBA"))[~hole])


@pytest.mark.parametrize("mode", ["CMYK", "LAB"])
def test_what_becomes_rgb_carries_a_profile_of_rgb(mode: str) -> None:
    image = picture().convert("CMYK") if mode == "CMYK" else Image.new("LAB", (40, 30), (128, 140, 110))
    image.info["icc_profile"] = b"\0" * 16 + b"CMYK" + b"\0" * 200
    result, _ = restored(image)
    assert result.info["icc_profile"] == srgb_profile()


def test_the_profile_of_rgb_stays() -> None:
    image = picture()
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert restored(image)[0].info["icc_profile"] == image.info["icc_profile"]


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "I;16", "YCbCr", "RGBA"])
def test_the_orientation_is_applied_once_and_reset(turn: int, mode: str) -> None:
    plain = picture() if mode != "I;16" else Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40))
    image = plain if mode == "I;16" else plain.convert(mode)
    image.getexif()[0x0112] = turn
    image.getexif()[0x0110] = "Model"
    upright = ImageOps.exif_transpose(image)
    result, hole = restored(image)
    assert np.array_equal(np.asarray(result)[~hole], np.asarray(upright)[~hole])
    assert result.getexif().get(0x0112, 1) == 1
    assert result.getexif()[0x0110] == "Model"


@pytest.mark.parametrize("turn", [1, 6])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_an_image_opened_from_a_file_goes_the_same_way(format: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = turn, "Model"
    options: dict[str, Any] = {"lossless": True} if format == "WEBP" else {}
    image = saved(picture(), format, exif=exif, dpi=(300, 300), **options)
    result, hole = restored(image)
    again = saved(result, "PNG", exif=result.info["exif"])
    assert np.array_equal(np.asarray(again)[~hole], np.asarray(result)[~hole])
    assert result.size == ((40, 30) if turn == 1 else (30, 40))
    assert again.getexif().get(0x0112, 1) == 1
    assert again.getexif()[0x0110] == "Model"


def test_the_label_is_in_the_info() -> None:
    result, _ = restored(picture())
    assert digital_source_type(result.info["xmp"]) == DIGITAL_SOURCE_TYPE


def test_an_untouched_image_is_the_very_one() -> None:
    image = picture().convert("P")
    opened = open_photo(image)
    assert opened.give_back(opened.pixels, None).photo is image


@pytest.mark.parametrize("mode", ["I", "F"])
def test_modes_that_cannot_be_put_back_are_refused(mode: str) -> None:
    with pytest.raises(PhotoUnsupported, match=f"mode {mode} "):
        open_photo(Image.new(mode, (8, 8)))


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(PhotoUnsupported, match="0x5 px"):
        open_photo(Image.new("RGB", (0, 5)))


def test_a_broken_file_opened_by_pil_is_refused() -> None:
    buffer = io.BytesIO()
    picture().save(buffer, "PNG")
    lazy = Image.open(io.BytesIO(buffer.getvalue()[:-60]))
    with pytest.raises(PhotoUnreadable, match="the PIL image is broken"):
        open_photo(lazy)


def test_odd_info_does_no_harm() -> None:
    image = picture()
    image.info.update(icc_profile=7, xmp=(1, 2), dpi="fine")
    result, _ = restored(image)
    assert "icc_profile" not in result.info
    image.info.update(exif=b"Exif\0\0" + struct.pack("<2sHI", b"II", 42, 2**31))
    assert restored(image)[0].mode == "RGB"


def test_pixels_and_photo_go_back_by_hand_too() -> None:
    image = picture()
    photo = photo_of_pil(image)
    untouched = pil_of_photo(image, photo, photo.pixels, np.zeros((30, 40), bool))
    assert np.array_equal(np.asarray(untouched), np.asarray(image))
