"""The label that says faces in a clip are invented, in the way of each container.

MP4: a top-level `uuid` box with the XMP packet; MOV: `moov/udta/XMP_` (XMP specification, part 3, sec. 2.2).
Matroska and WebM know no XMP: the same address stands in a tag, `DIGITAL_SOURCE_TYPE`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from demask.photo.provenance import DIGITAL_SOURCE_TYPE, labelled

XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
MATROSKA_TAG = "DIGITAL_SOURCE_TYPE"
_MOST_XMP_BYTES = 16 << 20


def label_metadata(muxer: str, metadata: dict[str, str], networks: Mapping[str, str]) -> dict[str, str]:
    """The container's tags with the label, where that is where it goes.

    Args:
        muxer: `mp4`, `mov`, `matroska` or `webm`.
        metadata: The input's tags; an XMP packet among them, by the name `xmp`, is kept with the label in it.
        networks: What the label names: what each network is for, and its name.
    """
    kept = {key: value for key, value in metadata.items() if key != "xmp"}
    if muxer == "mov":
        kept["xmp"] = packet_from(metadata, networks).decode()
    elif muxer != "mp4":
        kept[MATROSKA_TAG] = DIGITAL_SOURCE_TYPE
    return kept


def packet_from(metadata: dict[str, str], networks: Mapping[str, str]) -> bytes:
    """The labelled XMP packet of a clip: the input's own where it has one."""
    xmp = metadata.get("xmp")
    return labelled(xmp.encode() if xmp else None, networks=networks)


def append_xmp(path: Path, packet: bytes) -> None:
    """Add the XMP box to a finished MP4; nothing in it moves."""
    with path.open("ab") as file:
        file.write(struct.pack(">I", 8 + 16 + len(packet)) + b"uuid" + XMP_UUID + packet)


def read_xmp_box(path: Path) -> bytes | None:
    """The XMP packet of an MP4's top-level box; None where there is none."""
    size_of_file = path.stat().st_size
    with path.open("rb") as file:
        place = 0
        while place + 8 <= size_of_file:
            file.seek(place)
            size, kind = struct.unpack(">I4s", file.read(8))
            header = 8
            if size == 1:
                size, header = struct.unpack(">Q", file.read(8))[0], 16
            elif size == 0:
                size = size_of_file - place
            if size < header:
                return None
            if kind == b"uuid" and file.read(16) == XMP_UUID and size <= _MOST_XMP_BYTES:
                return file.read(size - header - 16)
            place += size
    return None
