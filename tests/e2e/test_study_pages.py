"""A whole study in a real browser: ten scripted people, two at a time, then every figure of the report."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import pytest
from by_hand import (
    Row,
    alpha_of,
    d_prime_of,
    difference_of,
    mean_of,
    proportion_of,
    spread_of,
    strength_of,
)  # fmt: skip

from drawn_pictures import draw_readable_folders, write_labels
from served_study import ADMIN_KEY, ServedStudy, without_own_address

pytest.importorskip("playwright")
from playwright.sync_api import sync_playwright
from scripted_person import CHROMIUM, CONDITIONS, OPENING, ScriptedPerson, Seen, launch

if not CHROMIUM.exists():
    pytest.skip("Debian's chromium is not installed", allow_module_level=True)

# Under a minute on a quiet core; a busy machine may take ten.
pytestmark = pytest.mark.timeout(1200)

PLAN = """
title = "Ten people"
systems = ["ours", "pix2pix"]
seed = 7
people = 10
across_blocks = "shared"
consent = { en = "I look at pictures." }
[exclusion]
max_failed_checks = 0
[[questions]]
name = "age"
choices = ["18-29", "30-49", "50+"]
text = { en = "How old are you?" }
[[questions]]
name = "remarks"
kind = "text"
text = { en = "Anything else?" }
[[blocks]]
kind = "rating"
name = "quality"
scale = "quality"
hidden_reference = true
faces = 4
checks = 1
[[blocks]]
kind = "rating"
name = "likability"
scale = "likability"
points = 7
same_pictures_as = "quality"
hidden_reference = true
[[blocks]]
kind = "rating"
name = "realism"
scale = "realism"
points = 100
faces = 2
[[blocks]]
kind = "real_or_restored"
name = "real"
practice = 1
faces = 2
exposure_ms = 120
[[blocks]]
kind = "pair"
name = "preference"
faces = 2
show_masked = true
[[blocks]]
kind = "expression"
name = "expression"
faces = 3
expressions = ["happy", "sad"]
[[blocks]]
kind = "same_person"
name = "same"
faces = 2
"""
NUM_FACES = 6
NUM_TRIALS = 21  # Of each person, practice and check included.
LABELS = ("happy", "sad")
FAILS, RETURNS, WITHDRAWS = 3, 1, 6


def rule(number: int, seen: Seen) -> str:
    """What person `number` answers to what they see."""
    if seen.role == "check":
        wanted = re.search("“(\\d)", seen.prompt)
        assert wanted is not None
        return wanted[1] if number != FAILS else str(1 + int(wanted[1]) % 5)
    condition, face = seen.pictures[0]
    turn = number + int(face[1:])
    if seen.block == "quality":
        return str({"ours": 4, "pix2pix": 2, "truth": 5}[condition] - (turn % 3 == 0))
    if seen.block == "likability":
        return str({"ours": 5, "pix2pix": 3, "truth": 6}[condition] + number % 2)
    if seen.block == "realism":
        return str({"ours": 80, "pix2pix": 40}[condition] + turn)
    shown = [name for name, _ in seen.pictures]
    if seen.block == "real":
        wrong = turn % 4 == 0 if "pix2pix" in shown else turn % 2 == 0
        return ("first", "second")[(shown[0] == "truth") == wrong]
    if seen.block == "preference":
        return ("first", "second")[(shown[-2] == "ours") == (turn % 4 == 0)]
    if seen.block == "expression":
        wrong = {"masked": turn % 2 == 0, "pix2pix": turn % 3 == 0}.get(condition, False)
        return LABELS[(int(face[1:]) + wrong) % 2]
    same = seen.pictures[0][1] == seen.pictures[1][1]
    return ("same", "different")[same == (turn % 3 == 0)]


def demask(*arguments: object) -> str:
    command = [sys.executable, "-m", "demask", "study", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def take_part(people: Sequence[ScriptedPerson]) -> None:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for person in people:
            person.take_part(browser)
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("study")
    folders = draw_readable_folders(root, CONDITIONS, num=NUM_FACES)
    labels = write_labels(root / "labels.csv", num=NUM_FACES, expressions=LABELS)
    (root / "plan.toml").write_text(PLAN)
    systems = [option for name in CONDITIONS[:2] for option in ("--system", f"{name}={folders[name]}")]
    demask(
        "new", root / "plan.toml", "-o", root / "s", *systems, "--truth", folders["truth"],
        "--masked", folders["masked"], "--labels", labels,
    )  # fmt: skip
    return root / "s"


@pytest.fixture(scope="module")
def people(folder: Path) -> dict[str, ScriptedPerson]:
    """Everybody who stayed, by the name that the report gives them, after they took part."""
    with ServedStudy(folder) as served:
        links = demask("invite", folder, "--people", 9, "--address", served.address).split()
        invited = [
            ScriptedPerson(link=link, rule=lambda seen, number=number: rule(number, seen), touch=number > 4)  # type: ignore[misc]
            for number, link in enumerate(links)
        ]
        invited[RETURNS].returns_after = 6
        invited[WITHDRAWS].withdraws_after = 5
        # Comes last, without a link, and gets the place that is free again.
        walk_in = ScriptedPerson(link=served.address, rule=lambda seen: rule(9, seen), touch=True)
        everybody = [*invited, walk_in]
        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(take_part, invited[:5]), pool.submit(take_part, [*invited[5:], walk_in])]
            while sum(len(person.said) for person in everybody) < 50:
                for task in running:
                    assert not task.done() or task.exception() is None, task.exception()
                time.sleep(0.05)
            # Two people are answering at this very moment.
            with OPENING:
                served.kill()
                served.start()
            for task in running:
                task.result()
            # In a thread: playwright allows one browser per thread, and other tests may hold one in this.
            pool.submit(check_admin, served).result()
            pool.submit(check_links, served, invited).result()
    assert without_own_address(served) == ""
    named = {f"p{place + 1:03d}": person for place, person in enumerate(invited)}
    return named | {f"p{WITHDRAWS + 1:03d}": walk_in}


def check_admin(served: ServedStudy) -> None:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page()
        page.goto(f"{served.address}admin#{ADMIN_KEY}")
        page.wait_for_selector("table")
        facts = page.locator(".fact").all_inner_texts()
        assert [fact.split() for fact in facts] == [
            ["10", "planned"], ["9", "enrolled"], ["9", "agreed"], ["9", "finished"], ["1", "withdrawn"],
        ]  # fmt: skip
        assert ["p004", f"{NUM_TRIALS} of {NUM_TRIALS}", "1", "yes", "–", "active"] in [
            row.split("\t") for row in page.locator("tbody tr").all_inner_texts()
        ]
        page.goto("about:blank")
        page.goto(f"{served.address}admin#not-the-key-at-all")
        page.wait_for_selector("#key")
        assert "the key is wrong" in page.inner_text("#why")
        browser.close()


def check_links(served: ServedStudy, invited: Sequence[ScriptedPerson]) -> None:
    """A finished link shows the end again, a withdrawn one nothing."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page()
        page.goto(invited[0].link)
        assert page.inner_text("#own-code") == invited[0].code == invited[0].link.rsplit("#")[-1]
        page.goto("about:blank")
        page.goto(invited[WITHDRAWS].link)
        page.wait_for_selector("#unknown:not([hidden])")
        browser.close()


@pytest.fixture(scope="module")
def report(folder: Path, people: dict[str, ScriptedPerson]) -> Path:
    demask("report", folder, "-o", folder / "report")
    return folder / "report"


@pytest.fixture(scope="module")
def results(report: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((report / "results.json").read_text())
    return found


@pytest.fixture(scope="module")
def answers(report: Path) -> list[dict[str, str]]:
    with (report / "answers.csv").open() as file:
        return list(csv.DictReader(file))


def rows_of(people: dict[str, ScriptedPerson], block: str) -> list[Row]:
    """What the people who count saw and said, from their own notes."""
    rows = []
    for name, person in people.items():
        if name == f"p{FAILS + 1:03d}":
            continue
        for seen, value in person.said:
            if seen.block != block or seen.role != "main":
                continue
            conditions = [condition for condition, _ in seen.pictures]
            right = ""
            if block == "real":
                right = ("first", "second")[conditions.index("truth")]
            elif block == "expression":
                right = LABELS[int(seen.pictures[0][1][1:]) % 2]
            elif block == "same":
                right = "same" if seen.pictures[0][1] == seen.pictures[1][1] else "different"
            judged = (
                [name for name in conditions if name != "truth"] if block in ("real", "same") else conditions
            )
            rows.append(
                Row(name, seen.pictures[-1 if block == "preference" else 0][1], judged[0], value, right)
            )
    return rows


def block_of(results: dict[str, Any], name: str) -> dict[str, Any]:
    (block,) = [block for block in results["blocks"] if block["name"] == name]
    found: dict[str, Any] = block
    return found


def same(estimate: dict[str, float], wanted: tuple[float, float, float], factor: float = 1.0) -> bool:
    """Whether value and interval agree to four digits."""
    found = [estimate["value"], estimate["low"], estimate["high"]]
    return found == pytest.approx([factor * each for each in wanted], abs=2e-4 * factor)


def test_everybody_came_to_the_end(people: dict[str, ScriptedPerson]) -> None:
    for person in people.values():
        positions = [seen.position for seen, _ in person.said]
        assert positions == list(range(NUM_TRIALS))  # Also of the one who closed the tab.
        assert len(person.practice) == 1
        assert person.practice[0].startswith(("Right", "Not right"))
        # While the server was away the browser could not but complain; of nothing else.
        assert all("ERR_" in text for text in person.complaints), person.complaints


def test_what_was_answered_is_what_is_stored(
    people: dict[str, ScriptedPerson], answers: list[dict[str, str]]
) -> None:
    stored = {(row["person"], int(row["position"])): row for row in answers}
    assert len(stored) == len(answers) == 9 * NUM_TRIALS
    for name, person in people.items():
        for seen, value in person.said:
            row = stored[name, seen.position]
            assert row["value"] == value
            shown = [
                pair for pair in ((row["first"], row["face"]), (row["second"], row["second_face"])) if pair[0]
            ]
            assert list(seen.pictures[-len(shown) :] if shown else seen.pictures) == shown
            assert float(row["reaction_ms"]) > 0
            timed = seen.block == "real"
            assert (row["first_ms"] != "") == (row["second_ms"] != "") == timed
    seen_ms = [
        float(row[key]) for row in answers if row["block"] == "real" for key in ("first_ms", "second_ms")
    ]
    # Never cut short by more than half a frame; how much longer depends on what else the machine does.
    assert min(seen_ms) > 120 - 9


def test_the_people_of_the_report(report: Path, results: dict[str, Any]) -> None:
    counts = ("num_planned", "num_people", "num_finished", "num_withdrawn", "num_dropped")
    assert [results[name] for name in counts] == [10, 9, 9, 1, 0]
    assert results["excluded"] == {"p004": "failed 1 attention checks, more than 0"}
    html = (report / "report.html").read_text()
    assert "9 participants took part (10 planned); 9 finished and 1 withdrew" in html
    everything = "".join(path.read_text() for path in report.iterdir())
    assert "words of my own" not in everything
    with (report / "people.csv").open() as file:
        assert [row["age"] for row in csv.DictReader(file)] == ["30-49"] * 9


@pytest.mark.parametrize(
    ("block", "points"), [("quality", (1, 5)), ("likability", (1, 7)), ("realism", (0, 100))]
)
def test_ratings(
    people: dict[str, ScriptedPerson], results: dict[str, Any], block: str, points: tuple[int, int]
) -> None:
    rows, found, (low, high) = rows_of(people, block), block_of(results, block), points
    by = {name: [row for row in rows if row.condition == name] for name in ("ours", "pix2pix", "truth")}
    assert {item["condition"] for item in found["ratings"]} == {name for name in by if by[name]}
    for item in found["ratings"]:
        own = by[item["condition"]]
        values = [float(row.value) for row in own]
        assert same(item["mean"], mean_of(own, low, high))
        rescaled = [100 * (each - low) / (high - low) for each in mean_of(own, low, high)]
        assert same(item["index_rescaled"], (rescaled[0], rescaled[1], rescaled[2]))
        assert same(item["index_of_maximum"], mean_of(own, low, high), 100 / high)
        top = 80 if high == 100 else high - 1
        assert same(item["index_top_two"], proportion_of(own, [float(each >= top) for each in values]), 100)
        assert item["sd"] == pytest.approx(stdev(values), abs=1e-5)
        assert item["sd_people"] == pytest.approx(spread_of(values, [row.person for row in own]), abs=1e-5)
        assert item["sd_pictures"] == pytest.approx(spread_of(values, [row.face for row in own]), abs=1e-5)
        assert item["bootstrap"][0] <= mean(values) <= item["bootstrap"][1]
        assert sum(item["histogram"]) == len(values)
    shown = [item["condition"] for item in found["ratings"]]
    for item, (first, second) in zip(found["differences"], combinations(shown, 2), strict=True):
        wanted = difference_of(by[first], by[second], high - low)
        assert same(item["difference"], wanted)
        if second == "truth":
            raised = (wanted[0] + high, wanted[1] + high, wanted[2] + high)
            assert same(found["dmos"][first], raised)
    assert found["alpha"]["value"] == pytest.approx(
        alpha_of(rows, "interval" if high == 100 else "ordinal"), abs=1e-5
    )


def test_ratings_in_numbers(results: dict[str, Any]) -> None:
    """Likability is 5 or 6 for ours, 3 or 4 for pix2pix and 6 or 7 for the truth: no arithmetic needed."""
    found = {item["condition"]: item for item in block_of(results, "likability")["ratings"]}
    for condition, lower in (("ours", 5), ("pix2pix", 3), ("truth", 6)):
        filled = [point for point, count in enumerate(found[condition]["histogram"], 1) if count]
        assert filled == [lower, lower + 1]
    assert found["truth"]["index_top_two"]["value"] == 100


def test_real_or_restored_and_same_person(people: dict[str, ScriptedPerson], results: dict[str, Any]) -> None:
    for block, signal in (("real", "first"), ("same", "same")):
        rows, found = rows_of(people, block), block_of(results, block)
        for item in found["detection"]:
            own = [row for row in rows if row.condition == item["system"]]
            hits = [row.hit for row in own]
            assert same(item["accuracy"], proportion_of(own, hits))
            assert same(item["d_prime"], d_prime_of(own, signal, pairs=block == "real"))
            of_person = defaultdict(list)
            for row in own:
                of_person[row.person].append(row.hit)
            shares = [mean(each) for each in of_person.values()]
            assert item["accuracy_people"] == pytest.approx([mean(shares), stdev(shares)], abs=1e-5)
            if block == "real":
                assert same(item["fooled"], proportion_of(own, [1 - hit for hit in hits]))


def test_preference(people: dict[str, ScriptedPerson], results: dict[str, Any]) -> None:
    rows = rows_of(people, "preference")
    shown = {
        (name, seen.position): [condition for condition, _ in seen.pictures[-2:]]
        for name, person in people.items()
        for seen, _ in person.said
        if seen.block == "preference"
    }
    wins = []
    for name, person in people.items():
        if name != f"p{FAILS + 1:03d}":
            for seen, value in person.said:
                if seen.block == "preference":
                    pair = shown[name, seen.position]
                    wins.append(float(pair[("first", "second").index(value)] == "ours"))
    best, other = block_of(results, "preference")["preference"]
    assert (best["system"], best["rank"], other["system"], other["rank"]) == ("ours", 1, "pix2pix", 2)
    assert same(best["strength"], strength_of(rows, wins))
    assert same(best["wins"], proportion_of(rows, wins))


def test_expressions(people: dict[str, ScriptedPerson], results: dict[str, Any]) -> None:
    rows, found = rows_of(people, "expression"), block_of(results, "expression")
    assert {item["condition"] for item in found["expressions"]} == set(CONDITIONS)
    for item in found["expressions"]:
        own = [row for row in rows if row.condition == item["condition"]]
        assert same(item["accuracy"], proportion_of(own, [row.hit for row in own]))
        assert item["confusion"] == [
            [sum((row.right, row.value) == (label, said) for row in own) for said in LABELS] for label in LABELS
        ]
    assert found["alpha"]["value"] == pytest.approx(alpha_of(rows, "nominal"), abs=1e-5)


def test_counts_and_reactions(results: dict[str, Any], answers: list[dict[str, str]]) -> None:
    for block in results["blocks"]:
        own = [
            row
            for row in answers
            if row["block"] == block["name"] and row["role"] == "main" and row["person"] != "p004"
        ]
        assert block["num_answers"] == len(own)
        # The CSV holds six digits.
        middle = median(float(row["reaction_ms"]) for row in own)
        assert block["median_reaction_ms"] == pytest.approx(middle, rel=1e-5)
        cells: dict[tuple[str, ...], int] = defaultdict(int)
        for row in own:
            pair = (
                sorted((row["first"], row["second"]))
                if block["kind"] == "pair"
                else [row["first"], row["second"]]
            )
            cells[row["face"], *pair] += 1
        assert (block["min_per_picture"], block["max_per_picture"]) == (
            min(cells.values()),
            max(cells.values()),
        )
