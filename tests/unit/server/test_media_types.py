"""Formats are told by the first bytes, and only some reach a decoder."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from demask.server.serve_settings import (
    MEDIA_TYPES,
    accepted_formats,
    format_of_bytes,
    require_format,
)
from demask.webkit.responses import Refusal


def picture(format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_what_pillow_writes_is_known(format: str) -> None:
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("Pillow without AVIF")
    assert format in accepted_formats()
    data = picture(format)
    assert format_of_bytes(data) == format
    require_format(data, field="photo", formats=accepted_formats())


@pytest.mark.parametrize("format", ["GIF", "BMP", "TIFF", "PPM", "JPEG2000", "ICO"])
def test_what_strangers_need_not_feed_us_is_refused(format: str) -> None:
    with pytest.raises(Refusal) as caught:
        require_format(picture(format), field="photo", formats=accepted_formats())
    assert (caught.value.status, caught.value.code) == (415, "wrong_photo_type")
    assert caught.value.details["formats"] == [MEDIA_TYPES[name] for name in accepted_formats()]


def test_the_message_names_the_field_and_what_came() -> None:
    with pytest.raises(Refusal, match="the field hole holds JPEG; send PNG"):
        require_format(picture("JPEG"), field="hole", formats=("PNG",))
    with pytest.raises(Refusal, match="holds no picture that we know; send PNG"):
        require_format(b"GIF89a", field="photo", formats=("PNG",))
    with pytest.raises(Refusal, match="the field photo holds nothing"):
        require_format(b"", field="photo", formats=("PNG",))


@given(st.binary(max_size=60))
def test_any_bytes_are_judged_without_an_error(data: bytes) -> None:
    assert format_of_bytes(data) in {None, *MEDIA_TYPES}


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif", b"avis", b"mp42"])
def test_heif_is_told_by_its_brand(brand: bytes) -> None:
    data = b"\0\0\0\x18ftyp" + brand + bytes(4) + b"mif1"
    wanted = {b"avif": "AVIF", b"avis": "AVIF", b"mp42": None}.get(brand, "HEIF")
    assert format_of_bytes(data) == wanted
    # A brand for all comes first, the kind among those that follow.
    if brand == b"mif1":
        assert format_of_bytes(data[:16] + b"avif") == "AVIF"
