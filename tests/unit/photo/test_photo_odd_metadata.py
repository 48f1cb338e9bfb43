"""Odd entries around the pixels: the picture is read all the same, written, and read again; or refused."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from demask.errors import PhotoUnreadable
from demask.photo.decode import Photo, read_photo
from demask.photo.encode import encode_photo

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # What is odd in the file.
SHORT, LONG, RATIONAL, SIGNED_RATIONAL, FLOAT, DOUBLE, ASCII = 3, 4, 5, 10, 11, 12, 2


def tiff(*more: tuple[int, int, int, bytes]) -> bytes:
    """A grey TIFF of 4 x 4 px with further entries (tag, type, count, value)."""
    entries = [
        (256, LONG, 1, b"\4\0\0\0"), (257, LONG, 1, b"\4\0\0\0"), (258, SHORT, 1, b"\x08\0"),
        (259, SHORT, 1, b"\1\0"), (262, SHORT, 1, b"\1\0"), (277, SHORT, 1, b"\1\0"),
        (278, LONG, 1, b"\4\0\0\0"), (279, LONG, 1, b"\x10\0\0\0"), *more,
    ]  # fmt: skip
    place = 8 + 2 + 12 * (len(entries) + 1) + 4
    entries.append((273, LONG, 1, struct.pack("<I", place)))
    tail = bytes(range(16))
    rows = []
    for tag, kind, count, value in sorted(entries):
        if len(value) > 4:
            tail, value = tail + value, struct.pack("<I", place + len(tail))
        rows.append(struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0"))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4) + tail


def survives_all_formats(photo: Photo) -> None:
    changed = np.zeros(photo.pixels.shape[:2], bool)
    changed[0, 0] = True
    for format in ("TIFF", "PNG", "JPEG", "WEBP"):
        again = read_photo(encode_photo(photo, photo.pixels, changed=changed, format=format))
        assert again.pixels.shape == photo.pixels.shape


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (RATIONAL, struct.pack("<II", 0, 0)),
        (RATIONAL, struct.pack("<II", 1, 0)),
        (RATIONAL, struct.pack("<II", 0, 1)),
        (RATIONAL, struct.pack("<II", 2**32 - 1, 1)),
        (RATIONAL, struct.pack("<II", 1, 2**32 - 1)),
        (SIGNED_RATIONAL, struct.pack("<ii", -72, 1)),
        (FLOAT, struct.pack("<f", float("inf"))),
        (FLOAT, struct.pack("<f", float("nan"))),
        (DOUBLE, struct.pack("<d", 1e300)),
        (ASCII, b"abc\0"),
    ],
)
def test_a_resolution_that_no_picture_has_is_dropped(kind: int, value: bytes) -> None:
    count = len(value) if kind == ASCII else 1
    photo = read_photo(tiff((282, kind, count, value), (283, kind, count, value), (296, SHORT, 1, b"\2\0")))
    assert photo.dpi is None
    survives_all_formats(photo)


def test_a_usual_resolution_is_kept() -> None:
    value = struct.pack("<II", 300, 1)
    photo = read_photo(tiff((282, RATIONAL, 1, value), (283, RATIONAL, 1, value), (296, SHORT, 1, b"\2\0")))
    assert photo.dpi == (300, 300)
    survives_all_formats(photo)


@pytest.mark.parametrize("entry", [(SHORT, 1, b"\5\0"), (ASCII, 4, b"abc\0"), (RATIONAL, 1, bytes(8))])
def test_a_profile_of_a_wrong_type_is_dropped(
    entry: tuple[int, int, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    photo = read_photo(tiff((34675, *entry)))
    assert photo.icc is None
    assert "ICC profile is of a wrong type" in caplog.text
    survives_all_formats(photo)


@pytest.mark.parametrize("kind", range(1, 14))
@pytest.mark.parametrize("tag", [270, 306, 315, 330, 700, 33723, 34377, 34665, 34853])
def test_entries_of_any_type_do_no_harm(tag: int, kind: int) -> None:
    try:
        photo = read_photo(tiff((tag, kind, 1, b"\xff\0\1\2\3\4\5\6")))
    except PhotoUnreadable:
        return
    survives_all_formats(photo)


def png_with_transparency(mode: str, body: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((16, 16)).convert(mode).save(buffer, "PNG")
    data = buffer.getvalue()
    place = data.index(b"IDAT") - 4
    chunk = b"tRNS" + body
    chunk = struct.pack(">I", len(body)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[:place] + chunk + data[place:]


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "1", "LA", "RGBA", "I;16"])
@pytest.mark.parametrize("body", [b"", b"\0", b"\0\1", bytes(6), bytes(7), bytes(300), bytes(range(256))])
def test_odd_transparency_of_a_png_is_read_or_refused(mode: str, body: bytes) -> None:
    try:
        photo = read_photo(png_with_transparency(mode, body))
    except PhotoUnreadable:
        return
    changed = np.zeros((16, 16), bool)
    again = read_photo(encode_photo(photo, photo.pixels, changed=changed, format="PNG"))
    assert np.array_equal(again.pixels, photo.pixels)


@pytest.mark.parametrize("header", [b"MM\x00\x00\0\0\0\x08", b"II\x2b\0\x08\0\0\0", b"MM\x00\xed\0\0\0\x08"])
def test_an_exif_block_without_its_mark_is_dropped(header: bytes) -> None:
    block = Image.Exif()
    block[0x0110] = "Model"
    body = header + block.tobytes().removeprefix(b"Exif\0\0")[8:]
    buffer = io.BytesIO()
    options: dict[str, Any] = {"exif": b"Exif\0\0" + body}
    Image.new("RGB", (16, 16)).save(buffer, "JPEG", **options)
    photo = read_photo(buffer.getvalue())
    assert photo.exif is None
    survives_all_formats(photo)


def test_an_exif_entry_that_a_tiff_cannot_hold_does_not_stop_it(caplog: pytest.LogCaptureFixture) -> None:
    # Copyright (33432) as numbers: a TIFF's writer expects text.
    body = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 33432, 7, 3, 0x00FFFEFD) + bytes(4)
    plain = Image.new("RGB", (16, 16))
    buffer = io.BytesIO()
    plain.save(buffer, "JPEG", exif=b"Exif\0\0" + body)
    survives_all_formats(read_photo(buffer.getvalue()))
