"""Where a photo was taken, taken out of all that it says: EXIF, XMP, the IPTC record, texts.

What remains can still tell: a caption that names the place, a maker's note in a form of its own, the picture.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from demask.photo import exif as exif_block
from demask.photo.ancillary import TEXTS, Segments
from demask.photo.decode import Photo
from demask.photo.notes import as_chunks, iptc_of, with_iptc
from demask.photo.provenance import pruned

_GPS = 34853
_TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)
"""Of TIFF's value types by number (TIFF 6.0, sec. 2)."""
_EXIF, _PHOTOSHOP = "http://ns.adobe.com/exif/1.0/", "http://ns.adobe.com/photoshop/1.0/"
_CORE = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
XMP_LOCATION = (
    (_EXIF, "GPS"),
    *((_PHOTOSHOP, name) for name in ("City", "State", "Country")),
    *((_CORE, name) for name in ("Location", "CountryCode")),
    *((_EXT, name) for name in ("LocationCreated", "LocationShown", "City", "CountryName", "CountryCode")),
    *((_EXT, name) for name in ("ProvinceState", "Sublocation", "WorldRegion", "LocationId")),
    ("http://ns.adobe.com/xmp/1.0/DynamicMedia/", "shotLocation"),
)
"""Namespace and beginning of the name of what XMP says of places (IPTC Photo Metadata 2025.1; EXIF in XMP)."""
_IPTC_LOCATION = frozenset({26, 27, 90, 92, 95, 100, 101})
"""Data sets of record 2: content location, city, sublocation, province, country (IPTC-IIM 4.2, sec. 6)."""


def without_location(photo: Photo) -> Photo:
    """The photo without the entries that say where it was taken.

    Photoshop's resources other than the IPTC record go, and texts in a PNG that hold whole EXIF, IPTC or
    XMP blocks: they may repeat what was taken out.
    """
    record = iptc_of(photo.notes)
    notes = with_iptc(photo.notes, None if record is None else _without_places(record))
    texts = tuple(
        chunk for chunk in photo.chunks if chunk[0] not in TEXTS or not chunk[1].startswith(b"Raw profile")
    )
    if photo.format == "PNG" and notes.resources:
        texts += as_chunks(Segments(resources=notes.resources))
    return replace(
        photo,
        exif=without_gps(photo.exif),
        xmp=None if photo.xmp is None else pruned(photo.xmp, XMP_LOCATION),
        notes=notes,
        chunks=texts,
    )


def without_metadata(photo: Photo) -> Photo:
    """The photo with its pixels, colour profile and resolution, and nothing else that it said."""
    colours = tuple(chunk for chunk in photo.chunks if chunk[0] not in TEXTS)
    return replace(photo, exif=None, xmp=None, notes=Segments(), chunks=colours)


def stripped(photo: Photo, what: Literal["nothing", "location", "all"]) -> Photo:
    """The photo without its location, without all metadata, or as it is."""
    if what == "nothing":
        return photo
    return without_location(photo) if what == "location" else without_metadata(photo)


def holds_location(photo: Photo) -> bool:
    """Whether anything that `without_location` takes out is there."""
    record = iptc_of(photo.notes)
    return (
        without_gps(photo.exif) != photo.exif
        or (record is not None and _without_places(record) != record)
        or (photo.xmp is not None and pruned(photo.xmp, XMP_LOCATION) != pruned(photo.xmp, ()))
    )


def without_gps(exif: bytes | None) -> bytes | None:
    """An EXIF block whose GPS directory is emptied and no longer pointed to; all else stays in its place.

    Args:
        exif: TIFF-structured block, with or without JPEG's prefix.
    """
    if exif is None:
        return None
    block = bytearray(exif.removeprefix(exif_block.PREFIX))
    order = {b"II": "<", b"MM": ">"}.get(bytes(block[:2]))
    entries = (
        [] if order is None else list(_entries(block, order, struct.unpack_from(order + "I", block, 4)[0]))
    )
    place = next((entry for entry, tag, _, _ in entries if tag == _GPS), None)
    if place is None or order is None:
        return exif
    (directory,) = struct.unpack_from(order + "I", block, place + 8)
    for entry, _, start, length in list(_entries(block, order, directory)):
        block[start : start + length] = bytes(length)
        block[entry : entry + 12] = bytes(12)
    # The entries behind it move up by one, and the link to the next directory with them.
    (first,) = struct.unpack_from(order + "I", block, 4)
    end = first + 2 + 12 * len(entries)
    block[place : end - 8] = block[place + 12 : end + 4]
    struct.pack_into(order + "H", block, first, len(entries) - 1)
    return bytes(block)


def _entries(block: bytearray, order: str, directory: int) -> Iterator[tuple[int, int, int, int]]:
    """Place and tag of each entry of a directory, and where its value lies and how long it is."""
    if directory < 8 or directory + 2 > len(block):
        return
    (count,) = struct.unpack_from(order + "H", block, directory)
    if directory + 2 + 12 * count + 4 > len(block):
        return
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", block, entry)
        length = number * (_TYPE_BYTES[kind] if kind < len(_TYPE_BYTES) else 0)
        start = entry + 8
        if length > 4:
            (start,) = struct.unpack_from(order + "I", block, entry + 8)
            if start + length > len(block):
                length = 0
        yield entry, tag, start, length


def _without_places(record: bytes) -> bytes:
    """An IPTC record without its data sets about places; one in an unknown form goes whole."""
    kept, position = [], 0
    while position + 5 <= len(record) and record[position] == 0x1C:
        of, number, length = struct.unpack_from(">BBH", record, position + 1)
        end = position + 5 + length
        if length & 0x8000 or end > len(record):
            return b""
        if of != 2 or number not in _IPTC_LOCATION:
            kept.append(record[position:end])
        position = end
    return b"".join(kept)
