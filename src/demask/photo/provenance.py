"""The label that says a picture is partly invented, and by which networks: XMP in every output.

XMP is ISO 16684-1; the properties are Digital Source Type, AI System Used and AI System Version Used of the
IPTC Photo Metadata Standard 2025.1.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.dom import minidom
from xml.parsers import expat

from demask.version import __version__

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
WHOLLY_INVENTED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""Where a photo says this of itself, all of it was invented before: then that is the truer label, and stays."""
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
    ("http://purl.org/dc/terms/", "provenance"),  # Where the old picture's C2PA manifest lies, if not in it.
)
_LABEL = ("DigitalSourceType", "AISystemUsed", "AISystemVersionUsed")
_FRESH = f'<x:xmpmeta xmlns:x="{_META}"><rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta>'.encode()
_logger = logging.getLogger(__name__)
MAX_BYTES = 4 << 20
"""Editors that store every brush stroke reach a few hundred kilobytes."""
MAX_NODES = 20_000
"""Elements, attributes, comments and instructions together; each takes about 1 kB as a tree."""
MAX_DEPTH = 64
"""Real packets nest about ten deep; the tree is written by recursion."""
MAX_NAMESPACE = 1_000
"""Characters; the tree repeats a namespace in every name that is in it."""


def labelled(xmp: bytes | None, *, label: bool = True, networks: Mapping[str, str] | None = None) -> bytes:
    """Return an XMP packet for the output: what was there, upright, and with the label.

    `tiff:Orientation` becomes 1, and thumbnails, gain-map and motion-photo entries, which speak of
    parts the output does not have, are removed. What else made the picture stays named beside us.

    Args:
        xmp: The input's packet, or None. One that cannot be parsed or goes beyond the bounds of
            `xmp_packet` is dropped with a warning and a fresh one takes its place.
        label: Set `Iptc4xmpExt:DigitalSourceType`, `AISystemUsed` and `AISystemVersionUsed`.
        networks: What the label says of the networks: what each is for, and its name.

    Returns:
        A packet in UTF-8.
    """
    source_type = DIGITAL_SOURCE_TYPE
    system, version = _system(networks or {}), __version__
    if label and (before := read_label(xmp)):
        if before.source_type == WHOLLY_INVENTED:
            source_type = WHOLLY_INVENTED
        if before.system and not before.system.startswith("demask"):
            system = f"{before.system}; {system}"
            version = f"{before.version}; {version}" if before.version else version
    document, rdf = _cleaned(xmp or _FRESH, drop_label=label)
    if label:
        description = document.createElementNS(_RDF, _qualified(rdf, "Description"))
        description.setAttributeNS(_RDF, _qualified(rdf, "about"), _about(document))
        description.setAttributeNS(_XMLNS, "xmlns:Iptc4xmpExt", IPTC_EXT)
        for name, value in zip(_LABEL, (source_type, system, version), strict=True):
            description.setAttributeNS(IPTC_EXT, f"Iptc4xmpExt:{name}", value)
        rdf.appendChild(description)
    return _packet(document)


def pruned(xmp: bytes, names: Sequence[tuple[str, str | None]]) -> bytes | None:
    """A packet without the properties of these names; None for a packet that is broken.

    Args:
        xmp: The packet.
        names: Namespace, and how the local name begins; None = all of the namespace.
    """
    try:
        document = parse_packet(xmp)
    except ValueError:
        return None
    for element in list(document.getElementsByTagName("*")):
        _drop(element, names)
    return None if document.documentElement is None else _packet(document)


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """What a packet says of how its picture was made.

    Attributes:
        source_type: IPTC's Digital Source Type, an address; None where it does not say.
        system: What invented (parts of) the picture.
        version: Its version.
    """

    source_type: str | None = None
    system: str | None = None
    version: str | None = None

    @property
    def networks(self) -> dict[str, str]:
        """What our own label names: what each network is for, and its name; empty for others' labels."""
        _, ours, told = (self.system or "").partition("demask (")
        pairs = (entry.split(" ", 1) for entry in told.split(")")[0].split(", ") if " " in entry)
        return dict(pairs) if ours else {}

    @property
    def is_ours(self) -> bool:
        """Whether demask is named among what made the picture."""
        return any(part.strip().split(" ")[0] == "demask" for part in (self.system or "").split(";"))


def read_label(xmp: bytes | None) -> Label | None:
    """Read the label of a packet; None where there is no packet or it is broken."""
    if not xmp:
        return None
    try:
        document = parse_packet(xmp)
    except ValueError:
        return None
    found: dict[str, str] = {}
    for element in document.getElementsByTagName("*"):
        for name in _LABEL:
            if element.hasAttributeNS(IPTC_EXT, name):
                found.setdefault(name, str(element.getAttributeNS(IPTC_EXT, name)))
            elif (element.namespaceURI, element.localName) == (IPTC_EXT, name):
                text = "".join(node.data for node in element.childNodes if node.nodeType == node.TEXT_NODE)
                found.setdefault(name, str(element.getAttributeNS(_RDF, "resource")) or text.strip())
    kind, system, version = (found.get(name) or None for name in _LABEL)
    return Label(source_type=kind, system=system, version=version)


def digital_source_type(xmp: bytes | None) -> str | None:
    """IPTC's Digital Source Type in a packet; None where there is none or the packet is broken."""
    label = read_label(xmp)
    return label.source_type if label else None


def parse_packet(xmp: bytes) -> minidom.Document:
    """Parse a packet that nobody vouches for.

    A first pass, which builds nothing, counts; so a packet of millions of elements costs no more than
    reading it. A document type is refused: XMP has none, entity bombs do.

    Args:
        xmp: The packet with or without its wrapper and padding.

    Raises:
        ValueError: It is no XML, of an unknown encoding, or goes beyond the bounds.
    """
    xmp = xmp.strip(b"\x00 \t\r\n")
    if len(xmp) > MAX_BYTES:
        raise ValueError(f"it has {len(xmp)} bytes; at most {MAX_BYTES} are read")
    try:
        _check(xmp)
        return minidom.parseString(xmp)
    except (expat.ExpatError, LookupError) as error:  # Of the parser, and of Python's text codecs.
        raise ValueError(str(error)) from error


def _packet(document: minidom.Document) -> bytes:
    root = document.documentElement
    assert root is not None  # There is at least an rdf:RDF in it.
    body = root.toxml()
    return (f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{body}<?xpacket end="w"?>').encode()


def _system(networks: Mapping[str, str]) -> str:
    """`demask (finder 0123456789abcdef, ...)`."""
    told = ", ".join(f"{purpose} {name}" for purpose, name in networks.items())
    return f"demask ({told})" if told else "demask"


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
    if _drop(element, (*_STALE, *((IPTC_EXT, name) for name in _LABEL)) if drop_label else _STALE):
        return
    if (element.namespaceURI, element.localName) == (_TIFF, "Orientation"):
        while element.firstChild:
            element.removeChild(element.firstChild)
        element.appendChild(minidom.Document().createTextNode("1"))
    attributes: Any = element.attributes
    for attribute in list(attributes.values()):
        if (attribute.namespaceURI, attribute.localName) == (_TIFF, "Orientation"):
            attribute.value = "1"


def _drop(element: minidom.Element, names: Sequence[tuple[str, str | None]]) -> bool:
    """Remove an element of one of these names, or its attributes of these names; True if itself is gone."""

    def is_named(namespace: str | None, name: str | None) -> bool:
        return any(
            namespace == uri and (local is None or (name or "").startswith(local)) for uri, local in names
        )

    if is_named(element.namespaceURI, element.localName) and element.parentNode is not None:
        element.parentNode.removeChild(element)
        return True
    attributes: Any = element.attributes
    for attribute in list(attributes.values()):
        if is_named(attribute.namespaceURI, attribute.localName):
            element.removeAttributeNode(attribute)
    return False


def _qualified(rdf: minidom.Element, name: str) -> str:
    return f"{rdf.prefix}:{name}" if rdf.prefix else name


def _about(document: minidom.Document) -> str:
    """All descriptions of one packet must speak about the same thing (ISO 16684-1, sec. 7.4)."""
    for description in document.getElementsByTagNameNS(_RDF, "Description"):
        if description.hasAttributeNS(_RDF, "about"):
            return str(description.getAttributeNS(_RDF, "about"))
    return ""


def _check(xmp: bytes) -> None:
    num_nodes = depth = 0

    def count(more: int = 1) -> None:
        nonlocal num_nodes
        num_nodes += more
        if num_nodes > MAX_NODES:
            raise ValueError(f"it has more than {MAX_NODES} elements and attributes")

    def start(_: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        count(1 + len(attributes))
        if any(name.startswith("xmlns") and len(uri) > MAX_NAMESPACE for name, uri in attributes.items()):
            raise ValueError(f"a namespace is longer than {MAX_NAMESPACE} characters")
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"its elements are nested more than {MAX_DEPTH} deep")

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_: object) -> None:
        raise ValueError("it declares a document type, which XMP does not have")

    checker = expat.ParserCreate()
    checker.StartElementHandler, checker.EndElementHandler = start, end
    checker.CommentHandler = lambda _: count()
    checker.StartCdataSectionHandler = count
    checker.ProcessingInstructionHandler = lambda *_: count()
    checker.StartDoctypeDeclHandler = refuse
    checker.Parse(xmp, True)
