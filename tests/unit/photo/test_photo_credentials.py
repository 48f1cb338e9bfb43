"""Content Credentials: the chain that a signed photo brings is carried on, and a lost one is told."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from demask.errors import InputError, OutputError, UsageError
from demask.photo.ancillary import holds_manifest
from demask.photo.credentials import Original, boxes_of, require_signer, sign
from demask.photo.handed_in import Output, open_photo
from demask.photo.inspection import inspect_photo
from demask.photo.trial_certificate import make_trial_certificate

HAS_LIBRARY = importlib.util.find_spec("c2pa") is not None
needs_library = pytest.mark.skipif(not HAS_LIBRARY, reason="needs the extra c2pa")


def picture(format: str, value: int = 128) -> bytes:
    if format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    buffer = io.BytesIO()
    Image.fromarray(np.full((64, 96, 3), value, np.uint8)).save(buffer, format)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    pytest.importorskip("c2pa")
    folder = tmp_path_factory.mktemp("credentials")
    made = make_trial_certificate(days=2)
    paths = folder / "chain.pem", folder / "key.pem", folder / "root.pem"
    for path, data in zip(paths, (made.chain, made.key, made.root), strict=True):
        path.write_bytes(data)
    return paths


def restored(data: bytes, **output: Any) -> Any:
    opened = open_photo(data)
    pixels, changed = opened.pixels.copy(), np.zeros(opened.pixels.shape[:2], bool)
    changed[10:30, 20:60] = True
    pixels[changed] = 200
    return opened.give_back(pixels, changed, Output(**output))


@needs_library
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_signed_and_unsigned_originals_are_ingredients(
    format: str, credentials: tuple[Path, Path, Path]
) -> None:
    cert, key, root = credentials
    original = picture(format)
    once = restored(original, c2pa=(cert, key), networks={"finder": "ab", "restorer": "cd"})
    assert once.credentials == "signed"
    assert holds_manifest(once.photo, format)
    assert not holds_manifest(original, format)
    twice = restored(once.photo, c2pa=(cert, key))
    for given, originals in ((once, ("the photograph",)), (twice, ("the photograph (signed)",))):
        manifest = inspect_photo(given.photo).manifest
        assert (manifest.state, manifest.problems) == ("valid", ())
        assert manifest.actions == ("c2pa.opened", "c2pa.edited")
        assert manifest.originals == originals
        assert inspect_photo(given.photo, trust=root).manifest.state == "trusted"
    assert dict(inspect_photo(once.photo).manifest.networks) == {"finder": "ab", "restorer": "cd"}
    # Without a certificate nothing can vouch for what follows: the manifest goes, and that is told.
    lost = restored(twice.photo)
    assert lost.credentials == "dropped"
    assert inspect_photo(lost.photo).manifest.state == "none"


@needs_library
def test_a_changed_file_reads_invalid(credentials: tuple[Path, Path, Path]) -> None:
    cert, key, _ = credentials
    signed = bytearray(restored(picture("JPEG"), c2pa=(cert, key)).photo)
    signed[-20] ^= 1
    manifest = inspect_photo(bytes(signed)).manifest
    assert manifest.state == "invalid"
    assert "assertion.dataHash.mismatch" in manifest.problems


@needs_library
def test_an_original_with_a_broken_manifest_still_becomes_an_ingredient(
    credentials: tuple[Path, Path, Path],
) -> None:
    cert, key, _ = credentials
    signed = restored(picture("JPEG"), c2pa=(cert, key)).photo
    place = signed.index(b"c2pa.signature") + 40
    broken = signed[:place] + bytes(60) + signed[place + 60 :]
    again = restored(broken, c2pa=(cert, key))
    assert inspect_photo(again.photo).manifest.actions == ("c2pa.opened", "c2pa.edited")


@needs_library
@pytest.mark.parametrize("strip", ["location", "all"])
def test_a_manifest_that_may_tell_a_place_is_not_carried_on(
    strip: str, credentials: tuple[Path, Path, Path]
) -> None:
    cert, key, _ = credentials
    signed = restored(picture("JPEG"), c2pa=(cert, key)).photo
    given = restored(signed, c2pa=(cert, key), strip=strip)
    manifest = inspect_photo(given.photo).manifest
    assert (manifest.state, manifest.originals) == ("valid", ("the photograph",))
    opened = open_photo(signed)
    bare = opened.give_back(opened.pixels, None, Output(strip="all"))
    assert bare.credentials == "dropped"
    assert not holds_manifest(bare.photo, "JPEG")
    assert opened.give_back(opened.pixels, None).credentials == "untouched"


@needs_library
def test_other_formats_are_named_by_a_small_picture(credentials: tuple[Path, Path, Path]) -> None:
    cert, key, _ = credentials
    given = restored(picture("BMP"), c2pa=(cert, key))
    assert (given.format, inspect_photo(given.photo).manifest.originals) == ("PNG", ("the photograph",))


@needs_library
def test_signing_refuses_what_it_cannot_use(credentials: tuple[Path, Path, Path], tmp_path: Path) -> None:
    cert, key, _ = credentials
    original = Original(data=None, format="JPEG", pixels=np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match="none"):
        sign(picture("JPEG"), "JPEG", tmp_path / "none.pem", key, original=original)
    with pytest.raises(UsageError, match="BMP"):
        sign(b"BM", "BMP", cert, key, original=original)
    (tmp_path / "bad.pem").write_text("nothing")
    with pytest.raises(OutputError, match="C2PA"):
        sign(picture("JPEG"), "JPEG", tmp_path / "bad.pem", key, original=original)
    other = tmp_path / "other.pem"
    other.write_bytes(make_trial_certificate().key)
    with pytest.raises(InputError, match="certificate"):
        require_signer(cert, other)
    require_signer(cert, key)


@pytest.mark.skipif(HAS_LIBRARY, reason="the extra c2pa is installed")
def test_signing_without_the_library_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="c2pa-python"):
        require_signer(tmp_path / "cert.pem", tmp_path / "key.pem")


def test_each_connected_part_has_its_rectangle() -> None:
    changed = np.zeros((40, 60), bool)
    changed[2:5, 3:9] = changed[10:30, 20:50] = True
    assert boxes_of(changed) == [(20, 10, 30, 20), (3, 2, 6, 3)]
    assert boxes_of(np.zeros((4, 4), bool)) == []


@pytest.mark.parametrize("end", range(0, 400, 37))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_file_cut_anywhere_is_looked_through(format: str, end: int) -> None:
    assert holds_manifest(picture(format)[:end], format) is False


def test_a_manifest_that_lies_elsewhere_counts() -> None:
    assert holds_manifest(picture("JPEG"), "JPEG", b'<a dcterms:provenance="somewhere"/>')
