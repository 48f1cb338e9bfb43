"""What people from a recruiting service meet: card and screen, MUSHRA, free order, branches, the way back.

Three people in the default run; `pytest -m slow` sends twelve, on desk and phone.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, median
from typing import Any

import httpx
import pytest

from demask.study.folder import new_study, open_study
from demask.study.report import write_report
from drawn_pictures import draw_readable_folders
from served_study import ADMIN_KEY, ServedStudy, without_own_address

pytest.importorskip("playwright")
from playwright.sync_api import Page, sync_playwright
from scripted_person import CHROMIUM, launch
from study_walker import Walker

if not CHROMIUM.exists():
    pytest.skip("Debian's chromium is not installed", allow_module_level=True)

pytestmark = pytest.mark.timeout(3600)

PLAN = """
title = "Twelve people"
systems = ["ours", "pix2pix"]
seed = 5
people = 12
consent = { en = "I look at pictures." }
instructions = { en = "## Look well\\n\\nThere is *no* hurry." }
debrief = { en = "Some faces were **drawn** by a program." }
[display]
size = "degrees"
degrees = 2.0
zoom = "forbidden"
[recruitment]
service = "prolific"
completion_code = "C0MPLETE"
completion_url = "https://app.prolific.com/submissions/complete?cc=C0MPLETE"
screened_code = "SCREENED"
[[questions]]
name = "age"
at = "start"
choices = ["young", "old"]
text = { en = "How old are you?" }
[questions.quota]
young = 1
[[questions]]
name = "remarks"
kind = "text"
text = { en = "Anything else?" }
[[blocks]]
kind = "mushra"
name = "together"
faces = 1
instructions = { en = "Hold *every* picture against the reference." }
[[blocks.examples]]
condition = "ours"
face = "f009"
caption = { en = "an example" }
[[blocks]]
kind = "rating"
name = "quality"
scale = "quality"
faces = 1
checks = 1
[blocks.follow_up]
after = ["1", "2", "3", "4", "5"]
choices = ["mouth", "skin"]
text = { en = "What did you look at?" }
[[blocks]]
kind = "rating"
name = "free"
scale = "realism"
faces = 2
order = "free"
[[blocks]]
kind = "pair"
name = "pairs"
faces = 1
when = { question = "age", replies = ["old"] }
[[groups]]
name = "forth"
blocks = ["together", "quality", "free", "pairs"]
[[groups]]
name = "back"
blocks = ["pairs", "free", "quality", "together"]
"""
NUM_FACES = 10
CONDITIONS = ("ours", "pix2pix", "truth")
PROLIFIC = "?PROLIFIC_PID=5f1e{number:02d}&STUDY_ID=60aa&SESSION_ID=70bb{number:02d}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("blocks")
    folders = draw_readable_folders(root, CONDITIONS, num=NUM_FACES)
    (root / "plan.toml").write_text(PLAN)
    new_study(root / "plan.toml", root / "s", folders)
    return root / "s"


def clean(page: Page, kind: str) -> None:
    """What axe finds on each kind of page; nothing."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found] == [], kind


def send(people: list[Walker]) -> None:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for person in people:
            person.take_part(browser)
        browser.close()


@pytest.fixture(
    scope="module", params=[pytest.param(3, id="three"), pytest.param(12, id="twelve", marks=pytest.mark.slow)]
)
def done(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[ServedStudy, list[Walker]]]:
    """Everybody after they took part: two from Prolific, one of whom gives the submission back."""
    number = int(request.param)
    if number > 3:  # The same study anew.
        folder = folder.parent / "again"
        new_study(folder.parent / "plan.toml", folder, {name: folder.parent / name for name in CONDITIONS})
    with ServedStudy(folder) as served:
        people = [
            Walker(
                link=served.address + (PROLIFIC.format(number=i) if i < 2 else ""),
                number=i,
                phone=i % 2 == 1,
                reply="young" if i in (0, number - 1) else "old",
                look=clean if i < 2 else lambda page, kind: None,
            )
            for i in range(number)
        ]
        # One leaves in the middle and gives the submission back.
        people[1].leaves_after = 12
        # In a thread: playwright allows one browser per thread, and other tests may hold one in this.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(send, people).result()
        served_folder = folder
        yield served, [*people, served_folder]  # type: ignore[list-item]
    assert without_own_address(served) == ""


def admin(served: ServedStudy, path: str, **body: str) -> Any:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    address = f"{served.address}v1/admin/{path}"
    reply = httpx.post(address, headers=headers, json=body) if body else httpx.get(address, headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.json() if "json" in reply.headers["content-type"] else reply.text


def test_everybody_comes_to_their_end(done: tuple[ServedStudy, list[Any]]) -> None:
    served, (*people, folder) = done
    first, returned, *rest, last = people
    assert (first.ended, first.leave_code) == ("end", "C0MPLETE")
    assert returned.ended == ""
    # The quota of one young person is full.
    assert (last.ended, last.leave_code) == ("screened", "SCREENED")
    assert all(person.ended == "end" for person in rest)
    for person in people:
        assert person.complaints == []
    assert [kind for kind in first.kinds if not kind.startswith("trial")] == [
        "consent", "questions", "text", "calibrate", "device", "text", "mushra", "text", "text", "overview",
        "overview", "overview", "questions", "end",
    ]  # fmt: skip
    # The young one's session has no pairs: 4 + 2 + 2 trials and two pages of questions.
    assert first.counts[-2:] == ["9 of 10", "10 of 10"]

    # Given back, the place is free and nothing of it is left.
    told = admin(served, "returned", session="70bb01")
    assert told["deleted_answers"] > 0
    table = list(csv.DictReader(io.StringIO(admin(served, "recruits.csv"))))
    assert [(row["person"], row["session"], row["status"]) for row in table] == [
        ("5f1e00", "70bb00", "finished")
    ]
    progress = admin(served, "progress")
    assert progress["people"]["returned"] == 1
    assert progress["people"]["sent away"] == 1
    assert progress["quotas"] == [{"question": "age", "reply": "young", "people": 1, "wanted": 1}]
    answers = list(csv.DictReader(io.StringIO(admin(served, "answers.csv"))))
    stored = {(row["person"], int(row["position"])): row for row in answers}
    assert "5f1e00" not in admin(served, "people.csv") + admin(served, "answers.csv")
    for person, pseudonym in ((first, "p001"), *((one, f"p{i:03d}") for i, one in enumerate(rest, 3))):
        assert {
            position: row["value"] for (who, position), row in stored.items() if who == pseudonym
        } == person.answers
    # 2 degrees at 60 cm are 2.0947 cm, at 96 dots per inch 79.2 px.
    widths = {float(row["shown_px"]) for row in answers if row["shown_px"]}
    assert all(abs(width - 79.2) < 1.0 for width in widths), widths
    assert {row["follow_up"] for row in answers if row["block"] == "quality"} == {"mouth"}

    # Paused, nobody joins; then the figures by hand.
    assert admin(served, "state", state="paused") == {"state": "paused"}
    late = Walker(link=served.address)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(send, [late]).result()
    assert late.ended == "paused"
    store = open_study(folder).store()
    results = write_report(store, folder / "report", pictures=open_study(folder))
    store.close()
    check_figures(answers, json.loads((folder / "report" / "results.json").read_text()))
    assert results.num_people == len(rest) + 1
    html = (folder / "report" / "report.html").read_text()
    assert "In plain words" in html
    with ThreadPoolExecutor(1) as pool:
        pool.submit(look_at_report, folder / "report" / "report.html").result()


def look_at_report(path: Path) -> None:
    """Axe finds nothing in light and dark, and only tables and plots are wider than a phone."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport={"width": 390, "height": 780}, color_scheme=scheme)
            page = context.new_page()
            page.goto(path.as_uri())
            clean(page, f"report, {scheme}")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            context.close()
        browser.close()


def check_figures(answers: list[dict[str, str]], results: dict[str, Any]) -> None:
    """MUSHRA's medians, means and who is left out, from the table of answers."""
    own = [row for row in answers if row["block"] == "together"]
    out = {row["person"] for row in own if row["first"] == "truth" and float(row["value"]) < 90}
    (block,) = [block for block in results["blocks"] if block["name"] == "together"]
    assert set(block["left_out"]) == out
    counted = [row for row in own if row["person"] not in out]
    for item in block["mushra"]:
        values = [float(row["value"]) for row in counted if row["first"] == item["condition"]]
        assert item["median"] == pytest.approx(median(values))
    for item in block["ratings"]:
        values = [float(row["value"]) for row in counted if row["first"] == item["condition"]]
        assert item["mean"]["value"] == pytest.approx(mean(values))
        assert 0 <= item["mean"]["low"] <= item["mean"]["high"] <= 100
