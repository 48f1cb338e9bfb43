"""Files made to cost far more than they hold, refused by their headers before a pixel is decoded.

The limit on megapixels bounds what an honest file costs. What follows is about the others: many passes over the
same pixels, pixels that the data cannot hold, and tiles or frames far larger than the picture.
"""

from __future__ import annotations

import re
import struct
from typing import Any

from demask.errors import PhotoUnreadable, PhotoUnsupported
from demask.photo.av1 import frame_sizes

MAX_SCANS = 64
"""A progressive JPEG of a camera or an editor has 3 to 12."""

_SCANS_AT_LIMIT = 15
"""Scans that a picture may have which is as large as the limit allows; smaller ones may have more."""

_MOST_PIXELS_PER_BYTE = 512
"""JPEG: every block of 8 x 8 takes a bit at least (ITU-T T.81, sec. F.1.2, G.1.2). JPEG 2000: whatever takes
less shows no face any more."""

_FREE_PIXELS = 1_000_000
"""JPEG 2000 of one even colour may be tiny; up to here that costs nothing."""

_MAX_JPEG2000_TILES = 10_000
"""A tile takes 12 kB before anything is decoded."""

_MAX_TILE_PIXELS = 16_000_000

_FREE_FRAME_PIXELS, _MAX_FRAME_TO_PICTURE = 4_000_000, 4
"""AVIF: a frame may be larger than the picture that is cut out of it."""

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # Not a stuffed byte, a restart or padding.
_CODE_STREAM = re.compile(rb"\xff\x4f\xff\x51")
_EOI, _SOS = 0xD9, 0xDA
_SIZ = struct.Struct(">8I")
_TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH = 322, 323


def refuse_bombs(image: Any, format: str, data: bytes, name: str, *, max_megapixels: float) -> None:
    """Refuse a file whose decoding would cost more than its size and its data justify.

    Args:
        image: Pillow's picture, not loaded; its size is within the limit.
        format: "JPEG", "JPEG2000", "TIFF", "AVIF"; of others nothing is known that would have to be refused.
        data: The file.
        name: What to call it in an error.
        max_megapixels: The limit on width times height, in millions.

    Raises:
        PhotoUnreadable: There are not enough data for so many pixels.
        PhotoUnsupported: Scans or tiles that no camera or editor writes.
    """
    width, height = image.size
    if format == "JPEG":
        _require_data(width, height, data, name)
        num_scans = count_scans(data)
        most = min(MAX_SCANS, int(_SCANS_AT_LIMIT * max_megapixels * 1e6 / (width * height)))
        if num_scans > most:
            raise PhotoUnsupported(
                f"{name} is a JPEG of {num_scans} scans (at most {most} at this size), which no camera writes; "
                "save it anew"
            )
    elif format == "JPEG2000":
        if width * height > _FREE_PIXELS:
            _require_data(width, height, data, name)
        num_tiles = _num_tiles(data)
        if num_tiles > _MAX_JPEG2000_TILES:
            raise PhotoUnsupported(
                f"{name} is cut into {num_tiles} tiles (at most {_MAX_JPEG2000_TILES}); save it anew"
            )
    elif format == "TIFF":
        _require_sane_tiles(image, name)
    elif format == "AVIF":
        _require_sane_frames(width, height, data, name)


def count_scans(data: bytes) -> int:
    """Number of scans of the first picture in a JPEG file (ITU-T T.81, sec. B.1).

    Thumbnails inside its segments, and pictures behind it, do not count.
    """
    num_scans, position = 0, 2
    while found := _MARKER.search(data, position):
        marker, position = data[found.end() - 1], found.end()
        if marker == _EOI:
            break
        num_scans += marker == _SOS
        position += max(2, int.from_bytes(data[position : position + 2], "big"))
    return num_scans


def _require_data(width: int, height: int, data: bytes, name: str) -> None:
    if len(data) * _MOST_PIXELS_PER_BYTE < width * height:
        raise PhotoUnreadable(
            f"{name} is broken or cut short (it promises {width}x{height} px in {len(data)} bytes); "
            "get a whole copy"
        )


def _num_tiles(data: bytes) -> int:
    """Read it off the SIZ segment behind the start of the code-stream (ISO/IEC 15444-1, sec. A.5.1).

    A box before it may hold the same bytes to mislead us, so the largest of all counts.
    """
    most = 1
    for found in _CODE_STREAM.finditer(data):
        # Behind the markers: the segment's length and capabilities.
        start = found.end() + 4
        if start + _SIZ.size > len(data):
            break
        x1, y1, _, _, tile_width, tile_height, x0, y0 = _SIZ.unpack_from(data, start)
        if tile_width and tile_height:
            most = max(most, -((x0 - x1) // tile_width) * -((y0 - y1) // tile_height))
    return most


def _require_sane_tiles(image: Any, name: str) -> None:
    sides = [image.tag_v2.get(tag) for tag in (_TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH)]
    if not all(isinstance(side, int) for side in sides):
        return
    width, height = image.size
    # A picture of one tile has a tile a little larger than itself.
    if sides[0] * sides[1] > max(_MAX_TILE_PIXELS, 1.2 * width * height):
        raise PhotoUnsupported(
            f"{name} holds a picture of {width}x{height} px in tiles of {sides[0]}x{sides[1]}; "
            "save it without tiles"
        )


def _require_sane_frames(width: int, height: int, data: bytes, name: str) -> None:
    most = max(_FREE_FRAME_PIXELS, _MAX_FRAME_TO_PICTURE * width * height)
    try:
        sizes = [size for size in frame_sizes(data) if size[0] * size[1] > most]
    except ValueError as error:
        raise PhotoUnsupported(f"{name} is an AVIF of {error}, which no camera writes; save it anew") from error
    if sizes:
        raise PhotoUnsupported(
            f"{name} holds a picture of {width}x{height} px in a frame of {sizes[0][0]}x{sizes[0][1]}; "
            "save it anew"
        )
