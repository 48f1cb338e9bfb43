"""JPEG comments and IPTC, PNG texts and colour chunks: they go along, and what no longer holds does not."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, IptcImagePlugin, PngImagePlugin

from demask.photo.ancillary import kept_chunks, kept_segments
from demask.photo.decode import read_photo
from demask.photo.encode import encode_photo

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GAMMA_1 = (b"gAMA", struct.pack(">I", 100_000))
CHROMA = (b"cHRM", struct.pack(">8I", 31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000))
PQ = (b"cICP", bytes([9, 16, 0, 1]))


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def again(data: bytes, **options: Any) -> bytes:
    photo = read_photo(data)
    changed = np.zeros(photo.pixels.shape[:2], bool)
    changed[4:8, 4:8] = True
    return encode_photo(photo, photo.pixels, changed=changed, **options)


# JPEG


def resource(number: int, body: bytes, name: bytes = b"") -> bytes:
    padded = bytes([len(name)]) + name + b"\0" * (1 - len(name) % 2)
    return (
        b"8BIM"
        + struct.pack(">H", number)
        + padded
        + struct.pack(">I", len(body))
        + body
        + b"\0" * (len(body) % 2)
    )


def dataset(record: int, number: int, text: bytes) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(text)) + text


IPTC = dataset(2, 80, b"Zoe") + dataset(2, 120, b"A caption of odd length")


def jpeg_with(*payloads: bytes, comment: bytes | None = b"taken on a Monday") -> bytes:
    data = encoded(Image.new("RGB", (32, 32), (90, 120, 150)), "JPEG", comment=comment)
    segments = [b"\xff\xed" + struct.pack(">H", len(body) + 2) + body for body in payloads]
    place = data.index(b"\xff\xdb")
    return data[:place] + b"".join(segments) + data[place:]


def test_a_comment_and_iptc_survive() -> None:
    data = jpeg_with(b"Photoshop 3.0\0" + resource(1028, IPTC, b"odd") + resource(1061, b"digest of 16 byt"))
    with Image.open(io.BytesIO(again(data))) as image:
        assert image.info["comment"] == b"taken on a Monday"
        found = IptcImagePlugin.getiptcinfo(image)
        assert found is not None
        assert found[2, 80] == b"Zoe"
        assert found[2, 120] == b"A caption of odd length"
        assert image.info["photoshop"][1061] == b"digest of 16 byt"


def test_the_thumbnail_in_the_resources_goes() -> None:
    body = resource(1036, b"the face with its mask") + resource(1028, IPTC) + resource(1033, b"an older one")
    with Image.open(io.BytesIO(again(jpeg_with(b"Photoshop 3.0\0" + body)))) as image:
        assert set(image.info["photoshop"]) == {1028}


def test_resources_of_several_segments_are_joined_and_split_anew() -> None:
    body = resource(1028, dataset(2, 120, b"x" * 30_000) * 5)
    payloads = [b"Photoshop 3.0\0" + body[start : start + 60_000] for start in range(0, len(body), 60_000)]
    written = again(jpeg_with(*payloads))
    assert kept_segments(written).resources == body


def test_several_comments_survive_in_order() -> None:
    data = jpeg_with(comment=b"first")
    place = data.index(b"\xff\xdb")
    data = data[:place] + b"\xff\xfe\x00\x08second" + data[place:]
    assert kept_segments(again(data)).comments == (b"first", b"second")


def test_a_jpeg_that_says_nothing_stays_silent() -> None:
    written = again(jpeg_with(comment=None))
    assert not kept_segments(written)


@pytest.mark.parametrize(
    "body",
    [b"", b"8BIM", b"8BIM\x04\x04\x00\x00\xff\xff\xff\xff", b"8BIM\x04\x04\xff" + b"x" * 9, b"no resource"],
)
def test_broken_resources_do_no_harm(body: bytes) -> None:
    assert not kept_segments(again(jpeg_with(b"Photoshop 3.0\0" + body, comment=None)))


@pytest.mark.parametrize("end", range(2, 700, 41))
def test_segments_of_a_file_cut_anywhere_are_read(end: int) -> None:
    assert kept_segments(jpeg_with()[:end]).comments in (
        (),
        (b"taken on a Monday",),
        (b"taken on a Monday"[: end - 24],),
    )


# PNG


def png_with(*chunks: tuple[bytes, bytes], mode: str = "RGB", **options: Any) -> bytes:
    image = Image.linear_gradient("L").resize((32, 32)).convert(mode)
    if mode == "I;16":
        image = Image.fromarray(np.arange(1024, dtype=np.uint16).reshape(32, 32) * 64)
    data = encoded(image, "PNG", **options)
    built = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return data[:33] + b"".join(built) + data[33:]


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "I;16"])
def test_how_the_colours_show_survives(mode: str) -> None:
    chunks = (PQ, GAMMA_1, CHROMA, (b"mDCV", bytes(24)), (b"cLLI", bytes(8)))
    written = again(png_with(*chunks, mode=mode))
    assert set(chunks) <= set(kept_chunks(written))
    with Image.open(io.BytesIO(written)) as image:
        image.load()
        assert image.info["gamma"] == 1


@pytest.mark.parametrize("mode", ["RGB", "I;16"])
def test_srgb_survives_unless_a_profile_says_more(mode: str) -> None:
    chunk = (b"sRGB", b"\1")
    assert chunk in kept_chunks(again(png_with(chunk, mode=mode)))
    if mode == "RGB":
        assert chunk not in kept_chunks(again(png_with(chunk, icc_profile=SRGB)))


def test_texts_survive() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "Zoe")
    text.add_text("Comment", "long " * 100, zip=True)
    text.add_itxt("Title", "Straße", "de", "Titel")
    text.add_text("After", "the pixels")
    image = Image.new("RGB", (32, 32))
    written = again(encoded(image, "PNG", pnginfo=text))
    with Image.open(io.BytesIO(written)) as opened:
        assert isinstance(opened, PngImagePlugin.PngImageFile)
        found = opened.text
    assert found["Author"] == "Zoe"
    assert found["Comment"] == "long " * 100
    assert found["Title"] == "Straße"
    assert found["After"] == "the pixels"
    assert written.count(b"XML:com.adobe.xmp") == 1


def test_an_xmp_packet_is_never_there_twice() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", '<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
    text.add_text("Raw profile type xmp", "\nxmp\n3\n616263")
    written = again(encoded(Image.new("RGB", (32, 32)), "PNG", pnginfo=text))
    assert again(written).count(b"XML:com.adobe.xmp") == 1
    assert b"Raw profile type xmp" not in written


@pytest.mark.parametrize(
    "chunk", [(b"gAMA", b"\0\1"), (b"sRGB", b""), (b"tEXt", b"no separator"), (b"tEXt", b"\0x")]
)
def test_odd_chunks_are_left_out(chunk: tuple[bytes, bytes]) -> None:
    assert chunk not in kept_chunks(png_with(chunk))


def test_texts_without_end_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    assert not kept_chunks(png_with(*[(b"tEXt", b"a\0b")] * 1_001))
    assert "more text than is kept" in caplog.text


@pytest.mark.parametrize(
    ("chunk", "warned"), [(GAMMA_1, True), (PQ, True), ((b"gAMA", b"\0\0\xb1\x8f"), False)]
)
@pytest.mark.parametrize("format", ["JPEG", "TIFF", "WEBP"])
def test_another_format_that_cannot_say_it_is_warned_about(
    format: str, chunk: tuple[bytes, bytes], warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    again(png_with(chunk), format=format)
    assert ("may show otherwise" in caplog.text) is warned
