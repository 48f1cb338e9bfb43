"""The label in XMP: fresh, merged, never twice; and hostile packets."""

from __future__ import annotations

import io
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demask.errors import InputError, OutputError, UsageError
from demask.photo.provenance import DIGITAL_SOURCE_TYPE, digital_source_type, labelled, sign_c2pa

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


def _jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def test_signing_without_the_library_says_what_to_install(tmp_path: Path) -> None:
    try:
        import c2pa  # noqa: F401
    except ImportError:
        with pytest.raises(UsageError, match="c2pa-python"):
            sign_c2pa(_jpeg(), "JPEG", tmp_path / "cert.pem", tmp_path / "key.pem")
    else:
        pytest.skip("c2pa-python is installed")


@pytest.fixture
def credentials(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate chain as C2PA wants it: a root, and a signer for e-mail protection."""
    pytest.importorskip("c2pa")
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=tmp_path, check=True, capture_output=True)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *new_key, "-keyout", "root.key", "-out", "root.pem", "-subj", "/O=demask/CN=root")
    run("req", *new_key, "-keyout", "key.pem", "-out", "signer.csr", "-subj", "/O=demask/CN=signer")
    (tmp_path / "extensions").write_text(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        "extendedKeyUsage=emailProtection\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    run("x509", "-req", "-in", "signer.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial",
        "-days", "30", "-extfile", "extensions", "-out", "signer.pem")  # fmt: skip
    chain = (tmp_path / "signer.pem").read_bytes() + (tmp_path / "root.pem").read_bytes()
    (tmp_path / "cert.pem").write_bytes(chain)
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def test_a_signed_picture_holds_the_manifest(credentials: tuple[Path, Path]) -> None:
    import c2pa

    signed = sign_c2pa(_jpeg(), "JPEG", *credentials)
    with c2pa.Reader("image/jpeg", io.BytesIO(signed)) as reader:
        manifest = reader.json()
    assert DIGITAL_SOURCE_TYPE in manifest
    assert "demask" in manifest


def test_signing_refuses_what_it_cannot_use(credentials: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = credentials
    with pytest.raises(InputError, match="none"):
        sign_c2pa(_jpeg(), "JPEG", tmp_path / "none.pem", key)
    with pytest.raises(UsageError, match="BMP"):
        sign_c2pa(b"BM", "BMP", cert, key)
    (tmp_path / "bad.pem").write_text("nothing")
    with pytest.raises(OutputError, match="C2PA"):
        sign_c2pa(_jpeg(), "JPEG", tmp_path / "bad.pem", key)
