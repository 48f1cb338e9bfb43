"""The real server, killed in the middle of people's answers, loses and doubles none; on both databases."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from demask.study.folder import new_study, open_study
from demask.study.store import Store
from drawn_pictures import draw_folders
from served_study import ServedStudy, without_own_address

PLAN = """
title = "Killed"
systems = ["a"]
people = 3
consent = { en = "yes" }
[[questions]]
name = "remarks"
kind = "text"
text = { en = "?" }
[[blocks]]
kind = "rating"
name = "r"
scale = "quality"
"""
NUM_TRIALS = 30
KILL_AFTER = (20, 55)  # Answers that were confirmed.


def make_study(root: Path, database: str | None = None) -> None:
    """Make the study in `root/s`."""
    folders = draw_folders(root, ["a"], num=NUM_TRIALS)
    (root / "plan.toml").write_text(PLAN)
    new_study(root / "plan.toml", root / "s", folders, database=database)


class Person:
    """Answers everything in order; sends again until heard, as the page does."""

    def __init__(self, address: str, code: str) -> None:
        headers = {"authorization": f"Bearer {code}"}
        self._http = httpx.Client(base_url=address, headers=headers, timeout=20)
        self.code = code
        self.confirmed: list[int] = []
        self.sent_again = 0

    def take_part(self) -> None:
        self._send("v1/consent", language="en")
        for position in range(NUM_TRIALS):
            value = str(1 + position % 5)
            self._send("v1/answers", position=position, value=value, reaction_ms=100.0 + position)
            self.confirmed.append(position)
        self._send("v1/replies", question="remarks", value="kept")
        self._send("v1/finish")
        self._http.close()

    def _send(self, path: str, **body: object) -> None:
        while True:
            try:
                self._http.post(path, json=body).raise_for_status()
                return
            except httpx.TransportError:
                self.sent_again += 1
                time.sleep(0.05)


def test_kills_in_the_middle_of_answers(database_url: str, tmp_path: Path) -> None:
    make_study(tmp_path, database=database_url)
    store = Store.open(database_url)
    with ServedStudy(tmp_path / "s", "--database", database_url) as served, ThreadPoolExecutor(3) as pool:
        people = [Person(served.address, store.enrol("en")) for _ in range(3)]
        running = [pool.submit(person.take_part) for person in people]
        for kill_after in KILL_AFTER:
            while sum(len(person.confirmed) for person in people) < kill_after:
                for task in running:
                    assert not task.done() or task.exception() is None, task.exception()
                time.sleep(0.002)
            said = {person.code: list(person.confirmed) for person in people}
            served.kill()
            for code, positions in said.items():
                assert set(positions) <= store.session(code).answered
            served.start()
        for task in running:
            task.result(timeout=120)
    assert sum(person.sent_again for person in people) > 0
    records = store.records()
    assert len(records) == len({(record.person, record.position) for record in records}) == 3 * NUM_TRIALS
    for record in records:
        assert (record.value, record.reaction_ms) == (str(1 + record.position % 5), 100.0 + record.position)
    assert [person.finished for person in store.people()] == [True] * 3
    assert [person.replies for person in store.people()] == [{"remarks": "kept"}] * 3
    store.close()


def test_no_address_is_logged_or_stored(tmp_path: Path) -> None:
    make_study(tmp_path)
    store = open_study(tmp_path / "s").store()
    code = store.enrol("en")
    with ServedStudy(tmp_path / "s") as served:
        person = Person(served.address, code)
        person.take_part()
        httpx.get(served.address + "nothing", headers={"user-agent": "Telling/1.0"})
        httpx.get(served.address, headers={"x-forwarded-for": "203.0.113.9"})
        with socket.create_connection(("127.0.0.1", served.port)) as raw:
            raw.sendall(b"no HTTP at all\r\n\r\n")
            raw.recv(100)
    assert "127.0.0.1" not in without_own_address(served)
    assert code not in served.said
    store.close()
    with sqlite3.connect(tmp_path / "s" / "study.sqlite") as db:
        stored = json.dumps(list(map(str, db.iterdump())))
    db.close()
    for secret in ("127.0.0.1", "203.0.113.9", "Telling", "httpx"):
        assert secret not in stored
