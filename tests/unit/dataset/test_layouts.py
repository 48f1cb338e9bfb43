"""FFHQ, KDEF and UTKFace as their publishers lay them out: what a file name says, and what is refused."""

import json
from pathlib import Path

import pytest
from drawn_faces import draw_photo, labellers, save_photo

from demask.dataset import sources
from demask.dataset.build import BuildConfig, build
from demask.dataset.layouts import Named, parse_ffhq, parse_kdef, parse_utkface
from demask.dataset.manifest import read_dataset, read_manifest
from demask.dataset.sources import Source
from demask.errors import ConfigError, DatasetError


def touch(root: Path, *files: str) -> Path:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def labels_of(source: Source) -> dict[str, dict[str, str]]:
    return {entry.file: entry.labels for entry in source.entries()}


# KDEF


@pytest.mark.parametrize(
    ("name", "person", "labels"),
    [
        ("AF01ANS.JPG", "F01", ("A", "1", "angry", "straight")),
        ("bm35suhl.jpg", "M35", ("B", "0", "surprised", "half left profile")),
        ("BF20AFFL.JPG", "F20", ("B", "1", "afraid", "full left profile")),
        ("AM09DIFR.jpeg", "M09", ("A", "0", "disgusted", "full right profile")),
        ("AF11HAHR.png", "F11", ("A", "1", "happy", "half right profile")),
        ("AF11SAS.JPG", "F11", ("A", "1", "sad", "straight")),
        ("AF11NES.JPG", "F11", ("A", "1", "neutral", "straight")),
    ],
)
def test_a_kdef_name_tells_person_expression_and_angle(name: str, person: str, labels: tuple[str, ...]) -> None:
    named = parse_kdef(name)
    assert isinstance(named, Named)
    assert named.person == person
    assert named.labels == dict(zip(("session", "gender", "expression", "angle"), labels, strict=True))


# The first two stand in the published archive; the third is an average face of its companion set.
@pytest.mark.parametrize(
    "name", ["AF31V.JPG", "AM31H.JPG", "FAFFL.JPG", "AF00ANS.JPG", "AF36ANS.JPG", "CF01ANS.JPG", "AF01ANSX.JPG"]
)
def test_other_names_in_kdef_are_refused_with_the_pattern(name: str) -> None:
    reason = parse_kdef(name)
    assert isinstance(reason, str)
    assert "AF01ANS.JPG" in reason


def test_a_kdef_tree_and_a_flat_copy_give_the_same_faces(tmp_path: Path) -> None:
    tree = touch(tmp_path / "tree", "KDEF/AF01/AF01ANS.JPG", "KDEF/BF01/BF01ANS.JPG", "KDEF/AM02/AM02HAHL.JPG")
    flat = touch(tmp_path / "flat", "af01ans.jpg", "bf01ans.jpg", "am02hahl.jpg")
    one, two = (sources.layout("kdef", root).entries() for root in (tree, flat))
    assert [(e.face_id, e.identity, e.labels) for e in one] == [(e.face_id, e.identity, e.labels) for e in two]
    assert {entry.identity for entry in one} == {"kdef/F01", "kdef/M02"}
    assert {entry.source for entry in one} == {"kdef"}
    assert all("researchers only" in entry.licence for entry in one)


def test_refused_names_are_told_and_the_rest_is_kept(tmp_path: Path) -> None:
    touch(tmp_path, "AF31/AF31ANS.JPG", "AF31/AF31V.JPG", "copy/AF31ANS.JPG", "readme.txt", "AF31/Thumbs.db")
    listing = sources.layout("kdef", tmp_path).listing()
    assert [entry.file for entry in listing.entries] == ["AF31/AF31ANS.JPG"]
    assert sorted(listing.refused) == ["AF31/AF31V.JPG", "copy/AF31ANS.JPG"]
    assert "same name as AF31/AF31ANS.JPG" in listing.refused["copy/AF31ANS.JPG"]


def test_only_some_angles_of_kdef(tmp_path: Path) -> None:
    touch(tmp_path, *(f"AF01AN{angle}.JPG" for angle in ("FL", "HL", "S", "HR", "FR")))
    entries = sources.layout("kdef", tmp_path, angles=("s", "HL")).entries()
    assert {entry.labels["angle"] for entry in entries} == {"straight", "half left profile"}
    with pytest.raises(ConfigError, match="FL, HL, S, HR, FR"):
        sources.layout("kdef", tmp_path, angles=("X",))
    with pytest.raises(ConfigError, match="only kdef"):
        sources.layout("ffhq", tmp_path, angles=("S",))


# UTKFace


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("26_1_3_20170117175041574.jpg.chip.jpg", ("26", "1", "3")),
        ("100_0_0_20170112213500903.jpg", ("100", "0", "0")),
        ("1_0_4_20161219140530307.JPG", ("1", "0", "4")),
        # As published, with a field or a character gone astray:
        ("61_1_20170109142408075.jpg.chip.jpg", ("61", "1", None)),
        ("61_3_20170109150557335.jpg", ("61", None, "3")),
        ("53__0_20170116184028385.jpg", ("53", None, "0")),
        ("24_0_1_20170116220224657 .jpg.chip.jpg", ("24", "0", "1")),
        ("55_0_0_20170116232725357jpg.chip.jpg", ("55", "0", "0")),
        ("40_20170116232725357.jpg", ("40", None, None)),
        ("40_7_9_20170116232725357.jpg", ("40", None, None)),
    ],
)
def test_a_utkface_name_tells_what_it_can(name: str, labels: tuple[str | None, ...]) -> None:
    named = parse_utkface(name)
    assert isinstance(named, Named)
    whole = dict(zip(("age", "gender", "ethnicity"), labels, strict=True))
    assert named.labels == {key: value for key, value in whole.items() if value is not None}


@pytest.mark.parametrize(
    "name",
    [
        "117_0_0_20170112213500903.jpg",
        "portrait.jpg",
        "a_0_0_20170112213500903.jpg",
        "26_1_3_2017.jpg",
        "26_1_3_0_20170112213500903.jpg",
        "20170112213500903.jpg",
        "_1_3_20170112213500903.jpg",
    ],
)
def test_other_names_in_utkface_are_refused(name: str) -> None:
    assert isinstance(parse_utkface(name), str)


def test_a_utkface_file_is_its_own_person_wherever_it_lies(tmp_path: Path) -> None:
    names = ["26_1_3_20170117175041574.jpg.chip.jpg", "26_1_3_20170117175041575.jpg.chip.jpg"]
    touch(tmp_path / "one", *names)
    touch(tmp_path / "two", *(f"part1/{name}" for name in names), f"crop_part1/{names[0]}")
    one = sources.layout("utkface", tmp_path / "one").entries()
    listing = sources.layout("utkface", tmp_path / "two").listing()
    assert len({entry.identity for entry in one}) == 2
    assert [e.face_id for e in listing.entries] == [e.face_id for e in one]
    assert list(listing.refused) == [f"part1/{names[0]}"]
    assert {entry.licence for entry in one} == {"non-commercial research"}


# FFHQ

FFHQ_TREE = (
    "images1024x1024/00000/00000.png",
    "images1024x1024/00000/00001.png",
    "images1024x1024/69000/69999.png",
)


def ffhq_record(**about: str) -> dict[str, object]:
    return {
        "category": "training",
        "metadata": {"photo_url": "https://example.org/1", "author": "Ada", "country": "", **about},
        "image": {"file_path": "images1024x1024/00000/00000.png", "face_landmarks": [[1.5, 2.5]] * 68},
    }


def test_ffhq_in_all_its_trees_gives_the_same_faces(tmp_path: Path) -> None:
    touch(
        tmp_path / "whole", *FFHQ_TREE, *(f.replace("images1024x1024", "thumbnails128x128") for f in FFHQ_TREE)
    )
    touch(tmp_path / "thumbs", *(f.replace("images1024x1024", "thumbnails128x128") for f in FFHQ_TREE))
    touch(tmp_path / "flat", "00000.PNG", "00001.jpg", "69999.webp")
    roots = ["whole", "whole/images1024x1024", "thumbs", "flat"]
    listings = [sources.layout("ffhq", tmp_path / root).listing() for root in roots]
    assert len({tuple(entry.face_id for entry in listing.entries) for listing in listings}) == 1
    assert [listing.refused for listing in listings] == [{}] * 4
    assert sorted(entry.file for entry in listings[0].entries) == list(FFHQ_TREE)
    assert sorted(entry.identity for entry in listings[3].entries) == ["ffhq/00000", "ffhq/00001", "ffhq/69999"]
    assert "CC BY-NC-SA 4.0" in listings[3].entries[0].licence


def test_whole_photographs_and_other_names_in_ffhq_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "00000/00000.png", "in-the-wild-images/00000/00001.png", "00000/70000.png", "teaser.png")
    listing = sources.layout("ffhq", tmp_path).listing()
    assert [entry.file for entry in listing.entries] == ["00000/00000.png"]
    assert sorted(listing.refused) == ["00000/70000.png", "in-the-wild-images/00000/00001.png", "teaser.png"]
    assert "several people" in listing.refused["in-the-wild-images/00000/00001.png"]
    assert isinstance(parse_ffhq("0000.png"), str)


@pytest.mark.parametrize("inside", [".", "images1024x1024"])
def test_ffhq_metadata_names_author_and_licence(tmp_path: Path, inside: str) -> None:
    touch(tmp_path, *FFHQ_TREE)
    records = {
        "0": ffhq_record(license="Attribution License", license_url="https://example.org/by"),
        "1": ffhq_record(),
    }
    (tmp_path / "ffhq-dataset-v2.json").write_text(json.dumps(records))
    by_name = {entry.path.stem: entry for entry in sources.layout("ffhq", tmp_path / inside).entries()}
    assert by_name["00000"].labels == {
        "category": "training",
        "author": "Ada",
        "photo_url": "https://example.org/1",
        "licence": "Attribution License",
    }
    assert by_name["00000"].licence.startswith("picture: Attribution License (https://example.org/by); dataset")
    assert by_name["00001"].labels["author"] == "Ada"
    assert by_name["00001"].licence == by_name["69999"].licence  # What the publisher says of all.
    assert by_name["69999"].labels == {}


@pytest.mark.parametrize("text", ["{", "[1, 2]", '{"0": 3}', '{"author": {}}', "\udcff"])
def test_damaged_ffhq_metadata_is_one_clear_error(tmp_path: Path, text: str) -> None:
    touch(tmp_path, "00000.png")
    (tmp_path / "ffhq-dataset-v2.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DatasetError, match=r"ffhq-dataset-v2\.json"):
        sources.layout("ffhq", tmp_path).entries()


# All of them


@pytest.mark.parametrize("name", ["ffhq", "kdef", "utkface"])
def test_a_folder_of_something_else_is_one_clear_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="not a folder"):
        sources.layout(name, tmp_path / "nowhere").entries()  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="no photographs"):
        sources.layout(name, tmp_path).entries()  # type: ignore[arg-type]
    touch(tmp_path, "b.jpg", "a.jpg")
    with pytest.raises(DatasetError, match=f"none of the 2 pictures .* {name}: a.jpg .* --folder"):
        sources.layout(name, tmp_path).entries()  # type: ignore[arg-type]


def test_both_sessions_of_a_person_share_a_split_and_refused_files_are_recorded(tmp_path: Path) -> None:
    seed = 0
    for number in range(1, 13):
        for session in "AB":
            for gender in "FM":
                seed += 1
                name = f"{session}{gender}{number:02d}HAS"
                save_photo(tmp_path / "kdef" / name[:4] / f"{name}.jpg", draw_photo(seed))
    save_photo(tmp_path / "kdef" / "AF31V.jpg", draw_photo(0))
    config = BuildConfig(
        sources=(sources.layout("kdef", tmp_path / "kdef"),),
        out=tmp_path / "set",
        workers=1,
        val_percent=30,
        test_percent=30,
    )
    report = build(config, labellers=labellers)
    rows = read_manifest(tmp_path / "set")
    assert len(rows) == 48
    splits = {row["identity"]: {r["split"] for r in rows if r["identity"] == row["identity"]} for row in rows}
    assert len(splits) == 24
    assert all(len(its) == 1 for its in splits.values())
    assert set.union(*splits.values()) == {"train", "val", "test"}
    assert {row["labels"]["expression"] for row in rows} == {"happy"}
    assert list(report.refused) == ["kdef/AF31V.jpg"]
    assert read_dataset(tmp_path / "set")["refused"] == report.refused
    assert build(config, labellers=labellers).refused == report.refused  # Finished: read back.
