"""Small pictures that say all that their format can: EXIF with a place, XMP, IPTC, a profile, a comment."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from PIL import Image, ImageCms
from PIL.ExifTags import GPS, IFD
from PIL.PngImagePlugin import PngInfo

from demask.photo.ancillary import Segments, with_chunks, with_segments
from demask.photo.decode import read_photo
from demask.photo.notes import as_chunks, as_resource
from demask.photo.tiff import encode_tiff

PLACE = b"Kehl am Rhein"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _dataset(number: int, text: bytes) -> bytes:
    return struct.pack(">BBBH", 0x1C, 2, number, len(text)) + text


RECORD = _dataset(80, b"Zoe") + _dataset(90, PLACE) + _dataset(120, b"A caption")
NOTES = Segments(comments=(b"taken on a Monday",), resources=as_resource(RECORD))
PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
    ' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' exif:GPSLatitude="48,8.25N" dc:source="x"><photoshop:City>'
    f"{PLACE.decode()}</photoshop:City></rdf:Description></rdf:RDF></x:xmpmeta>"
).encode()


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[IFD.GPSInfo] = {
        GPS.GPSLatitudeRef: "N",
        GPS.GPSLatitude: (48.0, 8.0, 15.0),
        GPS.GPSAreaInformation: PLACE,
    }
    exif[0x9C9B] = b"t\0i\0t\0l\0e\0"  # An entry that stands behind the one for GPS.
    return exif.tobytes()


def says_everything(format: str) -> bytes:
    """A picture of 64 x 48 px in a format by Pillow's name."""
    ramp = np.linspace(60, 200, 64).astype(np.uint8)
    pixels = np.broadcast_to(ramp[None, :, None], (48, 64, 3)).copy()
    if format == "TIFF":
        return encode_tiff(
            pixels,
            icc_profile=PROFILE,
            exif=_exif(),
            xmp=PACKET,
            notes=Segments(resources=NOTES.resources),
        )
    if format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    options: dict[str, Any] = {"icc_profile": PROFILE, "exif": _exif(), "xmp": PACKET}
    if format == "PNG":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode())
        options["pnginfo"] = text
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    data = buffer.getvalue()
    if format == "JPEG":
        data = with_segments(data, NOTES)
    if format == "PNG":
        data = with_chunks(data, as_chunks(NOTES))
    assert read_photo(data).icc
    return data
