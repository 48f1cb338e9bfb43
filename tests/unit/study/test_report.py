"""From folders of pictures to the page, by the commands that a user types."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from study_plans import CONDITIONS, EVERY_KIND, NUM_FACES
from typer.testing import CliRunner

from demask.cli.app import app
from demask.errors import InputError, OutputExists, UsageError
from demask.study.answering import Answer
from demask.study.folder import new_study, open_study
from demask.study.methods import STAMP
from demask.study.report import write_report
from drawn_pictures import draw_folders, write_labels


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "plan.toml"
    path.write_text(EVERY_KIND)
    return path


@pytest.fixture(scope="module")
def study(drawn: Path, plan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "study"
    run("study", "new", str(plan), "-o", str(out), "--system", f"ours={drawn / 'ours'}",
        "--system", f"pix2pix={drawn / 'pix2pix'}", "--truth", str(drawn / "truth"),
        "--masked", str(drawn / "masked"), "--labels", str(drawn / "labels.csv"))  # fmt: skip
    return out


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


class Page(HTMLParser):
    """Collects tags that are not closed, and every address."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        if tag not in ("meta", "line", "circle", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("line", "circle", "rect"):
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)


def test_the_folder_holds_everything(study: Path, drawn: Path) -> None:
    opened = open_study(study)
    assert (study / "plan.toml").read_text() == EVERY_KIND
    assert len(opened.files) == len(CONDITIONS) * NUM_FACES
    picture = opened.files[opened.ids["ours", "f003"]]
    assert picture.read_bytes() == (drawn / "ours" / "f003.png").read_bytes()
    # The address of a picture must not tell what it is.
    assert not re.search("ours|pix2pix|truth|masked|f003", picture.name)
    with (study / "assignment.csv").open() as file:
        rows = list(csv.DictReader(file))
    store = opened.store()
    token = store.enrol("en")
    trials = store.session(token).trials
    store.withdraw(token)
    store.close()
    mine = [row for row in rows if row["slot"] == "0"]
    assert [(row["block"], row["face"], row["first"]) for row in mine] == [
        (t.block, t.face, t.first) for t in trials
    ]
    assert {int(row["slot"]) for row in rows} == set(range(12))


def test_a_rehearsal_is_stamped_everywhere(study: Path, tmp_path: Path) -> None:
    run("study", "simulate", str(study), "--people", "12")
    out = tmp_path / "report"
    run("study", "report", str(study), "--simulated", "-o", str(out), "--power", "2")
    html = (out / "report.html").read_text()
    page = Page()
    page.feed(html)
    assert page.open == []
    assert not page.tags & {"script", "img", "iframe", "link", "form"}
    assert all(re.fullmatch(r"[a-z]+\.(csv|json|txt)", address) for address in page.addresses)
    assert "http" not in html
    assert "url(" not in html
    # On the page's head, before the methods, before each of seven blocks, power and data.
    assert html.count(STAMP + "</p>") == 11
    assert "<title>SIMULATED - Every kind</title>" in html
    assert (out / "methods.txt").read_text().startswith(STAMP)
    assert json.loads((out / "results.json").read_text())["simulated"] is True
    for name in ("answers.csv", "people.csv", "figures.csv"):
        with (out / name).open() as file:
            rows = list(csv.DictReader(file))
        assert rows
        assert {row["simulated"] for row in rows} == {"yes"}
    assert all(row["simulated"] for row in json.loads((out / "answers.json").read_text()))
    assert "a simulated remark" not in "".join(path.read_text() for path in out.iterdir())
    # The real database saw nothing of it.
    store = open_study(study).store()
    assert store.records() == []
    store.close()


def test_a_real_report_carries_no_stamp_and_the_right_figures(drawn: Path, plan: Path, tmp_path: Path) -> None:
    folders = {name: drawn / name for name in CONDITIONS}
    new_study(plan, tmp_path / "s", folders, labels=drawn / "labels.csv", refer=True)
    study = open_study(tmp_path / "s")
    assert study.files[study.ids["truth", "f001"]] == drawn / "truth" / "f001.png"
    store = study.store()
    for rating in ("6", "4"):
        token = store.enrol("en")
        store.consent(token)
        for trial in store.session(token).trials:
            if trial.block == "likability" and trial.role == "main":
                store.answer(token, Answer(position=trial.position, value=rating, reaction_ms=700))
        store.finish(token)
    results = write_report(store, tmp_path / "out")
    store.close()
    likability = results.blocks[0]
    assert {item.condition: item.mean.value for item in likability.ratings}.keys() == {
        "ours",
        "pix2pix",
        "truth",
    }
    total = sum(item.mean.value * item.mean.num for item in likability.ratings)
    assert total == pytest.approx(12 * 6 + 12 * 4)
    html = (tmp_path / "out" / "report.html").read_text()
    assert "SIMULATED" not in html
    assert "simulated participant" not in html
    assert "2 participants took part (12 planned); 2 finished and 0 withdrew" in html
    with pytest.raises(OutputExists):
        write_report(store, tmp_path / "out")


def test_the_page_escapes_what_people_name(study: Path, drawn: Path, tmp_path: Path) -> None:
    plan = EVERY_KIND.replace('title = "Every kind"', 'title = "<script>alert(1)</script>"')
    (tmp_path / "plan.toml").write_text(plan)
    folders = {name: drawn / name for name in CONDITIONS}
    new_study(tmp_path / "plan.toml", tmp_path / "s", folders, labels=drawn / "labels.csv", refer=True)
    store = open_study(tmp_path / "s").store()
    write_report(store, tmp_path / "out")
    store.close()
    assert "<script>" not in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda f, r: f.pop("masked"), UsageError, "no folder for masked; add --masked FOLDER"),
        (lambda f, r: f.update(our=f["ours"]), UsageError, "did you mean 'ours'"),
        (lambda f, r: (r / "ours/f005.png").unlink(), InputError, "1 only in pix2pix, not in ours: f005|f005"),
        (lambda f, r: (r / "truth/f005.png").write_bytes(b"no"), InputError, "is no picture"),
        (lambda f, r: (r / "truth/f005.jpg").write_bytes(b"no"), InputError, "has both"),
        (lambda f, r: draw_folders(r / "more", ["ours"], num=0), None, ""),
    ],
)
def test_pictures_that_do_not_fit_are_refused(
    tmp_path: Path, spoil: object, error: type[Exception] | None, words: str
) -> None:
    folders = draw_folders(tmp_path, CONDITIONS, num=NUM_FACES)
    labels = write_labels(tmp_path / "labels.csv", num=NUM_FACES)
    (tmp_path / "plan.toml").write_text(EVERY_KIND)
    spoil(folders, tmp_path)  # type: ignore[operator]
    out = tmp_path / "out"
    if error is None:
        new_study(tmp_path / "plan.toml", out, folders, labels=labels, dry_run=True)
    else:
        with pytest.raises(error, match=words):
            new_study(tmp_path / "plan.toml", out, folders, labels=labels)
    assert not out.exists()
    assert not list(tmp_path.glob(".out*"))


def test_a_size_that_gives_the_system_away_is_refused(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    folders = draw_folders(tmp_path, CONDITIONS, num=NUM_FACES)
    cv2.imwrite(str(folders["ours"] / "f000.png"), np.zeros((20, 20, 3), np.uint8))
    (tmp_path / "plan.toml").write_text(EVERY_KIND)
    with pytest.raises(InputError, match="f000 is 20x20 px in ours but 10x12 px in pix2pix"):
        new_study(tmp_path / "plan.toml", tmp_path / "out", folders)


@pytest.mark.parametrize("name", ["study-a", "study-b"])
def test_the_example_plans_work(name: str, tmp_path: Path) -> None:
    plan = Path(__file__).parents[3] / "examples" / "studies" / f"{name}.toml"
    conditions = ("pix2pix", "truth") if name == "study-a" else ("pix2pix", "ours", "truth", "masked")
    folders = draw_folders(tmp_path, conditions, num=77)
    labels = write_labels(tmp_path / "labels.csv", num=77)
    made = new_study(plan, tmp_path / "s", folders, labels=labels)
    assert made.people == {"study-a": 46, "study-b": 40}[name]
    study = open_study(tmp_path / "s")
    from demask.study.effects import default_effects

    store = study.rehearse(default_effects(study.plan), people=made.people)
    results = write_report(store, tmp_path / "out")
    store.close()
    assert all(block.num_answers for block in results.blocks)
