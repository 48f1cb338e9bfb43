"""Reading shards at random, from any process, and naming what is damaged."""

import base64
import json
import multiprocessing
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import draw_photo, labellers, save_photo

from demask.dataset import sources
from demask.dataset.build import BuildConfig, build
from demask.dataset.manifest import FaceEntry, damaged_files, read_dataset, read_manifest
from demask.dataset.shards import FaceShards, ShardWriter, tar_index
from demask.errors import DatasetError


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shards")
    for seed in range(10):
        save_photo(root / "photos" / f"p{seed}.jpg", draw_photo(seed))
    config = BuildConfig(sources=(sources.folder(root / "photos"),), out=root / "set", workers=1)
    build(config, labellers=labellers)
    return root / "set"


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    for file in built.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def open_descriptors() -> int:
    table = Path("/proc/self/fd")  # Linux only; elsewhere there is nothing to count.
    return sum(1 for _ in table.iterdir()) if table.exists() else 0


def _mean(faces: FaceShards, i: int) -> float:
    return float(faces[i].crop.mean())


def test_members_lie_where_the_tar_says(built: Path) -> None:
    shard = next(built.glob("train-*.tar"))
    with tarfile.open(shard) as tar:
        for name, (offset, size) in tar_index(shard).items():
            member = tar.extractfile(name)
            assert member is not None
            assert shard.read_bytes()[offset : offset + size] == member.read()


def test_a_key_holds_no_dot(built: Path) -> None:
    # WebDataset groups members by what stands before the first dot.
    for name in tar_index(next(built.glob("train-*.tar"))):
        assert name.split(".", 1)[1] in {"crop.jpg", "photo.jpg", "valid.png", "json"}


def test_a_split_holds_only_its_faces(built: Path) -> None:
    whole = FaceShards(built)
    for split in ("train", "val", "test"):
        faces = FaceShards(built, split=split)
        assert {face.face_id for face in faces} == {e.face_id for e in whole.entries if e.split == split}
        assert all(face.split == split for face in faces)


def test_an_unknown_split_is_refused(built: Path) -> None:
    with pytest.raises(DatasetError, match="train, val, test"):
        FaceShards(built, split="training")


def test_a_pickled_set_reads_on(built: Path) -> None:
    faces = FaceShards(built)
    here = faces[0].crop
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(faces))[0].crop, here)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_the_same(built: Path, method: str) -> None:
    faces = FaceShards(built)
    here = [_mean(faces, i) for i in range(4)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.starmap(_mean, [(faces, i) for i in range(4)]) == here


def test_closing_gives_the_descriptors_back(built: Path) -> None:
    before = open_descriptors()
    faces = FaceShards(built)
    _ = faces[0]
    del faces
    assert open_descriptors() == before


def test_a_missing_set_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="dataset build"):
        FaceShards(tmp_path)


def test_a_shard_cut_short_is_named(copied: Path) -> None:
    shard = next(copied.glob("train-*.tar"))
    shard.write_bytes(shard.read_bytes()[:20_000])
    with pytest.raises(DatasetError, match=shard.name):
        FaceShards(copied)
    assert list(damaged_files(copied)) == [shard.name]


def test_a_missing_shard_is_named(copied: Path) -> None:
    shard = next(copied.glob("train-*.tar"))
    shard.unlink()
    with pytest.raises(DatasetError, match=shard.name):
        FaceShards(copied)
    assert "cannot be read" in damaged_files(copied)[shard.name]


@pytest.mark.parametrize("part", ["crop.jpg", "photo.jpg", "valid.png", "json"])
def test_a_damaged_sample_is_named(copied: Path, part: str) -> None:
    entry = FaceShards(copied).entries[0]
    shard = copied / entry.shard
    offset, size = tar_index(shard)[f"{entry.face_id}.{part}"]
    data = bytearray(shard.read_bytes())
    data[offset : offset + size] = b"\0" * size
    shard.write_bytes(data)
    faces = FaceShards(copied)
    with pytest.raises(DatasetError, match=f"{entry.shard}: {entry.face_id}"):
        _ = faces[0]
    assert faces[1].crop.any()


def test_a_damaged_manifest_line_is_named(copied: Path) -> None:
    manifest = copied / "manifest.jsonl"
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([lines[0], lines[1][:-9], *lines[2:]]))
    with pytest.raises(DatasetError, match="line 2"):
        FaceShards(copied)


def test_a_face_that_its_shard_lacks_is_named(copied: Path) -> None:
    entry = FaceShards(copied).entries[0]
    manifest = copied / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace(entry.face_id, "somebody-else"))
    with pytest.raises(DatasetError, match="lacks somebody-else"):
        FaceShards(copied)


def test_a_shard_takes_its_name_only_when_complete(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path / "a.tar")
    writer.add("x.json", b"{}")
    assert not (tmp_path / "a.tar").exists()
    writer.finish()
    assert list(tar_index(tmp_path / "a.tar")) == ["x.json"]
    other = ShardWriter(tmp_path / "b.tar")
    other.add("x.json", b"{}")
    other.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def spoil(folder: Path, entry: FaceEntry, part: str, data: bytes) -> None:
    """Write over the begin of one file of a face inside its shard."""
    shard = folder / entry.shard
    offset, size = tar_index(shard)[f"{entry.face_id}.{part}"]
    whole = bytearray(shard.read_bytes())
    whole[offset : offset + size] = data[:size].ljust(size)
    shard.write_bytes(whole)


def facts_of(folder: Path, entry: FaceEntry) -> dict[str, object]:
    shard = folder / entry.shard
    offset, size = tar_index(shard)[f"{entry.face_id}.json"]
    return json.loads(shard.read_bytes()[offset : offset + size])


def test_a_sound_set_skips_nothing(built: Path, caplog: pytest.LogCaptureFixture) -> None:
    faces = FaceShards(built, skip_damaged=True)
    assert faces.entries == FaceShards(built).entries
    assert (faces.skipped, faces.num_skipped, caplog.records) == ({}, 0, [])


@pytest.mark.parametrize("cut", [0, 300, 20_000, -30_000])
def test_a_shard_cut_short_is_skipped_named_and_counted(
    copied: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    whole = FaceShards(copied)
    shard = next(copied.glob("train-*.tar"))
    lost = {entry.face_id for entry in whole.entries if entry.shard == shard.name}
    shard.write_bytes(shard.read_bytes()[:cut])
    faces = FaceShards(copied, skip_damaged=True)
    assert list(faces.skipped) == [shard.name]
    assert faces.num_skipped == len(lost)
    assert {entry.face_id for entry in faces.entries} == {e.face_id for e in whole.entries} - lost
    assert {face.face_id for face in faces} == {entry.face_id for entry in faces.entries}
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert shard.name in record.message
    with pytest.raises(DatasetError, match=rf"all {len(lost)} faces of train .*\({shard.name}"):
        FaceShards(copied, split="train", skip_damaged=True)


@pytest.mark.parametrize("part", ["crop.jpg", "photo.jpg", "valid.png", "json"])
def test_a_damaged_face_is_skipped_and_its_shard_kept(copied: Path, part: str) -> None:
    first, second = FaceShards(copied).entries[:2]
    spoil(copied, first, part, b"\0" * 100)
    faces = FaceShards(copied, skip_damaged=True)
    assert list(faces.skipped) == [f"{first.shard}: {first.face_id}"]
    assert faces.num_skipped == 1
    assert faces.entries[0] == second
    assert faces[0].face_id == second.face_id


def test_a_crop_that_still_decodes_but_is_another_is_skipped(copied: Path) -> None:
    first, second = FaceShards(copied).entries[:2]
    shard = copied / second.shard
    offset, size = tar_index(shard)[f"{second.face_id}.crop.jpg"]
    changed = bytearray(shard.read_bytes()[offset : offset + size])
    changed[size // 2] ^= 255
    spoil(copied, second, "crop.jpg", bytes(changed))
    faces = FaceShards(copied, skip_damaged=True)
    assert faces.skipped == {f"{second.shard}: {second.face_id}": "crop.jpg is not the one that was built"}
    assert faces[0].face_id == first.face_id


@pytest.mark.parametrize(
    ("landmarks", "reason"),
    [
        (None, "no landmarks"),
        ("", "no landmarks"),
        (base64.b64encode(np.zeros((467, 3), "<f2").tobytes()).decode(), "1401 landmark values"),
        (base64.b64encode(np.full((468, 3), np.nan, "<f2").tobytes()).decode(), "1404 not finite"),
        ("not base64!", "damaged"),
    ],
)
def test_a_face_without_landmarks_is_one_clear_error(copied: Path, landmarks: str | None, reason: str) -> None:
    entry = FaceShards(copied).entries[0]
    facts = facts_of(copied, entry)
    del facts["landmarks_float16_base64"]
    if landmarks is not None:
        facts["landmarks_float16_base64"] = landmarks
    spoil(copied, entry, "json", json.dumps(facts, separators=(",", ":")).encode())
    with pytest.raises(DatasetError, match=reason) as caught:
        _ = FaceShards(copied)[0]
    assert f"{entry.shard}: {entry.face_id}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert reason in next(iter(FaceShards(copied, skip_damaged=True).skipped.values()))


def test_a_json_that_is_no_record_is_named(copied: Path) -> None:
    entry = FaceShards(copied).entries[0]
    spoil(copied, entry, "json", b"[1]")
    with pytest.raises(DatasetError, match=entry.face_id):
        _ = FaceShards(copied)[0]


@pytest.mark.parametrize("data", [b"\xff\xfe", b"[]\n", b"3\n"])
def test_a_manifest_of_something_else_is_one_clear_error(copied: Path, data: bytes) -> None:
    (copied / "manifest.jsonl").write_bytes(data)
    with pytest.raises(DatasetError, match=r"manifest\.jsonl"):
        read_manifest(copied)


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_damaged_summary_is_one_clear_error(copied: Path, text: str) -> None:
    (copied / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match=r"dataset\.json is damaged"):
        read_dataset(copied)


def test_a_set_of_one_picture_works(tmp_path: Path) -> None:
    save_photo(tmp_path / "photos" / "only.jpg", draw_photo(1))
    config = BuildConfig(
        sources=(sources.folder(tmp_path / "photos"),),
        out=tmp_path / "set",
        workers=1,
        val_percent=0,
        test_percent=0,
    )
    build(config, labellers=labellers)
    faces = FaceShards(tmp_path / "set", split="train", skip_damaged=True)
    assert [face.face_id for face in faces] == [faces.entries[0].face_id]
    assert len(FaceShards(tmp_path / "set", split="val")) == 0
    spoil(tmp_path / "set", faces.entries[0], "crop.jpg", b"")
    with pytest.raises(DatasetError, match="all 1 faces of train"):
        FaceShards(tmp_path / "set", split="train", skip_damaged=True)
