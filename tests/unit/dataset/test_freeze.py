"""Freezing a test set: same bytes again, balanced, complete, and vouched for by its checksums."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from demask.coverings import (
    HELD_OUT_KINDS,
    HELD_OUT_TEXTURES,
    TRAINING_KINDS,
    TRAINING_TEXTURES,
    WIDE_KINDS,
)
from demask.dataset.freeze import FreezeConfig, balanced, freeze, jaw_inside
from demask.dataset.frozen_set import MANIFEST, SET, load_frozen
from demask.dataset.record import FaceRecord, encode_record
from demask.dataset.shards import FaceShards, ShardWriter
from demask.errors import ConfigError, DatasetError, OutputExists
from demask.faces.judge import MOUTH
from demask.faces.landmarks import landmarks_from_points
from demask.geometry import FRAME_POINTS, apply, invert

TO_CROP = np.array([[1.25, 0.0, -32.0], [0.0, 1.25, -30.0]])


def face(number: int, source: str) -> FaceRecord:
    rng = np.random.default_rng(number)
    coarse = rng.integers(60, 200, (8, 8, 3), np.uint8)
    photo = cv2.resize(coarse, (256, 256), interpolation=cv2.INTER_CUBIC)
    crop = cv2.warpAffine(photo, TO_CROP, (256, 256))
    return FaceRecord(
        face_id=f"{source}-{number:03d}",
        source=source,
        identity=f"person {number}",
        split="test",
        licence="drawn",
        crop=crop,
        valid=np.ones((256, 256), bool),
        landmarks=landmarks_from_points(FRAME_POINTS),
        photo=photo,
        photo_box=(60.0, 60.0, 200.0, 230.0),
        photo_points=apply(invert(TO_CROP), FRAME_POINTS),
        photo_to_crop=TO_CROP,
        labels={"age": "30"},
        sharpness=10.0,
        scale=1.25,
    )


def write_shards(folder: Path, faces: list[FaceRecord]) -> Path:
    folder.mkdir()
    writer, rows = ShardWriter(folder / "test-00000.tar"), []
    for record in faces:
        parts = encode_record(record)
        writer.add_face(record.face_id, parts)
        facts = json.loads(parts["json"])
        rows.append(facts | {"shard": "test-00000.tar", "valid_fraction": 1.0})
    writer.finish()
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources = ["ffhq256"] * 4 + ["congress"] * 3 + ["rare"]
    faces = [face(number, source) for number, source in enumerate(sources)]
    return write_shards(tmp_path_factory.mktemp("faces") / "shards", faces)


@pytest.fixture(scope="module")
def frozen(shards: Path) -> Path:
    return freeze(FreezeConfig(data=shards, out=shards.parent / "frozen", per_slice=5, portraits=2)).out


def test_a_set_from_before_shares_were_called_fractions(shards: Path, tmp_path: Path) -> None:
    older = Path(shutil.copytree(shards, tmp_path / "older"))
    manifest = older / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace("valid_fraction", "valid_share"))
    assert "valid_share" in manifest.read_text()
    assert FaceShards(older).entries == FaceShards(shards).entries


def test_the_same_command_gives_the_same_bytes(shards: Path, frozen: Path, tmp_path: Path) -> None:
    again = freeze(FreezeConfig(data=shards, out=tmp_path / "again", per_slice=5, portraits=2))
    files = sorted(path.relative_to(frozen) for path in frozen.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again.out) for path in again.out.rglob("*") if path.is_file())
    for path in files:
        assert (frozen / path).read_bytes() == (again.out / path).read_bytes(), path
    other = freeze(FreezeConfig(data=shards, out=tmp_path / "other", per_slice=5, portraits=2, seed=1))
    assert other.sha256 != again.sha256


def test_every_slice_holds_the_same_faces_under_its_own_coverings(frozen: Path) -> None:
    pictures = list(load_frozen(frozen))
    # True is the byte 1, as everywhere in numpy: what counts bytes counts right.
    assert all(picture.hole.view(np.uint8).max() <= 1 for picture in pictures)
    by_slice = {
        name: [p for p in pictures if p.slice == name] for name in ("seen", "unseen_colours", "unseen_types")
    }
    assert {name: len(members) for name, members in by_slice.items()} == dict.fromkeys(by_slice, 5)
    assert len({tuple(p.face_id for p in members) for members in by_slice.values()}) == 1
    for picture in by_slice["seen"]:
        assert picture.recipe["kind"] in TRAINING_KINDS
        assert picture.recipe["texture"] in TRAINING_TEXTURES
    for picture in by_slice["unseen_colours"]:
        assert picture.recipe["kind"] in TRAINING_KINDS
        assert picture.recipe["texture"] in ("plain", *HELD_OUT_TEXTURES)
        assert picture.recipe["colour_set"] == "held_out"
    assert all(picture.recipe["kind"] in HELD_OUT_KINDS for picture in by_slice["unseen_types"])


def test_a_picture_differs_from_its_truth_in_hole_and_shadow_and_covers_the_mouth(frozen: Path) -> None:
    for picture in load_frozen(frozen, slices=["seen", "unseen_types"]):
        assert picture.hole[MOUTH].mean() >= 0.6
        assert (picture.masked != picture.face).any(axis=2)[picture.hole].mean() > 0.9
        far = ~cv2.dilate(picture.hole.astype(np.uint8), np.ones((61, 61), np.uint8)).astype(bool)
        assert np.array_equal(picture.masked[far], picture.face[far])
        assert np.abs(picture.points - FRAME_POINTS).max() < 0.1
        assert picture.labels == {"age": "30"}


def test_portraits_are_whole_photos_of_the_framed_sources(shards: Path, frozen: Path) -> None:
    portraits = list(load_frozen(frozen, slices=["portrait"]))
    assert [p.source for p in portraits] == ["ffhq256"] * 2
    for picture in portraits:
        assert picture.valid.all()
        in_frame = cv2.warpAffine(picture.hole.astype(np.uint8), TO_CROP, (256, 256)).astype(bool)
        assert in_frame[MOUTH].mean() >= 0.6
        assert np.abs(apply(TO_CROP, picture.points) - FRAME_POINTS).max() < 0.1


def test_a_changed_file_is_noticed(shards: Path, tmp_path: Path) -> None:
    out = freeze(FreezeConfig(data=shards, out=tmp_path / "set", per_slice=1, portraits=0)).out
    assert len(list(load_frozen(out))) == 3
    victim = next((out / "seen").glob("*.hole.png"))
    good = victim.read_bytes()
    victim.write_bytes(next((out / "unseen_types").glob("*.hole.png")).read_bytes())
    with pytest.raises(DatasetError, match="sha256 differs"):
        list(load_frozen(out))
    victim.write_bytes(good)
    manifest = (out / MANIFEST).read_text()
    (out / MANIFEST).write_text(
        manifest.replace('"congress"', '"ffhq256"').replace('"rare"', '"ffhq256"') + " "
    )
    with pytest.raises(DatasetError, match="freeze again"):
        load_frozen(out)
    (out / SET).unlink()
    with pytest.raises(DatasetError, match="no frozen test set"):
        load_frozen(out)


def test_nothing_is_overwritten_and_nothing_left_behind(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with pytest.raises(OutputExists, match="another folder"):
        freeze(FreezeConfig(data=shards, out=tmp_path / "set"))
    with pytest.raises(DatasetError, match="'val'"):
        freeze(FreezeConfig(data=shards, out=tmp_path / "val", split="val"))
    with pytest.raises(KeyboardInterrupt):
        freeze(FreezeConfig(data=shards, out=tmp_path / "stopped", per_slice=2), progress=_interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def _interrupt(done: int, total: int, face_id: str) -> None:
    if done == 3:
        raise KeyboardInterrupt


def test_sources_take_turns_until_they_run_out() -> None:
    sources = ["big"] * 50 + ["small"] * 3 + [None] * 5
    taken = list(balanced(sources, lambda i: True, seed=0))
    assert sorted(taken) == list(range(53))
    assert [sources[i] for i in taken[:7]] == ["big", "small", "big", "small", "big", "small", "big"]
    odd = list(balanced(sources, lambda i: i % 2 == 1, seed=0))
    assert sorted(odd) == [i for i in range(53) if i % 2 == 1]
    assert list(balanced(sources, lambda i: True, seed=1)) != taken


def test_a_cut_chin_or_an_invalid_jaw_is_refused() -> None:
    record = face(0, "ffhq256")
    assert jaw_inside(record)
    record.landmarks[:, 1] += 60
    assert not jaw_inside(record)
    record.landmarks[:, 1] -= 60
    record.valid[200:] = False
    assert not jaw_inside(record)


def test_a_set_of_no_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="per_slice"):
        FreezeConfig(data=tmp_path, out=tmp_path, per_slice=0)


def test_whole_photos_fill_the_slices_that_they_fit(tmp_path: Path) -> None:
    labels = [{"turn": "0.31"}, {"turn": "-0.5"}, {"eyes_px": "128"}, {"turn": "left", "eyes_px": "76"}]
    faces = [dataclasses.replace(face(number, "source"), labels=said) for number, said in enumerate(labels)]
    shards = write_shards(tmp_path / "shards", faces)
    frozen = freeze(FreezeConfig(data=shards, out=tmp_path / "set", per_slice=1, wide=2, turned=9, large=9))
    pictures = [picture for picture in load_frozen(frozen.out) if picture.is_photo]
    by_slice = {name: [p for p in pictures if p.slice == name] for name in frozen.slices}
    assert {p.face_id for p in by_slice["turned"]} == {faces[0].face_id, faces[1].face_id}
    assert [p.face_id for p in by_slice["large"]] == [faces[2].face_id]
    assert all(p.recipe["kind"] in WIDE_KINDS for p in by_slice.get("wide", []))
