"""Files that cost far more than they hold are refused by their headers; honest ones are not."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from demask.errors import PhotoUnreadable, PhotoUnsupported
from demask.photo.av1 import frame_sizes
from demask.photo.bombs import MAX_SCANS, count_scans
from demask.photo.decode import read_photo


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def smooth(width: int = 160, height: int = 120) -> Image.Image:
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


@pytest.fixture(autouse=True)
def refused_at_once() -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < 1


def jpeg_with(num_scans: int, *, side: int, num_bytes: int = 0) -> bytes:
    """A progressive JPEG whose last scan comes again and again, and whose header names another size."""
    data = bytearray(encoded(smooth(64, 64), "JPEG", progressive=True))
    frame = data.index(b"\xff\xc2")
    data[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    last = data.rindex(b"\xff\xda")
    data[-2:] = data[last:-2] * (num_scans - count_scans(bytes(data))) + b"\xff\xd9"
    return bytes(data) + bytes(max(0, num_bytes - len(data)))


def test_a_jpeg_without_the_data_for_its_pixels_is_refused() -> None:
    with pytest.raises(PhotoUnreadable, match=r"promises 9900x9900 px in \d+ bytes"):
        read_photo(jpeg_with(50, side=9900))


@pytest.mark.parametrize(("num_scans", "side"), [(50, 9900), (16, 9900), (MAX_SCANS + 1, 64)])
def test_a_jpeg_of_too_many_scans_is_refused(num_scans: int, side: int) -> None:
    with pytest.raises(PhotoUnsupported, match=f"JPEG of {num_scans} scans"):
        read_photo(jpeg_with(num_scans, side=side, num_bytes=400_000))


def test_scans_are_those_of_the_picture_alone() -> None:
    plain = encoded(smooth(), "JPEG", quality=99)
    assert count_scans(plain) == 1
    assert count_scans(encoded(smooth(), "JPEG", progressive=True)) == 10
    assert count_scans(encoded(smooth(), "JPEG", comment=b"\xff\xda" * 99)) == 1
    assert count_scans(encoded(smooth(), "JPEG", restart_marker_rows=1)) == 1
    assert count_scans(plain + plain * 70) == 1
    assert read_photo(plain + plain * 70).format == "JPEG"


@pytest.mark.parametrize("end", [2, 3, 20, 160, 400])
def test_scans_of_a_jpeg_cut_anywhere_are_counted(end: int) -> None:
    assert count_scans(encoded(smooth(), "JPEG", progressive=True)[:end]) <= 10


def test_a_flat_jpeg_is_no_bomb() -> None:
    for progressive in (False, True):
        data = encoded(Image.new("L", (2048, 2048)), "JPEG", quality=1, progressive=progressive, optimize=True)
        assert read_photo(data).pixels.shape == (2048, 2048, 3)


def code_stream(size: tuple[int, int], tile: tuple[int, int]) -> bytes:
    data = bytearray(encoded(smooth(64, 64), "JPEG2000", no_jp2=True))
    # Behind the markers of the code-stream and the segment, its length and capabilities.
    struct.pack_into(">8I", data, 8, *size, 0, 0, *tile, 0, 0)
    return bytes(data)


def test_a_jpeg_2000_without_the_data_for_its_pixels_is_refused() -> None:
    with pytest.raises(PhotoUnreadable, match="promises 9900x9900 px in 175 bytes"):
        read_photo(code_stream((9900, 9900), (9900, 9900))[:175])


def test_a_jpeg_2000_of_countless_tiles_is_refused() -> None:
    data = code_stream((255, 255), (1, 1))
    with pytest.raises(PhotoUnsupported, match="65025 tiles"):
        read_photo(data)
    boxed = bytearray(encoded(smooth(64, 64), "JPEG2000"))
    boxed[boxed.index(b"\xff\x4f\xff\x51") :] = data
    # The same bytes with one tile, in a box that no decoder looks into.
    decoy = b"free" + code_stream((64, 64), (64, 64))
    boxed[12:12] = struct.pack(">I", len(decoy) + 4) + decoy
    with pytest.raises(PhotoUnsupported, match="65025 tiles"):
        read_photo(bytes(boxed))


def test_an_honest_jpeg_2000_is_read() -> None:
    assert read_photo(encoded(smooth(), "JPEG2000", tile_size=(32, 32))).format == "JPEG2000"
    flat = encoded(Image.new("RGB", (900, 900)), "JPEG2000")
    assert len(flat) < 3_000
    assert read_photo(flat).pixels.shape == (900, 900, 3)


def tiff(*more: tuple[int, int, int, int], pages: int = 1) -> bytes:
    """A 64 px grey TIFF (one zero byte is all its data) with further entries, as often as asked."""
    entries = sorted([
        (256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1), *more
    ])  # fmt: skip
    num_bytes = 2 + 12 * len(entries) + 4
    directories = [
        struct.pack("<H", len(entries))
        + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        + struct.pack("<I", 8 + num_bytes * (page + 1) if page + 1 < pages else 0)
        for page in range(pages)
    ]
    return b"II*\0\x08\0\0\0" + b"".join(directories)


def test_a_tiff_of_tiles_far_larger_than_itself_is_refused() -> None:
    data = tiff((322, 4, 1, 20_000), (323, 4, 1, 20_000), (324, 4, 1, 8), (325, 4, 1, 4))
    with pytest.raises(PhotoUnsupported, match="64x64 px in tiles of 20000x20000"):
        read_photo(data)


def test_a_tiff_of_one_tile_larger_than_itself_is_not_refused_for_that() -> None:
    data = tiff((322, 4, 1, 1024), (323, 4, 1, 1024), (324, 4, 1, 8), (325, 4, 1, 4))
    with pytest.raises(PhotoUnreadable, match="cut short"):
        read_photo(data)


@pytest.mark.parametrize("subfile", [0, 1])
def test_the_pages_of_a_tiff_are_not_counted_without_end(subfile: int) -> None:
    data = tiff((254, 4, 1, subfile), (273, 4, 1, 8), (279, 4, 1, 1), pages=50_000)
    with pytest.raises(PhotoUnsupported, match="has at least 33 pages"):
        read_photo(data)


@pytest.fixture(scope="module")
def avif_of_a_large_frame() -> bytes:
    """It says 64 x 64 px."""
    data = bytearray(encoded(Image.new("RGB", (2100, 2100)), "AVIF", quality=5, speed=10))
    place = data.index(b"ispe") + 8
    data[place : place + 8] = struct.pack(">II", 64, 64)
    return bytes(data)


def test_an_avif_of_a_frame_far_larger_than_itself_is_refused(avif_of_a_large_frame: bytes) -> None:
    with pytest.raises(PhotoUnsupported, match="64x64 px in a frame of 2100x2100"):
        read_photo(avif_of_a_large_frame)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("size", [(160, 120), (33, 17), (301, 64)])
def test_the_frames_of_an_honest_avif_are_its_size(size: tuple[int, int], mode: str) -> None:
    image = smooth(*size)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(size))
    data = encoded(image, "AVIF")
    assert set(frame_sizes(data)) == {size}
    assert read_photo(data).pixels.shape[1::-1] == size


def test_an_avif_of_countless_parts_is_refused() -> None:
    data = encoded(smooth(), "AVIF")
    with pytest.raises(PhotoUnsupported, match="more than 10000 boxes"):
        read_photo(data + b"\0\0\0\x08free" * 10_001)
    nested = b"".join(struct.pack(">I4sI", 12 * (5_000 - depth), b"meta", 0) for depth in range(5_000))
    assert read_photo(data + nested).format == "AVIF"


@pytest.mark.parametrize("end", range(0, 420, 7))
def test_the_frames_of_an_avif_cut_anywhere_are_read(end: int) -> None:
    sizes = frame_sizes(encoded(smooth(33, 17), "AVIF")[:end])
    assert all(width <= 33 and height <= 17 for width, height in sizes)


def test_an_item_in_several_pieces_is_read_as_one() -> None:
    data = encoded(smooth(33, 17), "AVIF")
    place = data.index(b"iloc") - 4
    box = data[place : place + int.from_bytes(data[place : place + 4], "big")]
    # Version 0, offsets and lengths of 4 bytes, one item of one extent: what our writer writes.
    assert box[12:14] == b"\x44\x00"
    start, length = struct.unpack(">II", box[-8:])
    pieces = struct.pack(">HIIII", 2, start, 1, start + 1, length - 1)
    pulled_apart = box[:-10] + pieces
    fixed = data[:place] + struct.pack(">I", len(pulled_apart)) + pulled_apart[4:] + data[place + len(box) :]
    meta = fixed.index(b"meta") - 4
    size = struct.unpack(">I", fixed[meta : meta + 4])[0] + 8
    fixed = fixed[:meta] + struct.pack(">I", size) + fixed[meta + 4 :]
    fixed = fixed.replace(struct.pack(">IIII", start, 1, start + 1, length - 1),
                          struct.pack(">IIII", start + 8, 1, start + 9, length - 1))  # fmt: skip
    assert set(frame_sizes(fixed)) == {(33, 17)}
    assert read_photo(fixed).pixels.shape == (17, 33, 3)
