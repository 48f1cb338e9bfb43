"""An XMP packet from a stranger's file, parsed within bounds."""

from __future__ import annotations

from xml.dom import minidom
from xml.parsers import expat

MAX_BYTES = 4 << 20
"""Editors that store every brush stroke reach a few hundred kilobytes."""

MAX_NODES = 20_000
"""Elements, attributes, comments and instructions together; each takes about 1 kB as a tree."""

MAX_DEPTH = 64
"""Real packets nest about ten deep; the tree is written by recursion."""

MAX_NAMESPACE = 1_000
"""Characters; the tree repeats a namespace in every name that is in it."""


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
