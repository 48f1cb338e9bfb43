"""A study's folders from what a benchmark kept."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demask.errors import ConfigError, InputError, OutputExists, UsageError
from demask.study import from_benchmark
from demask.study.from_benchmark import make_folders
from demask.study.plan_file import parse_plan

FACES = ("f1", "f2", "f3")
PLAN = """
title = "t"
systems = ["ours", "other"]
people = 4
consent = { en = "y" }
[[blocks]]
kind = "rating"
name = "quality"
scale = "quality"
faces = 3
[[blocks]]
kind = "rating"
name = "realism"
scale = "realism"
faces = 2
"""


class Picture:
    """What the frozen set gives of one face."""

    def __init__(self, face_id: str) -> None:
        shade = 60 * int(face_id[1:])
        self.face = np.full((32, 32, 3), shade, np.uint8)
        self.masked = np.full((32, 32, 3), 200, np.uint8)
        self.valid = np.ones((32, 32), bool)
        self.valid[:, :8] = False


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two systems, two slices; net failed on f3. The set itself is read by its own tests."""
    folder = tmp_path / "bench"
    (folder / "pictures").mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps({"frozen_set": {"sha256": "abc"}}))
    lines = []
    for system, shade in (("net", 10), ("other", 100)):
        for place in ("seen", "unseen"):
            for setting in ("raw", "found"):
                for face in FACES:
                    key = f"{system}-{place}-{setting}-{face}"
                    failed = "too hard" if (system, face) == ("net", "f3") else None
                    lines.append(
                        {"system": system, "key": key, "slice": place, "face_id": face, "setting": setting,
                         "error": failed}
                    )  # fmt: skip
                    if setting == "found" and not failed:
                        pixels = np.full((32, 32, 3), shade + int(face[1:]), np.uint8)
                        Image.fromarray(pixels).save(folder / "pictures" / f"{key}.webp", quality=90)
    text = "\n".join(json.dumps(line) for line in lines) + '\n{"cut sho'
    (folder / "measured.jsonl").write_text(text)
    rows = [
        {
            "slice": place,
            "face_id": face,
            "labels": {"expression": "b"}
            if face == "f2"
            else {"expression": "happy", "identity": f"who{face}"},
        }
        for place in ("seen", "unseen")
        for face in FACES
    ]
    monkeypatch.setattr(from_benchmark, "read_manifest", lambda data: rows)
    monkeypatch.setattr(from_benchmark, "read_info", lambda data: {"sha256": data.name})
    monkeypatch.setattr(from_benchmark, "read_picture", lambda data, row: Picture(row["face_id"]))
    return folder


def test_folders_hold_the_faces_that_all_restored(benchmark: Path, tmp_path: Path) -> None:
    made = make_folders(benchmark, Path("abc"), tmp_path / "out", ["net", "other"], rename={"net": "ours"})
    assert (made.num_faces, list(made.systems)) == (2, ["ours", "other"])
    for name in ("ours", "other", "truth", "masked"):
        assert sorted(path.name for path in (tmp_path / "out" / name).iterdir()) == ["f1.png", "f2.png"]
    shades = {
        name: int(np.asarray(Image.open(tmp_path / "out" / name / "f2.png"))[16, 16, 0])
        for name in ("ours", "other", "truth", "masked")
    }
    wanted = {"ours": 12, "other": 102, "truth": 120, "masked": 200}
    assert all(abs(shades[name] - shade) <= 2 for name, shade in wanted.items()), shades
    for name in wanted:  # Beside the photograph all are alike, to the last digit.
        assert (np.asarray(Image.open(tmp_path / "out" / name / "f2.png"))[:, :8] == 128).all()
    with made.labels.open() as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    assert rows == [("f1", "whof1", "happy"), ("f2", "", "")]
    with pytest.raises(OutputExists):
        make_folders(benchmark, Path("abc"), tmp_path / "out", ["net"])


def test_what_cannot_be_made_is_said(benchmark: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="no system 'nett'; it has net, other"):
        make_folders(benchmark, Path("abc"), out, ["nett"])
    with pytest.raises(InputError, match="measured another set"):
        make_folders(benchmark, Path("xyz"), out, ["net"])
    with pytest.raises(InputError, match="holds no benchmark"):
        make_folders(tmp_path, Path("abc"), out, ["net"])
    with pytest.raises(InputError, match="keeps no picture"):
        make_folders(benchmark, Path("abc"), out, ["net"], slice_name="portrait")
    plan = parse_plan(PLAN)
    with pytest.raises(UsageError, match=r"ours is not named; .* --system NAME=ours"):
        make_folders(benchmark, Path("abc"), out, ["net", "other"], plan=plan)
    with pytest.raises(ConfigError, match=r"the plan needs 5 faces in all \(3 quality \+ 2 realism\)"):
        make_folders(benchmark, Path("abc"), out, ["net", "other"], rename={"net": "ours"}, plan=plan)
    assert not out.exists()
    plan = dataclasses.replace(plan, blocks=plan.blocks[1:])
    make_folders(benchmark, Path("abc"), out, ["net", "other"], rename={"net": "ours"}, plan=plan)
    assert (out / "ours" / "f1.png").is_file()
