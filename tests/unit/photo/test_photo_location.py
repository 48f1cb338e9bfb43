"""A photo that says all it can, through each format: what is kept, and what --strip-location takes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, IptcImagePlugin
from PIL.ExifTags import GPS, IFD

from demask.photo.decode import Photo, read_photo
from demask.photo.handed_in import Output, open_photo
from demask.photo.inspection import inspect_photo
from demask.photo.location import without_gps
from full_metadata import PLACE, says_everything

CAN_HOLD = {
    "JPEG": {"EXIF", "XMP", "IPTC", "ICC", "comment", "location"},
    "PNG": {"EXIF", "XMP", "IPTC", "ICC", "comment", "location"},
    "TIFF": {"EXIF", "XMP", "IPTC", "ICC", "location"},
    "WEBP": {"EXIF", "XMP", "ICC", "location"},
    "AVIF": {"EXIF", "XMP", "ICC", "location"},
    "HEIF": {"EXIF", "XMP", "ICC", "location"},
}


def changed(data: bytes, **output: Any) -> bytes:
    opened = open_photo(data)
    hole = np.zeros(opened.pixels.shape[:2], bool)
    hole[8:16, 8:24] = True
    given: bytes = opened.give_back(opened.pixels, hole, Output(**output)).photo
    return given


def source(format: str) -> bytes:
    if format == "HEIF":
        pytest.importorskip("pillow_heif")
    return says_everything(format)


@pytest.mark.parametrize("target", CAN_HOLD)
@pytest.mark.parametrize("format", CAN_HOLD)
def test_nothing_is_lost_that_the_format_can_hold(format: str, target: str) -> None:
    data = source(format)
    source(target)  # Skips where HEIC is not installed.
    assert set(inspect_photo(data).holds) == CAN_HOLD[format]
    written = inspect_photo(changed(data, format=target))
    assert set(written.holds) == CAN_HOLD[format] & CAN_HOLD[target]
    assert written.restored


def test_the_values_are_those_that_came() -> None:
    for target in ("JPEG", "TIFF"):
        with Image.open(io.BytesIO(changed(says_everything("JPEG"), format=target))) as image:
            record = IptcImagePlugin.getiptcinfo(image)
            assert record is not None
            assert record[2, 80] == b"Zoe"
            assert image.getexif().get_ifd(IFD.GPSInfo)[GPS.GPSLatitude] == (48.0, 8.0, 15.0)
    photo = read_photo(changed(changed(says_everything("JPEG"), format="PNG"), format="JPEG"))
    assert photo.notes.comments == (b"taken on a Monday",)
    with Image.open(io.BytesIO(changed(says_everything("JPEG"), format="TIFF"))) as image:
        assert image.tag_v2[270] == "taken on a Monday"


@pytest.mark.parametrize("format", CAN_HOLD)
def test_a_stripped_location_is_nowhere_in_the_file(format: str) -> None:
    data = source(format)
    assert PLACE in data or format == "PNG"
    for target in {format, "JPEG"}:
        written = changed(data, strip="location", format=target)
        assert set(inspect_photo(written).holds) == (CAN_HOLD[format] & CAN_HOLD[target]) - {"location"}
        assert PLACE not in written
        assert b"GPS" not in written
        photo = read_photo(written)
        assert photo.exif is not None
        with Image.open(io.BytesIO(written)) as image:
            assert image.getexif()[0x010F] == "Maker"
            assert not image.getexif().get_ifd(IFD.GPSInfo)


@pytest.mark.parametrize("format", CAN_HOLD)
def test_stripped_metadata_leaves_the_colours_and_the_label(format: str) -> None:
    data = source(format)
    assert set(inspect_photo(changed(data, strip="all")).holds) == {"ICC", "XMP"}
    opened = open_photo(data)
    untouched = opened.give_back(opened.pixels, None, Output(strip="all")).photo
    assert set(inspect_photo(untouched).holds) == {"ICC"}
    assert np.array_equal(read_photo(untouched).pixels, opened.pixels) or format in ("AVIF", "HEIF", "WEBP")


def test_a_pil_image_is_stripped_too() -> None:
    with Image.open(io.BytesIO(says_everything("JPEG"))) as image:
        image.load()
    opened = open_photo(image)
    hole = np.ones(opened.pixels.shape[:2], bool)
    given = opened.give_back(opened.pixels, hole, Output(strip="location")).photo
    assert b"GPS" not in given.info["xmp"]
    exif = Image.Exif()
    exif.load(given.info["exif"])
    assert not exif.get_ifd(IFD.GPSInfo)
    bare = opened.give_back(opened.pixels, None, Output(strip="all")).photo
    assert "exif" not in bare.info
    assert "xmp" not in bare.info


@pytest.mark.parametrize("end", range(0, 200, 9))
def test_a_block_cut_anywhere_does_no_harm(end: int) -> None:
    exif = read_photo(says_everything("JPEG")).exif
    assert exif is not None
    cut = without_gps(exif[:end])
    assert cut is not None
    assert len(cut) == min(end, len(exif))


def test_a_photo_without_a_place_is_left_as_it_is() -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    Image.new("RGB", (32, 32)).save(buffer, "JPEG", exif=exif)
    photo: Photo = read_photo(buffer.getvalue())
    assert without_gps(photo.exif) == photo.exif
    assert without_gps(None) is None
