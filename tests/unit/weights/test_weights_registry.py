"""Names, places and checksums of weights files."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

import demask
from demask.errors import WeightsError
from demask.weights import registry


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Three empty folders in the places that are searched."""
    places = {name: tmp_path / name for name in ("extra", "shipped", "home")}
    for place in places.values():
        place.mkdir()
    monkeypatch.setenv("DEMASK_WEIGHTS", str(places["extra"]))
    monkeypatch.setenv("DEMASK_HOME", str(places["home"]))
    monkeypatch.setattr(registry, "SHIPPED_FOLDER", places["shipped"])
    monkeypatch.setattr(registry, "SHIPPED_SUMS", places["shipped"] / "SHA256SUMS")
    return places


def known(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Make `content` what the registry expects of `yunet`."""
    entry = registry.Weights(
        name="yunet",
        file="face_detection_yunet_2023mar.onnx",
        what="",
        licence="MIT",
        home="https://example.org",
        sha256=hashlib.sha256(content).hexdigest(),
    )
    monkeypatch.setitem(registry.REGISTRY, "yunet", entry)


def test_every_entry_says_whose_it_is() -> None:
    every = registry.REGISTRY | registry.UNPUBLISHED
    files = [file for weights in every.values() for file in weights.files]
    assert len(set(files)) == len(files)
    assert not registry.REGISTRY.keys() & registry.UNPUBLISHED.keys()
    for name, weights in every.items():
        assert weights.name == name
        assert weights.licence
        if not weights.shipped and not weights.recipe:
            assert weights.home.startswith("https://")
            for file in weights.files:
                assert re.fullmatch("[0-9a-f]{64}", weights.expected_sha256(file) or "")


def test_what_is_listed_can_be_had_and_is_used() -> None:
    source = "".join(path.read_text() for path in Path(demask.__file__).parent.rglob("*.py"))
    own = Path(registry.__file__).read_text()
    for name, weights in registry.REGISTRY.items():
        assert weights.shipped or (weights.url or "").startswith("https://"), name
        assert source.count(f'"{name}"') > own.count(f'"{name}"') or f"{name}.onnx" in source, name
    assert all(weights.url is None for weights in registry.UNPUBLISHED.values())


def test_a_file_of_another_name_will_do(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    entry = registry.Weights(
        name="squeeze_backbone",
        file="squeezenet1_1-b8a52dc0.pth",
        what="",
        licence="BSD-3-Clause",
        home="https://example.org",
        sha256=hashlib.sha256(b"with its classifier").hexdigest(),
        also={"squeeze.backbone.pth": hashlib.sha256(b"without").hexdigest()},
    )
    monkeypatch.setitem(registry.REGISTRY, "squeeze_backbone", entry)
    other = folders["extra"] / "squeeze.backbone.pth"
    other.write_bytes(b"without")
    assert registry.find("squeeze_backbone") == other
    other.write_bytes(b"with its classifier")  # The other's checksum.
    with pytest.raises(WeightsError, match="damaged or another version"):
        registry.find("squeeze_backbone")
    first = folders["extra"] / "squeezenet1_1-b8a52dc0.pth"
    first.write_bytes(b"with its classifier")
    assert registry.find("squeeze_backbone") == first


def test_an_unpublished_file_is_taken_from_the_users_folder_only(folders: dict[str, Path]) -> None:
    with pytest.raises(WeightsError, match=r"cannot be downloaded.*DEMASK_WEIGHTS") as caught:
        registry.find("facemesh")
    assert "weights get" not in str(caught.value)
    (folders["extra"] / "facemesh_468.onnx").write_bytes(b"another file")
    with pytest.raises(WeightsError, match="damaged or another version"):
        registry.find("facemesh")


def test_a_network_that_everyone_trains_is_taken_as_it_is(folders: dict[str, Path]) -> None:
    with pytest.raises(WeightsError, match=r"train it: `demask train expression .*expression\.onnx"):
        registry.find("expression")
    path = folders["extra"] / "expression.onnx"
    path.write_bytes(b"mine")
    assert registry.find("expression") == path
    assert registry.is_replaced(registry.lookup("expression"), path)


def test_third_party_files_match_the_folder_of_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    named = os.environ.get("DEMASK_WEIGHTS")
    folder = Path(named) if named else Path(__file__).parents[4] / "shared" / "weights"
    every = (registry.REGISTRY | registry.UNPUBLISHED).values()
    present = {
        w.name: file
        for w in every
        if not (w.shipped or w.recipe)
        for file in w.files
        if (folder / file).is_file()
    }
    if not present:
        pytest.skip("no third-party weights here")
    monkeypatch.setenv("DEMASK_WEIGHTS", str(folder))
    for name, file in present.items():
        assert registry.find(name) == folder / file


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(WeightsError, match="did you mean 'yunet'"):
        registry.lookup("yunnet")


def test_the_order_of_places(folders: dict[str, Path]) -> None:
    assert [path.parent for path in registry.candidates("hole")] == list(folders.values())
    assert [path.parent for path in registry.candidates("yunet")] == [folders["extra"], folders["home"]]


def test_the_download_folder_without_demask_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DEMASK_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert registry.download_folder() == tmp_path / "demask"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert registry.download_folder() == tmp_path / ".cache" / "demask"


def test_a_missing_file_says_where_and_what_to_do(folders: dict[str, Path]) -> None:
    with pytest.raises(WeightsError, match="demask weights get yunet") as caught:
        registry.find("yunet")
    assert str(folders["home"]) in str(caught.value)


def test_the_checksum_is_checked(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, b"good")
    path = folders["home"] / "face_detection_yunet_2023mar.onnx"
    path.write_bytes(b"good")
    assert registry.find("yunet") == path
    path.write_bytes(b"bad, and longer")
    with pytest.raises(WeightsError, match="damaged or another version"):
        registry.find("yunet")


def test_shipped_files_are_checked_but_may_be_replaced(folders: dict[str, Path]) -> None:
    shipped = folders["shipped"] / "hole.onnx"
    shipped.write_bytes(b"a network")
    with pytest.raises(WeightsError, match="no checksum on record"):
        registry.find("hole")
    registry.record_shipped(shipped)
    assert registry.find("hole") == shipped
    shipped.write_bytes(b"a network that was tampered with")
    with pytest.raises(WeightsError, match="damaged"):
        registry.find("hole")
    mine = folders["extra"] / "hole.onnx"
    mine.write_bytes(b"my own")
    assert registry.find("hole") == mine


def test_recording_keeps_the_other_checksums(folders: dict[str, Path]) -> None:
    for name in ("hole.onnx", "finder.onnx"):
        (folders["shipped"] / name).write_bytes(name.encode())
        registry.record_shipped(folders["shipped"] / name)
    lines = (folders["shipped"] / "SHA256SUMS").read_text().splitlines()
    assert lines == [
        f"{hashlib.sha256(name.encode()).hexdigest()}  {name}" for name in ("finder.onnx", "hole.onnx")
    ]
