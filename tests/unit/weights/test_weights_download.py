"""Downloads through urllib itself; only the wire is replaced."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import urllib.error
import urllib.request
import urllib.response
from collections.abc import Callable
from email.message import Message
from pathlib import Path

import pytest

from demask.atomic import part_name
from demask.errors import WeightsError
from demask.weights import registry, transfer

CONTENT = b"a network " * 100_000
FILE = "face_detection_yunet_2023mar.onnx"


class Wire(urllib.request.BaseHandler):
    """Answers https requests from memory, before urllib's own handler."""

    handler_order = 100

    def __init__(self, answer: Callable[[str], tuple[int, dict[str, str], bytes]]) -> None:
        self.answer = answer

    def https_open(self, request: urllib.request.Request) -> urllib.response.addinfourl:
        code, fields, body = self.answer(request.full_url)
        headers = Message()
        for name, value in fields.items():
            headers[name] = value
        response = urllib.response.addinfourl(io.BytesIO(body), headers, request.full_url, code)
        response.msg = "as told"  # type: ignore[attr-defined]
        return response


def opener(
    answer: Callable[[str], tuple[int, dict[str, str], bytes]],
) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(transfer._HttpsOnly, Wire(answer))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DEMASK_WEIGHTS", raising=False)
    monkeypatch.setenv("DEMASK_HOME", str(tmp_path / "home"))
    entry = registry.Weights(
        name="yunet",
        file=FILE,
        what="",
        licence="MIT",
        home="https://example.org",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        url="https://example.org/network",
    )
    monkeypatch.setitem(registry.REGISTRY, "yunet", entry)
    return tmp_path / "home"


def test_a_download_is_checked_and_renamed(home: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = transfer.get(
        "yunet",
        opener=opener(lambda url: (200, {"Content-Length": str(len(CONTENT))}, CONTENT)),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert path == home / FILE
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in home.iterdir()] == [FILE]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert len(seen) > 1

    # What is here is not fetched again.
    def refuse(url: str) -> tuple[int, dict[str, str], bytes]:
        raise AssertionError(url)

    assert transfer.get("yunet", opener=opener(refuse)) == path


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, {}, b"something else"), "thrown away"),
        ((200, {}, CONTENT[:-1]), "thrown away"),
        ((404, {}, b""), "could not be fetched"),
        ((302, {"Location": "http://example.org/network"}, b""), "not https"),
    ],
)
def test_nothing_bad_is_kept(home: Path, answer: tuple[int, dict[str, str], bytes], said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        transfer.get("yunet", opener=opener(lambda url: answer))
    assert not list(home.iterdir())


def test_redirects_to_https_are_followed(home: Path) -> None:
    def answer(url: str) -> tuple[int, dict[str, str], bytes]:
        if url.endswith("/network"):
            return 302, {"Location": "https://cdn.example.org/file"}, b""
        return 200, {}, CONTENT

    assert transfer.get("yunet", opener=opener(answer)).read_bytes() == CONTENT


def test_a_broken_line_leaves_nothing(home: Path) -> None:
    def answer(url: str) -> tuple[int, dict[str, str], bytes]:
        raise urllib.error.URLError("no route")

    with pytest.raises(WeightsError, match="no route"):
        transfer.get("yunet", opener=opener(answer))
    assert not list(home.iterdir())


def test_a_file_without_an_address_says_so(home: Path) -> None:
    with pytest.raises(WeightsError, match=r"cannot be downloaded.*MediaPipePyTorch"):
        transfer.get("facemesh")


def test_what_a_killed_download_left_goes(home: Path) -> None:
    home.mkdir()
    left = home / part_name(home / FILE).name.replace(f"-{os.getpid()}-", "-999999999-")
    left.write_bytes(b"half")
    transfer.get("yunet", opener=opener(lambda url: (200, {}, CONTENT)))
    assert [path.name for path in home.iterdir()] == [FILE]


def test_a_line_that_breaks_half_way_leaves_nothing(home: Path) -> None:
    class Breaking(Wire):
        def https_open(self, request: urllib.request.Request) -> urllib.response.addinfourl:
            response = super().https_open(request)
            parts = iter((CONTENT[:1000],))

            def read(count: int = -1) -> bytes:
                if (part := next(parts, None)) is None:
                    raise http.client.IncompleteRead(b"", 10)
                return part

            response.read = read  # type: ignore[method-assign]
            return response

    wire = Breaking(lambda url: (200, {"Content-Length": "many"}, CONTENT))
    with pytest.raises(WeightsError, match="could not be fetched"):
        transfer.get("yunet", opener=urllib.request.build_opener(transfer._HttpsOnly, wire))
    assert not list(home.iterdir())


def test_a_home_that_cannot_be_written(home: Path) -> None:
    home.write_bytes(b"a file in the way")
    with pytest.raises(WeightsError, match="DEMASK_HOME"):
        transfer.get("yunet", opener=opener(lambda url: (200, {}, CONTENT)))
