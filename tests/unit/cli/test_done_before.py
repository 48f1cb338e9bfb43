"""A run over a folder that an earlier one did, or did half of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from demask.cli.app import app
from tiny_networks import GREEN, make_photo

Run = Callable[..., Result]


@pytest.fixture
def demask(tmp_path: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `demask ARGS...` in `tmp_path`, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    return lambda *args: CliRunner().invoke(app, args, catch_exceptions=False)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photos to restore, one to copy, in two folders."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    Image.fromarray(make_photo()).save(folder / "masked.png")
    Image.fromarray(make_photo(size=(300, 300))).save(folder / "deep" / "masked.jpg", quality=95)
    Image.fromarray(make_photo(GREEN)).save(folder / "deep" / "bare.jpg", quality=95)
    return folder


def statuses(stdout: str) -> dict[str, str]:
    records = map(json.loads, stdout.splitlines())
    return {Path(record["input"]).name: record["status"] for record in records}


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".demask.jsonl"
    }


@pytest.mark.parametrize("output", [(), ("-o", "out")])
def test_a_second_run_finds_all_done(demask, photos: Path, tmp_path: Path, output: tuple[str, ...]) -> None:
    first = demask("remove", "photos", *output, "--json")
    assert statuses(first.stdout) == {
        "masked.png": "restored",
        "masked.jpg": "restored",
        "bare.jpg": "no_covering",
    }
    before = contents(tmp_path)
    second = demask("remove", "photos", *output, "--json", "--fail-if-none")
    assert second.exit_code == 0, second.stderr
    assert set(statuses(second.stdout).values()) == {"done"}
    assert contents(tmp_path) == before
    assert statuses(demask("remove", "photos", *output, "--json", "--overwrite").stdout) == statuses(
        first.stdout
    )


def test_what_differs_is_named_and_kept(demask, photos: Path, tmp_path: Path) -> None:
    assert demask("remove", "photos", "-o", "out").exit_code == 0
    Image.fromarray(make_photo(size=(310, 300))).save(photos / "masked.png")
    (tmp_path / "out" / "deep" / "bare.jpg").write_bytes(b"mine")
    before = contents(tmp_path)
    done = demask("remove", "photos", "-o", "out", "--json")
    assert done.exit_code == 3
    assert statuses(done.stdout) == {"masked.png": "failed", "masked.jpg": "done", "bare.jpg": "failed"}
    assert "out/masked.png exists and was made from other bytes of the photo" in done.stderr
    assert "out/deep/bare.jpg exists and was changed since it was made" in done.stderr
    done = demask("remove", "photos", "-o", "out", "--restorer", "telea")
    assert done.exit_code == 1
    assert "restorer was " in done.stderr
    assert "is telea; name another output or pass --overwrite" in done.stderr
    assert contents(tmp_path) == before


def test_an_output_that_nobody_knows_of_is_not_called_done(demask, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "masked.png").write_bytes(b"mine")
    done = demask("remove", "photos", "-o", "out")
    assert done.exit_code == 3
    assert (tmp_path / "out" / "masked.png").read_bytes() == b"mine"


def test_a_photo_that_failed_is_tried_again_when_asked(demask, photos: Path, tmp_path: Path) -> None:
    bad = photos / "bad.jpg"
    bad.write_bytes(b"no picture")
    assert demask("remove", "photos", "-o", "out").exit_code == 3
    done = demask("remove", "photos", "-o", "out", "--json")
    assert done.exit_code == 3
    assert statuses(done.stdout)["bad.jpg"] == "failed"
    assert "--retry-failed tries again" in done.stderr
    done = demask("remove", "photos", "-o", "out", "--json", "--retry-failed")
    assert "--retry-failed" not in done.stderr
    Image.fromarray(make_photo()).save(bad)  # Other bytes are another photo: no flag is needed.
    done = demask("remove", "photos", "-o", "out", "--json")
    assert (done.exit_code, statuses(done.stdout)["bad.jpg"]) == (0, "restored")


def test_a_missing_hole_or_output_is_made(demask, photos: Path, tmp_path: Path) -> None:
    arguments = ("remove", "photos", "-o", "out", "--holes", "holes", "--json")
    assert demask(*arguments).exit_code == 0
    assert set(statuses(demask(*arguments).stdout).values()) == {"done"}
    (tmp_path / "out" / "masked.png").unlink()
    (tmp_path / "holes" / "masked.png.hole.png").unlink()
    done = demask(*arguments)
    assert done.exit_code == 0, done.stderr
    assert statuses(done.stdout) == {"masked.png": "restored", "masked.jpg": "done", "bare.jpg": "done"}
