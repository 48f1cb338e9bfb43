"""What a photographer met on the first day, each once more; in this process, on tiny networks."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from demask.cli.app import app
from demask.photo.inspection import inspect_photo
from full_metadata import says_everything
from tiny_networks import GREEN, make_photo


@pytest.fixture(autouse=True)
def tiny(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    monkeypatch.chdir(tmp_path)


def demask(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--jobs", "1"])


def photo(name: str, *, colour: tuple[int, int, int] | None = None, empty: bool = False) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = make_photo(None) if empty else make_photo() if colour is None else make_photo(colour)
    Image.fromarray(pixels).save(path)
    return path


def test_a_folder_ends_with_a_summary() -> None:
    photo("in/a.png")
    photo("in/b.png", colour=GREEN)
    photo("in/c.png", empty=True)
    Path("in/d.png").write_bytes(b"no picture")
    done = demask("remove", "in", "-o", "out")
    assert done.exit_code == 3
    last = done.stderr.splitlines()[-1]
    assert last.startswith("4 photos in ")
    assert " s: 1 restored, 1 bare, 1 without a face, 1 failed" in last
    assert "photos in" not in demask("remove", "in/a.png", "-o", "alone.png").stderr
    assert "photos in" not in demask("remove", "in", "-o", "quiet", "--quiet").stderr


def test_doubtful_results_are_told_and_written_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    photo("in/sub/a.png")
    photo("in/b.png", colour=GREEN)
    monkeypatch.setattr("demask.results._MIN_SCORE", 1.01)  # Every covered face is doubtful then.
    done = demask("remove", "in", "-o", "out", "--review", "look")
    assert done.exit_code == 0
    assert "(doubtful: perhaps no face)" in done.stderr
    assert "1 doubtful" in done.stderr.splitlines()[-1]
    assert [path for path in Path("look").rglob("*") if path.is_file()] == [Path("look/sub/a.png")]
    assert Path("look/sub/a.png").read_bytes() == Path("out/sub/a.png").read_bytes()
    record = json.loads(demask("find", "in/sub/a.png", "--json").stdout)
    assert record["faces"][0]["doubts"] == ["face_uncertain"]


def test_a_name_without_a_suffix_is_a_folder_for_one_input_too() -> None:
    photo("a.png")
    assert demask("remove", "a.png", "-o", "bare").exit_code == 0
    assert Path("bare/a.png").is_file()


def test_patterns_that_no_shell_expanded() -> None:
    for name in ("in/a.png", "in/b.png", "in/deep/c.png", "odd[1].png"):
        photo(name)
    assert demask("remove", "in/*.png", "-o", "flat").exit_code == 0
    assert sorted(path.name for path in Path("flat").glob("*.png")) == ["a.png", "b.png"]
    assert demask("remove", "in/**/*.png", "--dry-run").stderr.count(" -> ") == 3
    assert "odd[1].png -> " in demask("remove", "odd[1].png", "--dry-run").stderr
    missing = demask("remove", "none/*.png")
    assert "nothing matches none/*.png" in str(missing.exception)


def test_addresses_are_not_fetched() -> None:
    refused = demask("remove", "https://example.org/photo.jpg")
    assert "https://example.org/photo.jpg is an address" in str(refused.exception)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_linked_folders_are_searched_once() -> None:
    photo("far/deep/a.png")
    Path("in").mkdir()
    Path("in/linked").symlink_to(Path("far").resolve())
    Path("far/deep/back").symlink_to(Path("far").resolve())
    done = demask("remove", "in", "-o", "out")
    assert done.exit_code == 0
    assert Path("out/linked/deep/a.png").is_file()
    assert len(list(Path("out").rglob("*.png"))) == 1


@pytest.mark.skipif(os.name != "posix", reason="permissions are others there")
def test_who_may_not_read_the_photo_may_not_read_the_result() -> None:
    photo("a.png").chmod(0o640)
    photo("b.png").chmod(0o600)
    assert demask("remove", "a.png", "b.png", "-o", "out").exit_code == 0
    assert stat.S_IMODE(Path("out/a.png").stat().st_mode) == 0o640
    assert stat.S_IMODE(Path("out/b.png").stat().st_mode) == 0o600


def test_metadata_and_location_are_stripped_when_asked() -> None:
    Path("a.jpg").write_bytes(says_everything("JPEG"))
    for option, holds in (
        ("--strip-location", {"EXIF", "XMP", "IPTC", "ICC", "comment"}),
        ("--strip-metadata", {"ICC"}),
    ):
        assert demask("remove", "a.jpg", "-o", "b.jpg", option, "--overwrite").exit_code == 0
        assert set(inspect_photo(Path("b.jpg")).holds) == holds
    assert demask("remove", "a.jpg", "-o", "c.jpg").exit_code == 0
    assert Path("c.jpg").read_bytes() == Path("a.jpg").read_bytes()


def test_a_dropped_manifest_is_told() -> None:
    data = says_everything("PNG")
    end = data.index(b"IEND") - 4
    body = b"\0\0\0\x04caBXjumb\0\0\0\0"  # Its presence is what counts.
    masked = Image.fromarray(make_photo())
    masked.save("a.png")
    data = Path("a.png").read_bytes()
    end = data.index(b"IEND") - 4
    Path("a.png").write_bytes(data[:end] + body + data[end:])
    done = demask("remove", "a.png", "-o", "b.png", "--json")
    assert json.loads(done.stdout)["credentials"] == "dropped"
    assert "a.png: its Content Credentials (C2PA) could not be kept" in done.stderr
    assert "could not be kept" not in demask("remove", "a.png", "-o", "c.png", "--quiet").stderr


def test_find_says_words_where_people_look(monkeypatch: pytest.MonkeyPatch) -> None:
    photo("a.png")
    assert json.loads(demask("find", "a.png").stdout)["status"] == "covered"
    monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)
    shown = demask("find", "a.png")
    assert "1 of 1 face covered" in shown.stderr
    assert json.loads(demask("find", "a.png", "--json").stdout)["status"] == "covered"


def test_a_python_restorer_that_draws_floats_is_refused() -> None:
    from demask.errors import RestorerError
    from demask.remover import Remover

    def floats(masked: np.ndarray, hole: np.ndarray) -> np.ndarray:
        return masked / 255

    with pytest.raises(RestorerError, match=r"floats gave float64 \[256, 256, 3\], need uint8"):
        Remover(restorer=floats)(make_photo())  # type: ignore[arg-type]


def test_far_names_are_not_guessed() -> None:
    photo("a.png")
    assert "did you mean" not in str(demask("remove", "a.png", "--restorer", "lama").exception)
    assert "did you mean 'telea'" in str(demask("remove", "a.png", "--restorer", "teela").exception)
