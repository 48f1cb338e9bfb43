"""A fixed number of photographs from each source."""

from dataclasses import replace
from pathlib import Path

import pytest
from drawn_faces import draw_photo, labellers, save_photo

from demask.dataset import sources
from demask.dataset.build import BuildConfig, build
from demask.dataset.manifest import read_dataset
from demask.dataset.sources import STUDY_B_MIX, Source, read_takes, with_takes
from demask.errors import ConfigError, DatasetError, UsageError


def touch(root: Path, *files: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for file in files:
        (root / file).write_bytes(b"x")
    return root


def chosen(source: Source) -> set[str]:
    return {entry.file for entry in source.entries()}


def test_study_b_adds_up() -> None:
    assert dict(STUDY_B_MIX) == {"ffhq": 1400, "kdef": 588, "utkface": 343}
    assert sum(STUDY_B_MIX.values()) == 2331


def test_a_choice_is_repeatable_and_hangs_on_the_seed(tmp_path: Path) -> None:
    source = replace(sources.folder(touch(tmp_path, *(f"{i}.jpg" for i in range(200)))), take=50)
    assert len(chosen(source)) == 50
    assert chosen(source) == chosen(source)
    assert chosen(source) != chosen(replace(source, seed=1))
    assert chosen(replace(source, take=40)) < chosen(source)


def test_new_files_change_little_of_a_choice(tmp_path: Path) -> None:
    source = replace(sources.folder(touch(tmp_path, *(f"{i}.jpg" for i in range(200)))), take=50)
    before = chosen(source)
    touch(tmp_path, *(f"new{i}.jpg" for i in range(20)))
    after = chosen(source)
    replaced = before - after
    assert len(after) == 50
    assert after - before == {file for file in after if file.startswith("new")}  # Old ones only make room.
    assert 0 < len(replaced) <= 12  # About 50 * 20 / 220.


def test_fewer_than_asked_says_how_many_there_are(tmp_path: Path) -> None:
    source = replace(sources.folder(touch(tmp_path / "people", "a.jpg", "b.jpg")), take=3)
    with pytest.raises(DatasetError, match=r"people has 2 photographs .* 3 .*--take people=2"):
        source.entries()
    assert len(replace(source, take=2).entries()) == 2


def test_nothing_cannot_be_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        replace(sources.folder(tmp_path), take=0)


def test_takes_are_read() -> None:
    assert read_takes(["ffhq=1400", "my=folder=3"]) == {"ffhq": 1400, "my=folder": 3}
    assert read_takes([], mix="study-b") == dict(STUDY_B_MIX)
    assert read_takes(["more=5"], mix="study-b") == {**STUDY_B_MIX, "more": 5}


@pytest.mark.parametrize(
    "text", ["ffhq", "=3", "ffhq=", "ffhq=many", "ffhq=0", "ffhq=-3", "ffhq=1.5", "ffhq=²"]
)
def test_an_unreadable_take_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="NAME=NUMBER"):
        read_takes([text])


def test_takes_that_contradict_are_refused() -> None:
    with pytest.raises(UsageError, match="--take name ffhq twice"):
        read_takes(["ffhq=1", "ffhq=2"])
    with pytest.raises(UsageError, match="--mix study-b and --take name kdef twice"):
        read_takes(["kdef=2"], mix="study-b")
    with pytest.raises(UsageError, match="did you mean study-b"):
        read_takes([], mix="studyb")


def test_an_unknown_name_offers_the_nearest(tmp_path: Path) -> None:
    known = [sources.layout("ffhq", tmp_path), sources.folder(tmp_path, name="portraits")]
    with pytest.raises(UsageError, match=r"'fhq'.*did you mean ffhq.*ffhq, portraits"):
        with_takes(known, {"fhq": 3}, seed=0)
    with pytest.raises(UsageError, match="--kdef DIR"):
        with_takes(known, {"kdef": 3}, seed=0)
    with pytest.raises(UsageError, match="any of 2"):
        with_takes([*known, sources.folder(tmp_path, name="ffhq")], {"ffhq": 3}, seed=0)
    one, two = with_takes(known, {"portraits": 3}, seed=7)
    assert (one.take, two.take, two.seed) == (None, 3, 7)


def test_a_mix_is_built_recorded_and_kept(tmp_path: Path) -> None:
    for i in range(6):
        save_photo(tmp_path / "ffhq" / f"0000{i}.png", draw_photo(i))
        save_photo(tmp_path / "kdef" / f"AF0{i + 1}HAS.JPG", draw_photo(10 + i))
        save_photo(tmp_path / "utk" / f"3{i}_0_1_2017011721350090{i}.jpg.chip.jpg", draw_photo(20 + i))
    all_sources = (
        sources.layout("ffhq", tmp_path / "ffhq"),
        sources.layout("kdef", tmp_path / "kdef"),
        sources.layout("utkface", tmp_path / "utk"),
    )
    taken = with_takes(all_sources, {"ffhq": 4, "kdef": 3, "utkface": 2}, seed=0)
    config = BuildConfig(sources=taken, out=tmp_path / "set", workers=1)
    report = build(config, labellers=labellers)
    assert report.per_source == {"ffhq": 4, "kdef": 3, "utkface": 2}
    recorded = read_dataset(tmp_path / "set")["config"]["sources"]
    assert [(s["kind"], s["take"], s["take_seed"]) for s in recorded] == [
        ("ffhq", 4, 0),
        ("kdef", 3, 0),
        ("utkface", 2, 0),
    ]
    assert build(config, labellers=labellers).resumed == 9
    for other in (all_sources, with_takes(all_sources, {"ffhq": 5, "kdef": 3, "utkface": 2}, seed=0)):
        with pytest.raises(DatasetError, match="other photographs or settings"):
            build(replace(config, sources=other), labellers=labellers)
