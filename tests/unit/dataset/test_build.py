"""Building a set: complete, repeatable, resumable, and no traceback for bad files."""

import hashlib
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_faces import KillOnPhoto, draw_photo, label_middle, labellers, save_photo

from demask.dataset import build as build_module
from demask.dataset import sources
from demask.dataset.build import BuildConfig, BuildReport, build
from demask.dataset.manifest import damaged_files, read_dataset, read_manifest
from demask.dataset.shards import FaceShards
from demask.errors import ConfigError, DatasetError, OutputError
from demask.geometry import FRAME_POINTS, apply


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for seed in range(12):
        save_photo(folder / f"p{seed:02d}.jpg", draw_photo(seed))
    return folder


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "PART_FACES", 4)


def config_for(photos: Path, out: Path, **settings: object) -> BuildConfig:
    config = BuildConfig(sources=(sources.folder(photos),), out=out, workers=1)
    return replace(config, **settings)  # type: ignore[arg-type]


def build_drawn(photos: Path, out: Path, **settings: object) -> BuildReport:
    return build(config_for(photos, out, **settings), labellers=labellers)


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()
    }


def test_a_set_holds_every_face_aligned_and_labelled(photos: Path, tmp_path: Path) -> None:
    report = build_drawn(photos, tmp_path / "set", shard_size=5)
    assert report.num_faces == 12
    assert report.skipped == {}
    faces = FaceShards(tmp_path / "set")
    assert len(faces) == 12
    assert sum(report.per_split.values()) == 12
    record = faces[0]
    assert record.crop.shape == (256, 256, 3)
    np.testing.assert_allclose(apply(record.photo_to_crop, record.photo_points), FRAME_POINTS, atol=0.1)
    assert record.valid[100, 128]
    truth = label_middle(record.photo)
    assert truth is not None
    np.testing.assert_allclose(record.landmarks, truth.landmarks, atol=0.07)  # float16 near 200.
    seed = int(faces.entries[0].face_id.split("-")[1][1:])
    drawn = draw_photo(seed)
    assert np.abs(record.photo.astype(int) - drawn.astype(int)).mean() < 3
    assert damaged_files(tmp_path / "set") == {}
    assert not (tmp_path / "set" / ".parts").exists()


def test_no_shard_mixes_splits(photos: Path, tmp_path: Path) -> None:
    build_drawn(photos, tmp_path / "set", val_percent=30, test_percent=30)
    for entry in FaceShards(tmp_path / "set").entries:
        assert entry.shard.startswith(f"{entry.split}-")


def test_same_photographs_and_seed_give_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    build_drawn(photos, tmp_path / "one")
    build(config_for(photos, tmp_path / "two", workers=2), labellers=labellers)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_another_seed_orders_the_faces_otherwise_but_splits_them_alike(photos: Path, tmp_path: Path) -> None:
    build_drawn(photos, tmp_path / "one")
    build_drawn(photos, tmp_path / "two", seed=1)
    one, two = (read_manifest(tmp_path / name) for name in ("one", "two"))
    assert [row["face_id"] for row in one] != [row["face_id"] for row in two]
    assert {row["face_id"]: row["split"] for row in one} == {row["face_id"]: row["split"] for row in two}


def test_a_large_photo_is_kept_small_and_its_points_follow(tmp_path: Path) -> None:
    save_photo(tmp_path / "photos" / "large.png", draw_photo(1, width=1000, height=1200))
    build_drawn(tmp_path / "photos", tmp_path / "set", photo_px=300)
    record = FaceShards(tmp_path / "set")[0]
    assert record.photo.shape == (300, 250, 3)
    np.testing.assert_allclose(apply(record.photo_to_crop, record.photo_points), FRAME_POINTS, atol=0.1)
    again = cv2.warpAffine(record.photo, record.photo_to_crop, (256, 256))
    inner = np.s_[20:200, 20:200]
    assert np.abs(again[inner].astype(int) - record.crop[inner].astype(int)).mean() < 2


def test_bad_files_are_skipped_with_their_reason(photos: Path, tmp_path: Path) -> None:
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "text.jpg").write_text("not a picture")
    whole = (photos / "p00.jpg").read_bytes()
    (photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    save_photo(photos / "dark.png", np.zeros((200, 200, 3), np.uint8))
    save_photo(photos / "tiny.png", draw_photo(3, width=20, height=20))
    report = build_drawn(photos, tmp_path / "set")
    assert report.num_faces == 12
    reasons = {reason.split(": ", 1)[0]: reason for reason in report.skipped.values()}
    assert sorted(reasons) == ["cut.jpg", "dark.png", "empty.jpg", "text.jpg", "tiny.png"]
    assert "no face" in reasons["dark.png"]
    assert "too small" in reasons["tiny.png"]


def test_equal_files_are_kept_once(photos: Path, tmp_path: Path) -> None:
    (photos / "copy.jpg").write_bytes((photos / "p03.jpg").read_bytes())
    report = build_drawn(photos, tmp_path / "set")
    assert report.num_faces == 12
    assert len(report.duplicates) == 1
    ((left_out, kept),) = report.duplicates.items()
    assert {left_out.split("-")[1], kept.split("-")[1]} == {"copy", "p03"}


@pytest.mark.parametrize("mirrored", [False, True])
def test_photographs_that_look_alike_share_a_split(tmp_path: Path, mirrored: bool) -> None:
    photos = tmp_path / "photos"
    for seed in range(30):
        photo = draw_photo(seed)
        save_photo(photos / f"a{seed}" / "x.jpg", photo)
        twin = photo[:, ::-1] if mirrored else photo
        save_photo(photos / f"b{seed}" / "y.jpg", np.ascontiguousarray(twin), quality=60)
    config = config_for(photos, tmp_path / "set", val_percent=25, test_percent=25)
    build(config, labellers=labellers)
    split = {entry.identity.split("/")[-1]: entry.split for entry in FaceShards(tmp_path / "set").entries}
    assert all(split[f"a{seed}"] == split[f"b{seed}"] for seed in range(30))
    assert len(set(split.values())) == 3
    assert len(read_dataset(tmp_path / "set")["near_pairs_across_identities"]) == 30


def test_a_stopped_build_goes_on_where_it_was(photos: Path, tmp_path: Path, small_parts: None) -> None:
    out = tmp_path / "set"

    def stop(done: int, total: int, file: str) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(config_for(photos, out), progress=stop, labellers=labellers)
    assert len(list((out / ".parts").glob("part-*.tar"))) == 1
    with pytest.raises(DatasetError, match="no manifest"):
        FaceShards(out)

    counts: list[int] = []
    report = build(
        config_for(photos, out), progress=lambda done, total, file: counts.append(done), labellers=labellers
    )
    assert report.resumed == 4
    assert counts == [4, 5, 6, 7, 8, 9, 10, 11, 12]
    build_drawn(photos, tmp_path / "straight")
    assert bytes_of(out) == bytes_of(tmp_path / "straight")


def build_in_a_process(photos: Path, out: Path, *, labeller: str, workers: int) -> list[str]:
    """Command of a process that builds from drawn photographs, in parts of four."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "import drawn_faces\n"
        "from demask.dataset import build, sources\n"
        "if __name__ == '__main__':\n"
        "    build.PART_FACES = 4\n"
        f"    source = sources.folder(Path({str(photos)!r}))\n"
        f"    config = build.BuildConfig(sources=(source,), out=Path({str(out)!r}), workers={workers})\n"
        f"    build.build(config, labellers=drawn_faces.{labeller})\n"
    )
    return [sys.executable, "-c", code]


def test_a_build_killed_outright_goes_on(photos: Path, tmp_path: Path, small_parts: None) -> None:
    out = tmp_path / "set"
    command = build_in_a_process(photos, out, labeller="KillOnPhoto(7)", workers=1)
    killed = subprocess.run(command, capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr.decode()
    assert len(list((out / ".parts").glob("part-*.tar"))) == 1
    (left,) = (out / ".parts").glob(".part-*.part")
    left.rename(out / left.name)  # As a kill while the shards are written leaves one.
    assert build_drawn(photos, out).resumed == 4
    assert sorted(path.name for path in out.iterdir() if path.name.startswith(".")) == []


def test_nothing_outlives_a_build_that_is_killed(photos: Path, tmp_path: Path, small_parts: None) -> None:
    out = tmp_path / "set"
    command = build_in_a_process(photos, out, labeller="Slow()", workers=2)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        until = time.monotonic() + 60
        while not list((out / ".parts").glob("part-*.tar")):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
        # Workers and multiprocessing's tracker hold our pipe: its end comes when the last of them is gone.
        process.communicate(timeout=20)
    assert build_drawn(photos, out).resumed >= 4


def test_a_plain_kill_ends_a_build_as_ctrl_c_does(tmp_path: Path) -> None:
    for seed in range(60):
        save_photo(tmp_path / "photos" / f"p{seed}.jpg", draw_photo(seed, width=800, height=800))
    out = tmp_path / "set"
    command = [
        *(sys.executable, "-m", "demask", "dataset", "build", "--folder", str(tmp_path / "photos")),
        *("-o", str(out), "--labels", "own", "--workers", "2"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        until = time.monotonic() + 60
        while not list((out / ".parts").glob(".part-*.part")):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        said, _ = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, b"")
    assert list((out / ".parts").iterdir()) == []


def test_a_worker_that_dies_is_reported(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="worker process ended"):
        build(config_for(photos, tmp_path / "set", workers=2), labellers=KillOnPhoto(3))


def test_a_damaged_part_is_made_again(photos: Path, tmp_path: Path, small_parts: None) -> None:
    out = tmp_path / "set"

    def stop(done: int, total: int, file: str) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(config_for(photos, out), progress=stop, labellers=labellers)
    part = next((out / ".parts").glob("part-*.tar"))
    part.write_bytes(part.read_bytes()[:3000])
    with pytest.raises(DatasetError, match="run the same command again"):
        build_drawn(photos, out)
    assert build_drawn(photos, out).num_faces == 12


def test_a_finished_set_is_not_built_again(photos: Path, tmp_path: Path) -> None:
    first = build_drawn(photos, tmp_path / "set")
    calls: list[int] = []
    again = build(
        config_for(photos, tmp_path / "set"),
        progress=lambda done, total, file: calls.append(done),
        labellers=labellers,
    )
    assert calls == []
    assert again.per_split == first.per_split


def test_another_set_is_never_overwritten(photos: Path, tmp_path: Path) -> None:
    build_drawn(photos, tmp_path / "set")
    before = bytes_of(tmp_path / "set")
    with pytest.raises(DatasetError, match="another folder"):
        build_drawn(photos, tmp_path / "set", jpeg_quality=80)
    assert bytes_of(tmp_path / "set") == before


def test_a_set_of_the_other_labellers_says_so(photos: Path, tmp_path: Path) -> None:
    build_drawn(photos, tmp_path / "set", labels="teachers")
    with pytest.raises(DatasetError, match="those of --labels teachers"):
        build_drawn(photos, tmp_path / "set")


def test_a_set_without_a_face_is_an_error(tmp_path: Path) -> None:
    save_photo(tmp_path / "photos" / "dark.png", np.zeros((200, 200, 3), np.uint8))
    with pytest.raises(DatasetError, match="no face in 1 photographs"):
        build_drawn(tmp_path / "photos", tmp_path / "set")


def test_the_same_source_twice_is_an_error(photos: Path, tmp_path: Path) -> None:
    config = BuildConfig(sources=(sources.folder(photos),) * 2, out=tmp_path / "set", workers=1)
    with pytest.raises(DatasetError, match="named twice"):
        build(config, labellers=labellers)


def test_an_out_that_is_a_file_is_one_clear_error(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "set").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        build_drawn(photos, tmp_path / "set")


@pytest.mark.parametrize(
    "settings",
    [{"shard_size": 0}, {"jpeg_quality": 101}, {"val_percent": 60, "test_percent": 60}, {"sources": ()}],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        config_for(tmp_path, tmp_path / "set", **settings)


def test_the_manifest_vouches_for_photo_and_crop(photos: Path, tmp_path: Path) -> None:
    build_drawn(photos, tmp_path / "set")
    for row in read_manifest(tmp_path / "set"):
        file = photos / row["file"]
        assert row["source_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert row["licence"] == "not stated"
    text = (tmp_path / "set" / "dataset.json").read_text()
    assert str(tmp_path) not in text  # No path of this machine.
    assert json.loads(text)["num_photographs"] == 12
