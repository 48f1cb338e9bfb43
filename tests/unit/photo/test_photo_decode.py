"""What `read_photo` keeps, and each kind of file it refuses."""

from __future__ import annotations

import importlib.util
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from demask.errors import PhotoTooLarge, PhotoUnreadable, PhotoUnsupported
from demask.photo.decode import read_photo
from demask.photo.encode import encode_photo


def picture(width: int = 40, height: int = 30, seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_their_pixels(format: str) -> None:
    pixels = picture()
    photo = read_photo(encoded(Image.fromarray(pixels), format))
    assert photo.format == format
    assert np.array_equal(photo.pixels, pixels)
    assert photo.alpha is None
    assert photo.deep is None


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_lossy_formats_give_almost_their_pixels(format: str) -> None:
    pixels = picture()
    photo = read_photo(encoded(Image.fromarray(pixels), format, quality=95))
    assert photo.format == format
    assert np.abs(photo.pixels.astype(int) - pixels).mean() < 8


def test_a_path_reads_as_its_bytes(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(picture()), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    photo = read_photo(tmp_path / "a.png")
    assert photo.source_bytes == data


@pytest.mark.parametrize("mode", ["L", "1", "LA", "P", "RGBA", "PA", "I;16"])
def test_modes_become_rgb(mode: str) -> None:
    rgb = Image.fromarray(picture())
    if mode == "I;16":
        image = Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50)
    elif mode == "PA":
        image = rgb.convert("P").convert("PA")
    else:
        image = rgb.convert(mode)
    photo = read_photo(encoded(image, "TIFF" if mode == "PA" else "PNG"))
    assert photo.pixels.shape == (30, 40, 3)
    assert photo.pixels.dtype == np.uint8
    assert photo.grey == (mode in ("L", "1", "LA", "I;16"))
    if photo.grey:
        assert np.ptp(photo.pixels, axis=2).max() == 0
    if mode in ("L", "1", "P"):
        assert np.array_equal(photo.pixels, np.asarray(image.convert("RGB")))


def test_alpha_is_kept_apart_from_the_colours_under_it() -> None:
    pixels = picture()
    alpha = np.tile(np.arange(40, dtype=np.uint8) * 6, (30, 1))
    photo = read_photo(encoded(Image.fromarray(np.dstack([pixels, alpha])), "PNG"))
    assert np.array_equal(photo.pixels, pixels)
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, alpha)


def test_a_transparent_palette_colour_is_alpha() -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "L").convert("P")
    photo = read_photo(encoded(image, "PNG", transparency=0))
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [[0, 255], [255, 0]]


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_values_are_kept(suffix: str, channels: int) -> None:
    rng = np.random.default_rng(1)
    stored = rng.integers(0, 65536, (30, 40, channels)).astype(np.uint16)
    data = cv2.imencode(suffix, stored if channels > 1 else stored[..., 0])[1].tobytes()
    photo = read_photo(data)
    assert photo.deep is not None
    if channels == 1:
        assert np.array_equal(photo.deep, stored[..., 0])
        assert photo.grey
    else:
        assert np.array_equal(photo.deep, stored[..., 2::-1])
    rgb = photo.deep if channels > 1 else photo.deep[..., None]
    assert np.array_equal(photo.pixels, np.broadcast_to(np.rint(rgb / 257), (30, 40, 3)))
    if channels == 4:
        assert photo.alpha is not None
        assert np.array_equal(photo.alpha, stored[..., 3])


def test_a_16_bit_jpeg_2000_keeps_its_ramp() -> None:
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    photo = read_photo(encoded(Image.fromarray(ramp), "JPEG2000"))
    assert photo.deep is not None
    assert np.array_equal(photo.deep, ramp)
    assert np.array_equal(photo.pixels[..., 0], np.rint(ramp / 257))


def test_a_16_bit_grey_value_that_means_transparent_is_alpha() -> None:
    values = np.array([[1000, 2000], [2000, 1000]], np.uint16)
    photo = read_photo(encoded(Image.fromarray(values), "PNG", transparency=2000))
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [[65535, 0], [0, 65535]]
    again = read_photo(encode_photo(photo, photo.pixels, changed=np.zeros((2, 2), bool)))
    assert again.alpha is not None
    assert np.array_equal(again.alpha, photo.alpha)
    assert again.deep is not None
    assert np.array_equal(again.deep[..., 0], values)


def test_cmyk_without_profile_becomes_rgb() -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    photo = read_photo(encoded(image, "TIFF"))
    assert photo.pixels[0, 0].tolist() == [255, 0, 0]
    assert photo.icc is not None
    assert ImageCms.ImageCmsProfile(io.BytesIO(photo.icc)).profile.xcolor_space == "RGB "


def test_the_profile_we_make_is_the_same_on_every_day() -> None:
    made = read_photo(encoded(Image.new("CMYK", (8, 8)), "TIFF")).icc
    assert made is not None
    # When it was made (ICC.1:2022, sec. 7.2.8): year, month, day, hours, minutes, seconds.
    assert struct.unpack(">6H", made[24:36]) == (2000, 1, 1, 0, 0, 0)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(made)).profile
    assert profile.profile_description.startswith("sRGB")


def test_a_cmyk_jpeg_with_a_broken_profile_is_still_read(caplog: pytest.LogCaptureFixture) -> None:
    image = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    photo = read_photo(encoded(image, "JPEG", icc_profile=b"no profile at all" * 20))
    assert photo.pixels.min() > 250
    assert "CMYK profile" in caplog.text


def test_lab_becomes_srgb() -> None:
    image = Image.new("LAB", (8, 8), (255, 128, 128))
    photo = read_photo(encoded(image, "TIFF"))
    assert photo.pixels.min() > 245


def test_jpeg_tables_and_subsampling_are_read() -> None:
    image = Image.fromarray(picture())
    data = encoded(image, "JPEG", quality=71, subsampling=1, progressive=True)
    coding = read_photo(data).coding
    with Image.open(io.BytesIO(data)) as opened:
        assert coding.jpeg_tables == opened.quantization  # type: ignore[attr-defined]
    assert coding.jpeg_subsampling == 1
    assert coding.progressive


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("extended", [True, False])
def test_webp_is_told_lossless_from_lossy(lossless: bool, extended: bool) -> None:
    more = {"xmp": b"<x/>", "icc_profile": b"p" * 9} if extended else {}
    data = encoded(Image.fromarray(picture()), "WEBP", lossless=lossless, **more)
    assert read_photo(data).coding.lossless is lossless


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_avif_subsampling_is_read(subsampling: str) -> None:
    data = encoded(Image.fromarray(picture()), "AVIF", subsampling=subsampling)
    assert read_photo(data).coding.avif_subsampling == subsampling


def test_a_phones_jpeg_with_extra_views_is_a_still_picture() -> None:
    views = [Image.fromarray(picture(seed=seed)) for seed in (0, 1)]
    photo = read_photo(encoded(views[0], "MPO", save_all=True, append_images=views[1:]))
    assert photo.format == "JPEG"
    assert np.abs(photo.pixels.astype(int) - picture()).mean() < 10


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_several_frames_are_refused(format: str) -> None:
    frames = [Image.fromarray(picture(seed=seed)) for seed in range(3)]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    with pytest.raises(PhotoUnsupported, match="3 pages" if format == "TIFF" else "animation of 3 frames"):
        read_photo(data)


def test_a_single_gif_frame_is_read() -> None:
    assert read_photo(encoded(Image.fromarray(picture()), "GIF")).format == "GIF"


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pixels_that_cannot_be_put_back_are_refused(mode: str) -> None:
    with pytest.raises(PhotoUnsupported, match="8 or 16 bit"):
        read_photo(encoded(Image.new(mode, (8, 8)), "TIFF"))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(PhotoUnreadable, match=r"empty\.jpg is empty"):
        read_photo(tmp_path / "empty.jpg")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotoUnreadable, match="No such file"):
        read_photo(tmp_path / "none.jpg")
    with pytest.raises(PhotoUnreadable, match="directory"):
        read_photo(tmp_path)


def test_text_named_jpg_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("Dear diary, this is no picture.\n" * 40)
    with pytest.raises(PhotoUnreadable, match=r"notes\.jpg is no picture we can read"):
        read_photo(tmp_path / "notes.jpg")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF", "GIF"])
@pytest.mark.parametrize("fraction", [0.3, 0.6, 0.9])
def test_a_file_cut_short_is_refused(format: str, fraction: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), format)
    with pytest.raises(PhotoUnreadable):
        read_photo(data[: int(len(data) * fraction)])


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_a_16_bit_file_cut_short_is_refused(suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 65536, (64, 80, 3)).astype(np.uint16)
    data = cv2.imencode(suffix, noise)[1].tobytes()
    with pytest.raises(PhotoUnreadable):
        read_photo(data[: int(len(data) * 0.7)])


def test_a_damaged_png_is_refused() -> None:
    data = bytearray(encoded(Image.fromarray(picture()), "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(PhotoUnreadable):
        read_photo(bytes(data))


def test_truncated_pictures_stay_errors_in_pillow() -> None:
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def _huge_png(width: int, height: int) -> bytes:
    """A valid header for a picture that would fill the memory, and next to no data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(("width", "height"), [(20_000, 15_000), (10_001, 10_000)])
def test_the_size_is_checked_before_decoding(width: int, height: int) -> None:
    with pytest.raises(PhotoTooLarge) as caught:
        read_photo(_huge_png(width, height))
    assert (caught.value.width, caught.value.height) == (width, height)


def test_the_limit_can_be_raised_beyond_pillows() -> None:
    # Past the header now: what is left to complain about is the missing data.
    with pytest.raises(PhotoUnreadable):
        read_photo(_huge_png(20_000, 15_000), max_megapixels=301)


def test_the_limit_can_be_lowered() -> None:
    data = encoded(Image.fromarray(picture(40, 30)), "PNG")
    with pytest.raises(PhotoTooLarge):
        read_photo(data, max_megapixels=0.001)


def test_a_heic_names_the_extra_it_needs() -> None:
    if importlib.util.find_spec("pillow_heif"):
        pytest.skip("a HEIF decoder is installed")
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100
    with pytest.raises(PhotoUnsupported, match="pillow-heif"):
        read_photo(data)
