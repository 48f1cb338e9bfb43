"""`demask score` as a user runs it: tables, files, what fails and what does not match."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demask.evaluation.metrics.pixels import mse, psnr

PIXELS = ("--metrics", "mse,psnr,ssim,ms_ssim")


def save(path: Path, pixels: np.ndarray) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, np.ndarray]:
    """Three drawn pairs in two folders, one of them in a subfolder; their truths are returned by name."""
    rng = np.random.default_rng(3)
    hole = np.zeros((192, 180), bool)
    hole[90:150, 40:140] = True
    truths = {}
    for index, name in enumerate(("a", "b", "deep/c")):
        truth = rng.integers(0, 256, (192, 180, 3), np.uint8)
        restored = truth.copy()
        restored[hole] = 100 + 20 * index
        truths[name] = save(tmp_path / "truth" / f"{name}.png", truth)
        save(tmp_path / "restored" / f"{name}.bmp", restored)
        save(tmp_path / "holes" / f"{name}.png", hole.astype(np.uint8) * 255)
        save(tmp_path / "masked" / f"{name}.png", np.where(hole[..., None], np.uint8(0), truth))
    return truths


def test_a_folder_is_scored_and_written(demask, tmp_path: Path, folders: dict[str, np.ndarray]) -> None:
    arguments = ("score", "restored", "truth", "--holes", "holes", "--masked", "masked", *PIXELS)
    done = demask(*arguments, "-o", "scores.json", "-o", "scores.csv")
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    report = json.loads((tmp_path / "scores.json").read_text())
    assert report["command"][:4] == ["demask", "score", "restored", "truth"]
    assert [entry["name"] for entry in report["pictures"]] == ["a", "b", "deep/c"]
    restored = {name: np.asarray(Image.open(tmp_path / "restored" / f"{name}.bmp")) for name in folders}
    for entry in report["pictures"]:
        name = entry["name"]
        assert entry["figures"]["mse"] == mse(restored[name], folders[name])
        assert entry["figures"]["changed_outside"] == 0
    mean = report["summary"]["psnr"]["mean"]
    expected = np.mean([psnr(restored[name], truth) for name, truth in folders.items()])
    assert mean["value"] == pytest.approx(expected, abs=1e-5)
    assert mean["low"] <= mean["value"] <= mean["high"]
    assert mean["num"] == 3
    assert report["summary"]["hole_mse"]["difference"]["value"] < 0
    table = done.stdout.decode()
    assert f"{mean['value']:.2f} [{mean['low']:.2f}, {mean['high']:.2f}]" in table
    assert "PSNR in hole, dB" in table
    assert "restored - masked" in table
    rows = list(csv.DictReader((tmp_path / "scores.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["a", "b", "deep/c"]
    assert float(rows[1]["hole_ssim"]) == report["pictures"][1]["figures"]["hole_ssim"]
    again = demask(*arguments, "-o", "scores.json", "-o", "scores.csv", "--overwrite")
    assert again.stdout == done.stdout
    assert json.loads((tmp_path / "scores.json").read_text())["pictures"] == report["pictures"]


def test_two_files_are_scored(demask, folders: dict[str, np.ndarray]) -> None:
    done = demask("score", "restored/a.bmp", "truth/a.png", "--holes", "holes/a.png", *PIXELS, "--json")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    record = json.loads(line)
    assert record["size"] == [180, 192]
    assert set(record["figures"]) == {
        f"{p}{n}" for p in ("", "hole_") for n in ("mse", "psnr", "ssim", "ms_ssim")
    }
    done = demask("score", "restored/a.bmp", "truth/a.png", *PIXELS)
    assert b"one picture says little" in done.stdout


def test_names_that_do_not_match_are_named(demask, tmp_path: Path, folders: dict[str, np.ndarray]) -> None:
    (tmp_path / "restored" / "b.bmp").unlink()
    (tmp_path / "holes" / "a.png").unlink()
    save(tmp_path / "restored" / "extra.png", folders["a"])
    done = demask("score", "restored", "truth", "--holes", "holes", *PIXELS)
    assert done.returncode == 3
    said = done.stderr.decode()
    assert "no truth for restored/extra.png" in said
    assert "nothing restored for truth/b.png" in said
    assert "no hole for a" in said
    assert "MSE in hole: 1 of 2 have none: no hole of that name" in done.stdout.decode()
    for index in range(12):
        save(tmp_path / "truth" / f"more{index:02}.png", folders["a"])
    done = demask("score", "restored", "truth", *PIXELS, "--allow-unmatched")
    assert done.returncode == 0
    said = done.stderr.decode()
    assert "no truth for restored/extra.png" in said
    assert "truth/more08.png and 3 more" in said
    assert demask("score", "restored", "truth", *PIXELS, "--allow-unmatched", "-q").stderr == b""


def test_a_picture_that_fails_costs_itself(demask, tmp_path: Path, folders: dict[str, np.ndarray]) -> None:
    save(tmp_path / "restored" / "a.bmp", folders["a"][:100])
    (tmp_path / "truth" / "b.png").write_bytes((tmp_path / "truth" / "b.png").read_bytes()[:5000])
    done = demask("score", "restored", "truth", *PIXELS, "-o", "scores.json")
    assert done.returncode == 3
    said = done.stderr.decode()
    assert "restored/a.bmp is 180x100 px but truth/a.png is 180x192 px" in said
    assert "truth/b.png" in said
    assert "Traceback" not in said
    report = json.loads((tmp_path / "scores.json").read_text())
    assert (report["num_pictures"], report["num_failed"]) == (3, 2)
    assert report["summary"]["mse"]["mean"]["num"] == 1
    assert [entry["error"] is None for entry in report["pictures"]] == [False, False, True]
    (tmp_path / "restored" / "deep" / "c.bmp").write_bytes(b"not a picture")
    assert demask("score", "restored", "truth", *PIXELS).returncode == 1


def test_metrics_without_their_weights_are_left_out(demask, folders, tmp_path: Path) -> None:
    done = demask("score", "restored", "truth", "-o", "s.json", DEMASK_HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    said = done.stderr.decode()
    for name, weights in (("lpips", "squeeze_backbone"), ("identity", "mobileface")):
        assert f"{name} is left out" in said
        assert weights in said
    assert set(json.loads((tmp_path / "s.json").read_text())["not_taken"]) == {"lpips", "identity"}
    done = demask("score", "restored", "truth", "--metrics", "lpips", DEMASK_HOME=str(tmp_path / "home"))
    assert (done.returncode, b"demask weights get squeeze_backbone" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["restored", "nowhere"], 1, "no such file or folder"),
        (["restored", "truth/a.png"], 2, "is a folder but"),
        (["restored", "restored"], 2, "both restored"),
        (["restored", "truth", "--metrics", "psnrr"], 2, "did you mean 'psnr'"),
        (["restored", "truth", "-o", "scores.txt"], 2, ".json or .csv"),
        (["restored", "truth", "-o", "none/scores.json"], 1, "no folder none"),
        (["restored", "truth", "-o", "there.json"], 1, "--overwrite"),
        (["restored", "truth", "--features", "net.onnx"], 2, "--metrics fid,kid"),
        (["restored", "truth", "--metrics", "mse", "--device", "gpu"], 2, "unknown device"),
    ],
)
def test_what_cannot_be_done_is_said(
    demask, tmp_path: Path, folders, arguments: list[str], code: int, said: str
) -> None:
    (tmp_path / "there.json").write_text("mine")
    done = demask("score", *arguments)
    assert done.returncode == code, done.stderr
    assert said in done.stderr.decode()
    assert len(done.stderr.decode().strip().splitlines()) == 1
    assert (tmp_path / "there.json").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_leaves_no_file(tmp_path: Path, environment: dict[str, str], folders) -> None:
    for index in range(400):
        for side in ("restored", "truth"):
            (tmp_path / side / f"more{index}.png").symlink_to(tmp_path / "truth" / "a.png")
    before = {path.name for path in tmp_path.iterdir()}
    process = subprocess.Popen(
        [sys.executable, "-m", "demask", "score", "restored", "truth", *PIXELS, "-o", "scores.json", "--json"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"{")
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"interrupted" in said
    assert b"Traceback" not in said
    assert {path.name for path in tmp_path.iterdir()} == before
