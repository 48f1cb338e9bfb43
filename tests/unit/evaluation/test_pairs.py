"""Matching by name: what belongs together, what is named, what is refused."""

from pathlib import Path

import pytest

from demask.dataset.frozen_set import read_manifest
from demask.errors import InputError, UsageError
from demask.evaluation.pairs import match
from frozen_drawn import freeze_drawn


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def test_names_match_whatever_the_suffix(tmp_path: Path) -> None:
    ours = touch(tmp_path / "ours", "a.png", "deep/b.v2.jpg", "only.png", ".hidden.png", "notes.txt")
    theirs = touch(tmp_path / "theirs", "a.JPG", "deep/b.v2.webp", "b.v2.webp", ".git/a.png")
    found = match(ours, theirs)
    assert [(pair.name, pair.restored.name, pair.truth.name) for pair in found.pairs] == [
        ("a", "a.png", "a.JPG"),
        ("deep/b.v2", "b.v2.jpg", "b.v2.webp"),
    ]
    assert found.only_restored == (ours / "only.png",)
    assert found.only_truth == (theirs / "b.v2.webp",)
    assert found.no_hole == found.no_masked == ()


def test_holes_by_either_name_and_masked_inputs(tmp_path: Path) -> None:
    ours = touch(tmp_path / "ours", "a.png", "b.png", "c.d.png")
    theirs = touch(tmp_path / "theirs", "a.png", "b.png", "c.d.png")
    holes = touch(tmp_path / "holes", "a.png", "c.d.jpg.hole.png", "other.png", "b.jpg")
    masked = touch(tmp_path / "masked", "b.bmp")
    found = match(ours, theirs, holes=holes, masked=masked)
    assert [pair.hole for pair in found.pairs] == [holes / "a.png", None, holes / "c.d.jpg.hole.png"]
    assert [pair.masked for pair in found.pairs] == [None, masked / "b.bmp", None]
    assert found.no_hole == ("b",)
    assert found.no_masked == ("a", "c.d")


def test_a_named_folder_inside_another_is_not_part_of_it(tmp_path: Path) -> None:
    ours = touch(tmp_path / "set", "a.png", "holes/a.png", "a.jpg.hole.png", "truth/a.png")
    found = match(ours, ours / "truth", holes=ours / "holes")
    assert [pair.name for pair in found.pairs] == ["a"]
    assert found.only_restored == ()
    assert found.pairs[0].hole == ours / "holes" / "a.png"


def test_accents_match_in_both_spellings(tmp_path: Path) -> None:
    ours = touch(tmp_path / "ours", "Zoe\u0308.png")
    theirs = touch(tmp_path / "theirs", "Zo\u00eb.png")
    assert len(match(ours, theirs).pairs) == 1


def test_two_files_need_no_common_name(tmp_path: Path) -> None:
    touch(tmp_path, "out.png", "truth.png", "hole.png")
    (pair,) = match(tmp_path / "out.png", tmp_path / "truth.png", holes=tmp_path / "hole.png").pairs
    assert (pair.name, pair.hole) == ("out", tmp_path / "hole.png")


def test_what_cannot_be_matched_is_refused(tmp_path: Path) -> None:
    ours = touch(tmp_path / "ours", "a.png")
    theirs = touch(tmp_path / "theirs", "b.png")
    with pytest.raises(InputError, match=r"\(a\) has a partner in .* \(b\)"):
        match(ours, theirs)
    with pytest.raises(InputError, match="no such file or folder"):
        match(ours, tmp_path / "nowhere")
    with pytest.raises(UsageError, match="RESTORED is a folder but TRUTH is a file"):
        match(ours, theirs / "b.png")
    with pytest.raises(UsageError, match="RESTORED and TRUTH are both"):
        match(ours, ours)
    with pytest.raises(InputError, match="holds no holes"):
        match(ours, touch(tmp_path / "same", "a.png"), holes=touch(tmp_path / "none", "a.jpg"))
    touch(ours, "a.jpg")
    with pytest.raises(InputError, match="one name but for the suffix"):
        match(ours, theirs)


def test_a_frozen_set_is_matched_by_slice_and_name(shards: Path, tmp_path: Path) -> None:
    frozen = freeze_drawn(shards, tmp_path / "frozen", per_slice=2, portraits=0)
    rows = [row for row in read_manifest(frozen) if row["slice"] == "seen"]
    first, second = (f"seen/{row['face_id']}" for row in rows)
    ours = touch(tmp_path / "ours", f"{first}.masked.jpg", f"{second}.png", "seen/other.png")
    found = match(ours, frozen)
    files = {f"seen/{row['face_id']}": row["files"] for row in rows}
    for pair in found.pairs:
        of_set = {what: frozen / file["path"] for what, file in files[pair.name].items()}
        assert (pair.truth, pair.hole, pair.masked) == (of_set["face"], of_set["hole"], of_set["masked"])
    assert {pair.restored for pair in found.pairs} == {ours / f"{first}.masked.jpg", ours / f"{second}.png"}
    assert found.only_restored == (ours / "seen/other.png",)
    assert found.only_truth == ()  # The other slices are left out.
    assert found.holes
    assert found.masked
    (ours / f"{second}.png").unlink()
    assert match(ours, frozen).only_truth == (frozen / files[second]["masked"]["path"],)


def test_a_frozen_set_refuses_what_it_cannot_take(shards: Path, tmp_path: Path) -> None:
    frozen = freeze_drawn(shards, tmp_path / "frozen", per_slice=1, portraits=0)
    ours = touch(tmp_path / "ours", "unknown.png")
    with pytest.raises(UsageError, match="its own holes"):
        match(ours, frozen, holes=ours)
    with pytest.raises(InputError, match="keep the names"):
        match(ours, frozen)
    with pytest.raises(InputError, match="is no folder"):
        match(ours / "unknown.png", frozen)
