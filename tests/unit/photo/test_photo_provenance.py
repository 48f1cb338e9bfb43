"""The label in XMP: fresh, merged, never twice; and hostile packets."""

from __future__ import annotations

import time

import pytest

from demask.photo.provenance import (
    DIGITAL_SOURCE_TYPE,
    WHOLLY_INVENTED,
    digital_source_type,
    labelled,
    pruned,
    read_label,
)

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
EXT = 'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


def packet(inside: str, about: str = "") -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}>'
        f'<rdf:Description rdf:about="{about}" {EXT} xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
        f"{inside}</rdf:RDF></x:xmpmeta>" + " " * 2000 + '<?xpacket end="w"?>'
    ).encode()


def test_a_fresh_packet_carries_the_label() -> None:
    xmp = labelled(None)
    assert digital_source_type(xmp) == DIGITAL_SOURCE_TYPE
    assert DIGITAL_SOURCE_TYPE.endswith("/compositeWithTrainedAlgorithmicMedia")


def test_what_was_there_stays() -> None:
    old = packet("><dc:creator><rdf:Seq><rdf:li>Zoë &amp; co</rdf:li></rdf:Seq></dc:creator></rdf:Description>")
    xmp = labelled(old)
    assert "<rdf:li>Zoë &amp; co</rdf:li>".encode() in xmp
    assert digital_source_type(xmp) == DIGITAL_SOURCE_TYPE


@pytest.mark.parametrize(
    "inside",
    [
        f' Iptc4xmpExt:DigitalSourceType="{CAPTURE}"/>',
        f"><Iptc4xmpExt:DigitalSourceType>{CAPTURE}</Iptc4xmpExt:DigitalSourceType></rdf:Description>",
        f'><Iptc4xmpExt:DigitalSourceType rdf:resource="{CAPTURE}"/></rdf:Description>',
    ],
)
def test_an_earlier_source_type_is_replaced(inside: str) -> None:
    old = packet(inside)
    assert digital_source_type(old) == CAPTURE
    xmp = labelled(old)
    assert CAPTURE.encode() not in xmp
    assert xmp.count(DIGITAL_SOURCE_TYPE.encode()) == 1
    assert labelled(old, label=False).count(CAPTURE.encode()) == 1


def test_labelling_twice_is_labelling_once() -> None:
    once = labelled(packet(' dc:source="x"/>'))
    assert labelled(once).count(b"DigitalSourceType=") == 1


def test_all_descriptions_speak_of_the_same_thing() -> None:
    xmp = labelled(packet("/>", about="uuid:1234"))
    assert xmp.count(b'about="uuid:1234"') == 2


def test_what_no_longer_holds_goes() -> None:
    xmp = labelled(packet(' tiff:Orientation="6" hdrgm:Version="1.0" dc:source="x"/>'))
    assert b'tiff:Orientation="1"' in xmp
    assert b"hdrgm:Version" not in xmp
    assert b'dc:source="x"' in xmp
    element = labelled(packet("><tiff:Orientation>8</tiff:Orientation></rdf:Description>"))
    assert b"<tiff:Orientation>1</tiff:Orientation>" in element
    odd = labelled(packet("><tiff:Orientation><dc:source/></tiff:Orientation></rdf:Description>"))
    assert b"<tiff:Orientation>1</tiff:Orientation>" in odd


@pytest.mark.parametrize(
    "broken",
    [
        b"<x:xmpmeta",
        b"not xml at all",
        b'<a xmlns="b"/>',
        b"\xff\xfe\x00",
        b'<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;&l;&l;&l;&l;&l;">]><a>&m;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<?xml version="1.0" encoding="klingon"?><a/>',
        b'<?xml version="1.0" encoding="hex"?><a/>',
        b'<?xml version="1.0" encoding="shift_jis"?><a/>',
        f"<Iptc4xmpExt:DigitalSourceType {EXT}><rdf:RDF {RDF}/></Iptc4xmpExt:DigitalSourceType>".encode(),
        f'<h:Version xmlns:h="http://ns.adobe.com/hdr-gain-map/1.0/"><rdf:RDF {RDF}/></h:Version>'.encode(),
        packet(">" + "<a>" * 990 + "</a>" * 990 + "</rdf:Description>"),
        packet(">" + "<a/>" * 50_000 + "</rdf:Description>"),
        packet(" " + " ".join(f'a{index}=""' for index in range(50_000)) + "/>"),
        packet(f" xmlns:long='{'u' * 100_000}'>" + "<long:a/>" * 10_000 + "</rdf:Description>"),
        packet(f' dc:source="{"x" * 5_000_000}"/>'),
    ],
    ids=range(16),
)
def test_a_broken_or_hostile_packet_is_replaced(broken: bytes, caplog: pytest.LogCaptureFixture) -> None:
    assert digital_source_type(broken) is None
    start = time.process_time()
    xmp = labelled(broken)
    assert time.process_time() - start < 1
    assert digital_source_type(xmp) == DIGITAL_SOURCE_TYPE
    assert b"lol" not in xmp
    assert "is replaced" in caplog.text


def test_a_packet_full_of_edits_is_kept() -> None:
    strokes = "".join(f'<rdf:li crs:X="0.{n}" crs:Y="0.5"/>' for n in range(5_000))
    old = packet(f' xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/">{strokes}</rdf:Description>')
    assert labelled(old).count(b"<rdf:li ") == 5_000


def test_utf_16_packets_are_read() -> None:
    old = '<?xml version="1.0" encoding="UTF-16"?>' + labelled(None).decode().split("?>", 1)[1]
    assert digital_source_type(labelled(old.encode("utf-16"))) == DIGITAL_SOURCE_TYPE


def test_the_label_names_networks_and_version() -> None:
    label = read_label(labelled(None, networks={"finder": "0123456789abcdef", "restorer": "telea"}))
    assert label is not None
    assert label.is_ours
    assert label.networks == {"finder": "0123456789abcdef", "restorer": "telea"}
    assert label.version


def test_what_else_made_the_picture_stays_named() -> None:
    old = packet(f' Iptc4xmpExt:DigitalSourceType="{WHOLLY_INVENTED}" Iptc4xmpExt:AISystemUsed="Dream 3"/>')
    twice = labelled(labelled(old, networks={"hole": "ab"}), networks={"hole": "cd"})
    label = read_label(twice)
    assert label is not None
    assert label.system == "Dream 3; demask (hole ab); demask (hole cd)"
    assert label.is_ours
    # Composite would say less than the file said of itself.
    assert label.source_type == WHOLLY_INVENTED


def test_pruning_takes_elements_and_attributes() -> None:
    old = packet(' dc:source="x" tiff:Make="y"><dc:creator>z</dc:creator></rdf:Description>')
    left = pruned(old, [("http://purl.org/dc/elements/1.1/", None)])
    assert left is not None
    assert b"dc:source" not in left
    assert b"creator" not in left
    assert b'tiff:Make="y"' in left
    assert pruned(b"<a", ()) is None
