"""Folders, lists, tars and archives as sources: streamed, and never out of bounds."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from itertools import islice
from pathlib import Path

import pytest

from demask.batch.photo_source import list_photos, read_ref
from demask.errors import InputError


def names(source: Path | str, **options: str) -> list[str]:
    return sorted(ref.name for ref in list_photos(str(source), **options))


def test_a_folder_without_what_is_hidden_and_its_own_target(tmp_path: Path) -> None:
    for name in ("a.jpg", "deep/b.PNG", "deep/notes.txt", ".hidden/c.jpg", "out/a.jpg", "deep/.d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert names(tmp_path, target=str(tmp_path / "out")) == ["a.jpg", "deep/b.PNG"]
    assert names(tmp_path.as_uri(), target=str(tmp_path / "out")) == ["a.jpg", "deep/b.PNG"]
    with pytest.raises(InputError, match="there is no folder"):
        names(tmp_path / "nowhere")


def test_a_list_names_photos_and_perhaps_outputs(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"A")
    rows = [
        {"path": "a.jpg"},
        {"url": (tmp_path / "a.jpg").as_uri(), "name": "other.jpg"},
        {"path": str(tmp_path / "a.jpg")},
        {"path": "../a.jpg"},
        {"path": "a.jpg", "name": "/etc/a.jpg"},
        {"width": 3},
        [1],
    ]
    text = "\n".join([*map(json.dumps, rows), "{broken", ""])
    (tmp_path / "list.jsonl").write_text(text)
    refs = list(list_photos(str(tmp_path / "list.jsonl")))
    absolute = str(tmp_path / "a.jpg").lstrip("/")
    assert [ref.name for ref in refs[:3]] == ["a.jpg", "other.jpg", absolute]
    assert [read_ref(ref, max_megapixels=1) for ref in refs[:3]] == [b"A"] * 3
    assert len(refs) == 8
    for ref, said in zip(
        refs[3:], ("below the target",) * 2 + ("names no photo",) * 2 + ("no JSON",), strict=True
    ):
        with pytest.raises(InputError, match=said):
            read_ref(ref, max_megapixels=1)


def test_a_parquet_list(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    (tmp_path / "a.jpg").write_bytes(b"A")
    parquet.write_table(pyarrow.table({"path": ["a.jpg", None], "width": [1, 2]}), tmp_path / "list.parquet")
    first, second = list_photos(str(tmp_path / "list.parquet"))
    assert read_ref(first, max_megapixels=1) == b"A"
    assert second.problem is not None
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="cannot be read as parquet"):
        list(list_photos(str(tmp_path / "broken.parquet")))


def test_tars_are_read_member_by_member(tmp_path: Path) -> None:
    for number in range(2):
        with tarfile.open(tmp_path / f"set-{number}.tar", "w") as tar:
            for name in ("a.jpg", "a.json", "../evil.jpg"):
                data = f"{number} {name}".encode()
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    refs = sorted(list_photos(str(tmp_path / "set-*.tar")), key=lambda ref: ref.name)
    good = [ref for ref in refs if ref.problem is None]
    assert {ref.name: read_ref(ref, max_megapixels=1) for ref in good} == {
        "set-0/a.jpg": b"0 a.jpg",
        "set-1/a.jpg": b"1 a.jpg",
    }
    assert len(refs) == 4
    whole = (tmp_path / "set-0.tar").read_bytes()
    (tmp_path / "set-0.tar").write_bytes(whole[:515])
    with pytest.raises(InputError, match="cut short"):
        read_ref(good[0], max_megapixels=1)
    (tmp_path / "set-0.tar").write_bytes(b"\x1f\x8b" + whole)
    with pytest.raises(InputError, match="whole and not compressed"):
        list(list_photos(str(tmp_path / "set-0.tar")))


def test_an_archive_through_fsspec(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("deep/a.jpg", b"A")
        archive.writestr("notes.txt", b"")
    (ref,) = list_photos(f"zip://::{tmp_path}/photos.zip")
    assert (ref.name, read_ref(ref, max_megapixels=1)) == ("deep/a.jpg", b"A")


def test_a_source_is_listed_as_a_stream(tmp_path: Path) -> None:
    """The first photos come although what lies further on cannot be read at all."""
    with (tmp_path / "list.jsonl").open("wb") as file:
        file.write(b'{"path": "a.jpg"}\n' * 20_000)
        file.truncate(2**40)  # A terabyte of nothing.
    assert [ref.name for ref in islice(list_photos(str(tmp_path / "list.jsonl")), 9_000)] == ["a.jpg"] * 9_000
