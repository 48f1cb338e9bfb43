"""What is no file, or larger than a photo can be, is refused before it is read."""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path

import pytest

from demask.errors import PhotoUnreadable
from demask.photo.file_bytes import read_file, read_stream


def test_a_file_and_a_link_to_one(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "a.jpg").write_bytes(data)
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    (tmp_path / "empty.jpg").write_bytes(b"")
    assert read_file(tmp_path / "a.jpg", max_megapixels=1) == data
    assert read_file(tmp_path / "link.jpg", max_megapixels=1) == data
    assert read_file(tmp_path / "empty.jpg", max_megapixels=1) == b""


@pytest.mark.timeout(20)
def test_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # A socket's path is short.
    os.mkfifo("pipe.jpg")
    Path("link.jpg").symlink_to("pipe.jpg")
    Path("folder.jpg").mkdir()
    for name, said in (
        ("pipe.jpg", "is a pipe"),
        ("link.jpg", "is a pipe"),
        ("/dev/zero", "is a device"),
        ("folder.jpg", "folder"),
        ("missing.jpg", "No such file"),
        ("a\0b.jpg", "null"),
    ):
        with pytest.raises(PhotoUnreadable, match=said):
            read_file(Path(name), max_megapixels=1)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        with pytest.raises(PhotoUnreadable, match=r"socket\.jpg"):
            read_file(Path("socket.jpg"), max_megapixels=1)


@pytest.mark.timeout(60)
def test_more_than_a_photo_has(tmp_path: Path) -> None:
    with Path("/dev/zero").open("rb") as endless, pytest.raises(PhotoUnreadable, match="more than 75 MB"):
        read_stream(endless, "stdin", max_megapixels=1)
    with (tmp_path / "sparse.jpg").open("wb") as file:
        file.truncate(76_000_000)
    with pytest.raises(PhotoUnreadable, match=r"sparse\.jpg has more than 75 MB"):
        read_file(tmp_path / "sparse.jpg", max_megapixels=1)
    assert len(read_stream(io.BytesIO(bytes(75_000_000)), "stdin", max_megapixels=1)) == 75_000_000
