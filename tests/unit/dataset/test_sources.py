"""Folders and indexes to entries: identity, stable names, licences."""

import os
from pathlib import Path

import pytest
from drawn_faces import draw_photo, save_photo

from demask.dataset import sources
from demask.errors import DatasetError

INDEX = """file,source,identity,expression,black_corners
a/1.jpg,utkface,u1,,2
a/2.jpg,london,l1,happy,
a/3.jpg,backgrounds,b1,,
a/4.jpg,real_masked,m1,,
a/5.jpg,somewhere,s1,,0
"""


@pytest.fixture
def indexed(tmp_path: Path) -> Path:
    (tmp_path / "index.csv").write_text(INDEX)
    return tmp_path


def test_a_folder_per_person_names_the_identity(tmp_path: Path) -> None:
    for file in ("ann/1.jpg", "ann/2.png", "bob/1.JPG", "alone.jpeg", "notes.txt", ".hidden/x.jpg"):
        path = tmp_path / "people" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    entries = sources.folder(tmp_path / "people", licence="CC0").entries()
    assert {entry.file: entry.identity for entry in entries} == {
        "ann/1.jpg": "people/ann",
        "ann/2.png": "people/ann",
        "bob/1.JPG": "people/bob",
        "alone.jpeg": "people/alone.jpeg",
    }
    assert {entry.licence for entry in entries} == {"CC0"}
    assert len({entry.face_id for entry in entries}) == 4


def test_a_face_id_does_not_depend_on_what_else_is_there(tmp_path: Path) -> None:
    save_photo(tmp_path / "p" / "x.jpg", draw_photo(1))
    (before,) = sources.folder(tmp_path / "p").entries()
    save_photo(tmp_path / "p" / "sub" / "x.jpg", draw_photo(2))
    after = {entry.file: entry.face_id for entry in sources.folder(tmp_path / "p").entries()}
    assert after["x.jpg"] == before.face_id
    assert after["sub/x.jpg"] != before.face_id


@pytest.mark.parametrize("name", ["a.b c.jpg", "ü_é.jpg", "x" * 200 + ".jpg", "20_0_1.jpg.chip.jpg"])
def test_a_face_id_is_a_plain_word(name: str) -> None:
    face_id = sources.make_face_id("so urce", name)
    assert face_id.replace("-", "").replace("_", "").isalnum()
    assert face_id.isascii()
    assert len(face_id) <= 80


def test_an_index_gives_bare_faces_unless_told_otherwise(indexed: Path) -> None:
    entries = sources.index(indexed).entries()
    assert {entry.source for entry in entries} == {"utkface", "london", "somewhere"}
    by_source = {entry.source: entry for entry in entries}
    assert by_source["utkface"].labels == {"black_corners": "2"}
    assert by_source["utkface"].licence == "non-commercial research"
    assert by_source["london"].labels == {"expression": "happy"}
    assert by_source["somewhere"].licence == "not stated"
    assert by_source["london"].path == indexed / "a" / "2.jpg"
    (background,) = sources.index(indexed, sources=("backgrounds",)).entries()
    assert background.identity == "b1"


def test_the_index_itself_may_be_named(indexed: Path) -> None:
    assert sources.index(indexed / "index.csv").entries() == sources.index(indexed).entries()


def test_an_unknown_source_is_refused_with_the_known_ones(indexed: Path) -> None:
    with pytest.raises(DatasetError, match="it has backgrounds, london"):
        sources.index(indexed, sources=("paris",)).entries()


def test_a_table_without_the_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("name,who\nx.jpg,me\n")
    with pytest.raises(DatasetError, match="no column file, source, identity"):
        sources.index(tmp_path).entries()


@pytest.mark.parametrize("make", [sources.folder, sources.index])
def test_a_missing_folder_is_one_clear_error(tmp_path: Path, make: object) -> None:
    with pytest.raises(DatasetError, match="nowhere"):
        make(tmp_path / "nowhere").entries()  # type: ignore[operator]


def test_an_empty_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no photographs"):
        sources.folder(tmp_path).entries()


def test_a_name_that_is_no_text_is_refused_and_the_rest_stays(tmp_path: Path) -> None:
    save_photo(tmp_path / "people" / "ann.jpg", draw_photo(1))
    odd = os.fsencode(tmp_path / "people") + b"/\xff"
    try:
        Path(os.fsdecode(odd)).mkdir()
    except OSError:
        pytest.skip("this file system keeps no such name")
    (Path(os.fsdecode(odd)) / "bob.jpg").write_bytes(b"x")
    listing = sources.folder(tmp_path / "people").listing()
    assert [entry.file for entry in listing.entries] == ["ann.jpg"]
    ((file, reason),) = listing.refused.items()
    assert file.encode().endswith(b"/bob.jpg")
    assert "no Unicode" in reason


def test_the_licence_of_an_index_row_counts(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text(
        "file,source,identity,turn,licence\na/1.jpg,london,l1,0.1,CC0\na/2.jpg,london,l2,,\na/3.jpg,new,n1,,\n"
    )
    one, two, three = sorted(sources.index(tmp_path).entries(), key=lambda entry: entry.file)
    assert (one.licence, one.labels) == ("CC0", {"turn": "0.1"})
    assert (two.licence, three.licence) == ("CC BY 4.0", "not stated")
