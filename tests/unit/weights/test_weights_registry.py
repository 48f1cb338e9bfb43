"""Names, places and checksums of weights files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

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
    files = [weights.file for weights in registry.REGISTRY.values()]
    assert len(set(files)) == len(files)
    for name, weights in registry.REGISTRY.items():
        assert weights.name == name
        assert weights.licence
        if not weights.shipped:
            assert weights.sha256 is not None
            assert len(weights.sha256) == 64
            assert weights.home.startswith("https://")
        assert weights.url is None or weights.url.startswith("https://")


def test_third_party_files_match_the_folder_of_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    named = os.environ.get("DEMASK_WEIGHTS")
    folder = Path(named) if named else Path(__file__).parents[4] / "shared" / "weights"
    present = [w for w in registry.REGISTRY.values() if not w.shipped and (folder / w.file).is_file()]
    if not present:
        pytest.skip("no third-party weights here")
    monkeypatch.setenv("DEMASK_WEIGHTS", str(folder))
    for weights in present:
        assert registry.find(weights.name) == folder / weights.file


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
