"""The label that says a picture is partly invented: XMP in every output, C2PA where asked for.

XMP is ISO 16684-1; the property is IPTC Photo Metadata's Digital Source Type.
"""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any
from xml.dom import minidom

from demask.errors import InputError, OutputError, UsageError
from demask.extras import install_command
from demask.photo.xmp_packet import parse_packet

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMLNS = "http://www.w3.org/2000/xmlns/"
_META = "adobe:ns:meta/"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
# What a file says about the old picture and no longer holds: (namespace, local name or None for all).
_STALE: tuple[tuple[str, str | None], ...] = (
    ("http://ns.adobe.com/xap/1.0/", "Thumbnails"),
    ("http://ns.adobe.com/hdr-gain-map/1.0/", None),
    ("http://ns.google.com/photos/1.0/container/", None),
    ("http://ns.google.com/photos/1.0/camera/", "MotionPhoto"),
    ("http://ns.google.com/photos/1.0/camera/", "MicroVideo"),
)
_FRESH = f'<x:xmpmeta xmlns:x="{_META}"><rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta>'.encode()
_logger = logging.getLogger(__name__)


def labelled(xmp: bytes | None, *, label: bool = True) -> bytes:
    """Return an XMP packet for the output: what was there, upright, and with the label.

    `tiff:Orientation` becomes 1, and thumbnails, gain-map and motion-photo entries, which speak of
    parts the output does not have, are removed.

    Args:
        xmp: The input's packet, or None. One that cannot be parsed or goes beyond the bounds of
            `xmp_packet` is dropped with a warning and a fresh one takes its place.
        label: Set `Iptc4xmpExt:DigitalSourceType`.

    Returns:
        A packet in UTF-8.
    """
    document, rdf = _cleaned(xmp or _FRESH, drop_label=label)
    if label:
        description = document.createElementNS(_RDF, _qualified(rdf, "Description"))
        description.setAttributeNS(_RDF, _qualified(rdf, "about"), _about(document))
        description.setAttributeNS(_XMLNS, "xmlns:Iptc4xmpExt", IPTC_EXT)
        description.setAttributeNS(IPTC_EXT, "Iptc4xmpExt:DigitalSourceType", DIGITAL_SOURCE_TYPE)
        rdf.appendChild(description)
    root = document.documentElement
    assert root is not None  # `rdf` is in it.
    body = root.toxml()
    return (f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{body}<?xpacket end="w"?>').encode()


def digital_source_type(xmp: bytes | None) -> str | None:
    """Read the label of a packet; None where there is none or the packet is broken."""
    if not xmp:
        return None
    try:
        document = parse_packet(xmp)
    except ValueError:
        return None
    for element in document.getElementsByTagName("*"):
        if element.hasAttributeNS(IPTC_EXT, "DigitalSourceType"):
            return str(element.getAttributeNS(IPTC_EXT, "DigitalSourceType"))
        if (element.namespaceURI, element.localName) == (IPTC_EXT, "DigitalSourceType"):
            value = element.getAttributeNS(_RDF, "resource")
            text = "".join(node.data for node in element.childNodes if node.nodeType == node.TEXT_NODE)
            return value or text or None
    return None


def _cleaned(xmp: bytes, *, drop_label: bool) -> tuple[minidom.Document, minidom.Element]:
    """The document without what no longer holds, and its rdf:RDF; fresh where it cannot be used."""
    try:
        document = parse_packet(xmp)
        for element in list(document.getElementsByTagName("*")):
            _clean(element, drop_label=drop_label)
        # After cleaning: what held the description may itself have been stale, up to the root.
        descriptions = document.getElementsByTagNameNS(_RDF, "RDF")
        if not descriptions:
            raise ValueError("it holds no rdf:RDF that is still true")
        return document, descriptions[0]
    except ValueError as error:
        _logger.warning("the picture's XMP packet is broken (%s) and is replaced", error)
        return _cleaned(_FRESH, drop_label=drop_label)


def _clean(element: minidom.Element, *, drop_label: bool) -> None:
    """Set the orientation upright and remove stale entries from one element and its attributes."""
    stale = (*_STALE, (IPTC_EXT, "DigitalSourceType")) if drop_label else _STALE

    def is_stale(namespace: str | None, name: str | None) -> bool:
        return any(
            namespace == uri and (local is None or (name or "").startswith(local)) for uri, local in stale
        )

    if is_stale(element.namespaceURI, element.localName) and element.parentNode is not None:
        element.parentNode.removeChild(element)
        return
    if (element.namespaceURI, element.localName) == (_TIFF, "Orientation"):
        while element.firstChild:
            element.removeChild(element.firstChild)
        element.appendChild(minidom.Document().createTextNode("1"))
    attributes: Any = element.attributes
    for attribute in list(attributes.values()):
        if is_stale(attribute.namespaceURI, attribute.localName):
            element.removeAttributeNode(attribute)
        elif (attribute.namespaceURI, attribute.localName) == (_TIFF, "Orientation"):
            attribute.value = "1"


def _qualified(rdf: minidom.Element, name: str) -> str:
    return f"{rdf.prefix}:{name}" if rdf.prefix else name


def _about(document: minidom.Document) -> str:
    """All descriptions of one packet must speak about the same thing (ISO 16684-1, sec. 7.4)."""
    for description in document.getElementsByTagNameNS(_RDF, "Description"):
        if description.hasAttributeNS(_RDF, "about"):
            return str(description.getAttributeNS(_RDF, "about"))
    return ""


_MIME = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}


def sign_c2pa(data: bytes, format: str, cert: Path, key: Path) -> bytes:
    """Sign an encoded picture with a C2PA manifest that names the edit (C2PA 2.1, c2pa.actions).

    Args:
        data: The encoded output, label and all; later changes would break the signature.
        format: Pillow's name of its format: JPEG, PNG, WEBP, TIFF, AVIF or HEIF.
        cert: Certificate chain in PEM, the signer's first. The signer's certificate must allow
            digital signatures and name an extended key use such as e-mail protection.
        key: Its private key in PEM (PKCS#8); ES256 (an elliptic key on P-256) is assumed.

    Returns:
        The signed file.

    Raises:
        UsageError: c2pa-python is not installed, or the format cannot be signed.
        InputError: The certificate or the key cannot be read.
        OutputError: The signer refused the certificate or the picture.
    """
    try:
        import c2pa
    except ImportError:
        raise UsageError(f"signing needs c2pa-python; run: {install_command('c2pa')}") from None
    if format not in _MIME:
        raise UsageError(f"cannot sign {format} with C2PA; write one of {', '.join(_MIME)}")
    try:
        chain, private = cert.read_bytes(), key.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}; give PEM files") from error
    # A manifest opens with how the asset came to be; the original, unsigned, is no ingredient we can name.
    created = {
        "action": "c2pa.created",
        "digitalSourceType": DIGITAL_SOURCE_TYPE,
        "softwareAgent": {"name": "demask"},
    }
    edited = {
        "action": "c2pa.edited",
        "description": "The face under a face mask was invented by a trained network.",
        "softwareAgent": {"name": "demask"},
    }
    manifest = {
        "claim_generator_info": [{"name": "demask"}],
        "format": _MIME[format],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created, edited]}}],
    }
    signed = io.BytesIO()
    try:
        info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, chain, private, None)
        with c2pa.Signer.from_info(info) as signer, c2pa.Builder(json.dumps(manifest)) as builder:
            builder.sign(signer, _MIME[format], io.BytesIO(data), signed)
    except c2pa.C2paError as error:
        raise OutputError(f"C2PA signing failed: {error}; check the certificate chain and the key") from error
    return signed.getvalue()
