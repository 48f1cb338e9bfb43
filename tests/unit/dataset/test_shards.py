"""Reading shards at random, from any process, and naming what is damaged."""

import multiprocessing
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import draw_photo, labellers, save_photo

from demask.dataset import sources
from demask.dataset.build import BuildConfig, build
from demask.dataset.shards import FaceShards, ShardWriter, damaged_files, tar_index
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
