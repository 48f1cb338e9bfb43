"""What must hold for every picture: orientation, compositing, and what survives a file."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageOps

from demask.geometry import Framed
from demask.photo.decode import Photo, read_photo
from demask.photo.encode import encode_photo
from demask.photo.exif import cleaned, orientation
from demask.photo.paste import composite, paste_back
from demask.photo.provenance import DIGITAL_SOURCE_TYPE, digital_source_type

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
sizes = st.tuples(st.integers(1, 24), st.integers(1, 24))


@st.composite
def pictures_and_hole(draw: Any, dtype: Any = np.uint8, channels: int = 3) -> Any:
    size = draw(sizes)
    picture = arrays(dtype, (*size, channels))
    return draw(picture), draw(arrays(np.uint8, (*size, 3))), draw(arrays(np.bool_, size))


def png_of(pixels: np.ndarray[Any, Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", **options)
    return buffer.getvalue()


def exif_of(turn: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = turn, "Model"
    return exif.tobytes()


@quick
@given(pictures_and_hole())
def test_only_the_hole_changes(case: Any) -> None:
    photo, prediction, hole = case
    restored = composite(prediction, photo, hole)
    assert np.array_equal(restored[~hole], photo[~hole])
    assert np.array_equal(restored[hole], prediction[hole])


@quick
@given(pictures_and_hole(), st.floats(0, 1))
def test_alpha_stays_between_the_two_and_inside(case: Any, weight: float) -> None:
    photo, prediction, hole = case
    alpha = np.full(hole.shape, weight, np.float32)
    restored = composite(prediction, photo, hole, alpha=alpha)
    assert np.array_equal(restored[~hole], photo[~hole])
    assert (restored >= np.minimum(photo, prediction)).all()
    assert (restored <= np.maximum(photo, prediction)).all()


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_orientation_is_applied_once_and_reset(turn: int, format: str) -> None:
    stored = np.random.default_rng(turn).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    options = {"lossless": True} if format == "WEBP" else {}
    Image.fromarray(stored).save(buffer, format, exif=exif_of(turn), **options)
    with Image.open(io.BytesIO(buffer.getvalue())) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    photo = read_photo(buffer.getvalue())
    assert np.array_equal(photo.pixels, expected)
    again = encode_photo(photo, photo.pixels, changed=np.zeros(expected.shape[:2], bool))
    assert np.array_equal(read_photo(again).pixels, expected)
    assert orientation(read_photo(again).exif) == 1
    with Image.open(io.BytesIO(again)) as image:
        assert image.getexif().get(0x0112, 1) == 1
        assert image.getexif()[0x0110] == "Model"


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "AVIF"])
def test_orientation_of_lossy_formats(turn: int, format: str) -> None:
    stored = cv2.resize(np.random.default_rng(turn).integers(0, 256, (3, 4, 3), dtype=np.uint8), (64, 48))
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, format, exif=exif_of(turn), quality=100)
    with Image.open(io.BytesIO(buffer.getvalue())) as image:
        expected = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    photo = read_photo(buffer.getvalue())
    assert np.array_equal(photo.pixels, expected)
    again = read_photo(encode_photo(photo, photo.pixels, changed=np.zeros(expected.shape[:2], bool)))
    assert np.abs(again.pixels - expected).mean() < 6


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_orientation_of_16_bit_files(turn: int, format: str) -> None:
    values = np.random.default_rng(turn).integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    plain = read_photo(cv2.imencode(".png", values)[1].tobytes())
    sideways = Photo(pixels=plain.pixels, deep=plain.deep, format="PNG", mode="RGB")
    data = encode_photo(sideways, plain.pixels, changed=np.zeros((5, 7), bool), format=format)
    if format == "PNG":
        # Behind the signature and the header chunk.
        body = b"eXIf" + exif_of(turn).removeprefix(b"Exif\0\0")
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        data = data[:33] + chunk + data[33:]
    else:
        # A TIFF's own tag: in place of the planar configuration (284), whose default is what it says.
        entry = data.index(bytes.fromhex("1c01 0300 01000000 0100"))
        data = bytearray(data)
        data[entry : entry + 10] = bytes.fromhex("1201 0300 01000000") + bytes([turn, 0])
        data = bytes(data)
    photo = read_photo(data)
    shown = Image.fromarray(np.arange(35, dtype=np.uint8).reshape(5, 7))
    shown.getexif()[0x0112] = turn
    order = np.asarray(ImageOps.exif_transpose(shown))
    assert photo.deep is not None
    assert plain.deep is not None
    assert np.array_equal(photo.deep, plain.deep.reshape(35, 3)[order])


@quick
@given(pictures_and_hole())
def test_png_pixels_outside_the_hole_are_exact(case: Any) -> None:
    stored, prediction, hole = case
    photo = read_photo(png_of(stored))
    restored = composite(prediction, photo.pixels, hole)
    data = encode_photo(photo, restored, changed=hole)
    with Image.open(io.BytesIO(data)) as image:
        written = np.asarray(image)
    assert np.array_equal(written[~hole], stored[~hole])
    assert np.array_equal(written[hole], prediction[hole])
    assert digital_source_type(read_photo(data).xmp) == DIGITAL_SOURCE_TYPE


@quick
@given(pictures_and_hole(np.uint16), st.sampled_from(["PNG", "TIFF"]))
def test_16_bit_values_outside_the_hole_are_exact(case: Any, format: str) -> None:
    stored, prediction, hole = case
    photo = read_photo(cv2.imencode(".png", stored[..., ::-1].copy())[1].tobytes())
    restored = composite(prediction, photo.pixels, hole)
    data = encode_photo(photo, restored, changed=hole, format=format)
    written = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert written.dtype == np.uint16
    assert np.array_equal(written[~hole], stored[~hole])
    assert np.array_equal(written[hole], prediction[hole].astype(np.uint16) * 257)


@quick
@given(pictures_and_hole(np.uint16, 1), st.sampled_from(["PNG", "TIFF"]))
def test_16_bit_grey_outside_the_hole_is_exact(case: Any, format: str) -> None:
    stored, prediction, hole = case
    photo = read_photo(cv2.imencode(".png", stored)[1].tobytes())
    data = encode_photo(photo, prediction, changed=hole, format=format)
    written = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert written.ndim == 2
    assert np.array_equal(written[~hole], stored[..., 0][~hole])


@few
@given(pictures_and_hole(), st.sampled_from(["WEBP", "TIFF", "PNG"]))
def test_lossless_round_trips(case: Any, format: str) -> None:
    stored, _, hole = case
    photo = read_photo(png_of(stored))
    again = read_photo(encode_photo(photo, photo.pixels, changed=hole, format=format))
    assert again.format == format
    assert np.array_equal(again.pixels, stored)


@quick
@given(arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(4))))
def test_alpha_survives(stored: np.ndarray[Any, Any]) -> None:
    photo = read_photo(png_of(stored))
    data = encode_photo(photo, photo.pixels, changed=np.zeros(stored.shape[:2], bool))
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image.convert("RGBA")), stored)


@quick
@given(st.binary(max_size=200))
def test_any_exif_bytes_are_survived(block: bytes) -> None:
    for order in (b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"):
        assert 1 <= orientation(order + block) <= 8
        once = cleaned(order + block)
        assert orientation(once) == 1
        assert cleaned(once) == once
    assert orientation(block) >= 1


@few
@given(
    seed=st.integers(0, 2**32 - 1),
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.3, 4),
    x=st.floats(-100, 300),
    y=st.floats(-100, 300),
)
def test_pasting_changes_only_its_hole(seed: int, angle: float, scale: float, x: float, y: float) -> None:
    rng = np.random.default_rng(seed)
    photo = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    restored = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    coarse = rng.random((6, 6)).astype(np.float32)
    coverage = np.clip(cv2.resize(coarse, (256, 256), interpolation=cv2.INTER_CUBIC), 0, 1)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([linear, [x, y]])
    framed = replace(Framed.cut(photo, matrix), valid=np.ones((256, 256), bool))
    pasted = paste_back(photo, restored, coverage, framed)
    assert np.array_equal(pasted.pixels[~pasted.hole], photo[~pasted.hole])
    assert pasted.hole.shape == photo.shape[:2]
    # Nothing outside the frame is hole.
    rows, columns = np.nonzero(pasted.hole)
    in_frame = np.stack([columns, rows], axis=1) @ linear.T + matrix[:, 2]
    if len(rows):
        assert in_frame.min() > -1
        assert in_frame.max() < 256
