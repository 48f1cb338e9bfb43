"""Which input becomes which output; every clash is refused before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from demask.cli.photo_jobs import plan_jobs
from demask.errors import InputError, OutputError, UsageError


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.PNG", "scan.bmp", "moving.gif", "odd.xyz", "tree/x.jpg", "tree/deep/y.jpeg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "tree" / "notes.txt").write_bytes(b"")
    (tmp_path / "tree" / ".hidden.jpg").write_bytes(b"")
    return tmp_path


def pairs(*inputs: str, output: str | None = None, **more: object) -> list[tuple[str, str]]:
    jobs = plan_jobs(list(inputs), output, **more)  # type: ignore[arg-type]
    return [(str(job.source), str(job.target)) for job in jobs]


def test_beside_the_input() -> None:
    assert pairs("a.jpg") == [("a.jpg", "a-demasked.jpg")]
    assert pairs("b.PNG", ending="found") == [("b.PNG", "b-found.PNG")]
    assert pairs("odd.xyz") == [("odd.xyz", "odd-demasked.xyz")]
    assert pairs("tree") == [
        ("tree/deep/y.jpeg", "tree/deep/y-demasked.jpeg"),
        ("tree/x.jpg", "tree/x-demasked.jpg"),
    ]


def test_formats_that_cannot_be_labelled_become_png() -> None:
    assert pairs("scan.bmp", "moving.gif") == [
        ("scan.bmp", "scan-demasked.png"),
        ("moving.gif", "moving-demasked.png"),
    ]


def test_a_format_changes_the_suffix_but_not_needlessly() -> None:
    assert pairs("a.jpg", format="WEBP") == [("a.jpg", "a-demasked.webp")]
    assert pairs("tree/deep/y.jpeg", format="JPEG") == [("tree/deep/y.jpeg", "tree/deep/y-demasked.jpeg")]


def test_to_a_file() -> None:
    (job,) = plan_jobs(["a.jpg"], "out.png")
    assert (job.target, job.format) == (Path("out.png"), "PNG")
    (job,) = plan_jobs(["a.jpg"], "out.anything")
    assert (job.target, job.format) == (Path("out.anything"), None)
    with pytest.raises(UsageError, match="WEBP"):
        plan_jobs(["a.jpg"], "out.png", format="WEBP")
    with pytest.raises(OutputError, match="no folder nowhere"):
        plan_jobs(["a.jpg"], "nowhere/out.png")


def test_to_a_folder() -> None:
    assert pairs("a.jpg", output="tree") == [("a.jpg", "tree/a.jpg")]
    assert pairs("a.jpg", output="new/") == [("a.jpg", "new/a.jpg")]
    assert pairs("a.jpg", "tree", output="new") == [
        ("a.jpg", "new/a.jpg"),
        ("tree/deep/y.jpeg", "new/deep/y.jpeg"),
        ("tree/x.jpg", "new/x.jpg"),
    ]
    with pytest.raises(UsageError, match="one file"):
        plan_jobs(["a.jpg", "b.PNG"], "new.jpg")
    with pytest.raises(UsageError, match="one file"):
        plan_jobs(["tree"], "odd.xyz")


def test_streams() -> None:
    (job,) = plan_jobs(["-"], None)
    assert (job.source, job.target, job.label) == (None, None, "-")
    (job,) = plan_jobs(["-"], "out.webp")
    assert (job.target, job.format) == (Path("out.webp"), "WEBP")
    (job,) = plan_jobs(["a.jpg"], "-", format="PNG")
    assert (job.target, job.format) == (None, "PNG")
    with pytest.raises(UsageError, match="no name"):
        plan_jobs(["-"], "tree")
    with pytest.raises(UsageError, match="one picture"):
        plan_jobs(["a.jpg", "b.PNG"], "-")


def test_holes_are_named_after_the_whole_file_name() -> None:
    (job,) = plan_jobs(["tree/deep/y.jpeg"], None, holes=Path("holes"))
    assert job.hole_target == Path("holes/y.jpeg.hole.png")
    jobs = plan_jobs(["tree"], "out", holes=Path("holes"))
    assert [str(job.hole_target) for job in jobs] == ["holes/deep/y.jpeg.hole.png", "holes/x.jpg.hole.png"]


@pytest.mark.parametrize(
    ("inputs", "output", "more"),
    [
        (["a.jpg", "a.jpg"], None, {}),
        (["a.jpg", "./tree/../a.jpg"], None, {}),
        (["scan.bmp", "scan-demasked.png"], None, {}),
        (["a.jpg"], "a.jpg", {}),
        (["a.jpg"], "./", {}),
        (["tree"], "tree", {}),
        (["a.jpg"], None, {"holes": Path(), "rename": "a.jpg.hole.png"}),
    ],
)
def test_clashes(place: Path, inputs: list[str], output: str | None, more: dict[str, object]) -> None:
    (place / "scan-demasked.png").write_bytes(b"")
    rename = more.pop("rename", None)
    if rename is not None:
        (place / str(rename)).write_bytes(b"")
        inputs = [*inputs, str(rename)]
    with pytest.raises(UsageError):
        plan_jobs(inputs, output, **more)  # type: ignore[arg-type]


def test_overwrite_allows_only_the_input_itself(place: Path) -> None:
    assert pairs("a.jpg", output="a.jpg", overwrite=True) == [("a.jpg", "a.jpg")]
    (place / "a-demasked.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match="a-demasked"):
        plan_jobs(["a.jpg", "a-demasked.jpg"], None, overwrite=True)


def test_the_same_file_through_a_link(place: Path) -> None:
    (place / "link.jpg").symlink_to(place / "a.jpg")
    with pytest.raises(UsageError, match="is the input"):
        plan_jobs(["a.jpg"], "link.jpg")


def test_earlier_outputs_in_a_folder_are_left_out(place: Path) -> None:
    (place / "tree" / "x-demasked.jpg").write_bytes(b"")
    (place / "tree" / "lonely-demasked.jpg").write_bytes(b"")
    names = [job.label for job in plan_jobs(["tree"], "out")]
    assert names == ["tree/deep/y.jpeg", "tree/lonely-demasked.jpg", "tree/x.jpg"]


def test_a_folder_without_pictures(place: Path) -> None:
    (place / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        plan_jobs(["empty"], None)
