"""Plans and faces that the tests of the study share."""

from __future__ import annotations

from pathlib import Path

from demask.study.blocks import EXPRESSIONS
from demask.study.database import sqlite_url
from demask.study.plan import Plan
from demask.study.plan_file import parse_plan
from demask.study.store import Store
from demask.study.trials import FaceLabel

CONDITIONS = ("ours", "pix2pix", "truth", "masked")  # What EVERY_KIND shows.
NUM_FACES = 70  # Enough for it.

EVERY_KIND = """
title = "Every kind"
systems = ["ours", "pix2pix"]
seed = 3
people = 12
consent = { en = "I take part." }

[exclusion]
max_failed_checks = 1

[[questions]]
name = "age"
kind = "choice"
choices = ["18-29", "30-49", "50+"]
text = { en = "How old are you?" }

[[questions]]
name = "remarks"
kind = "text"
text = { en = "Anything else?" }

[[blocks]]
kind = "rating"
name = "likability"
scale = "likability"
points = 7
faces = 12
hidden_reference = true
repeats = 2
checks = 2
break_every = 5

[[blocks]]
kind = "rating"
name = "quality"
scale = "quality"
same_pictures_as = "likability"
hidden_reference = true

[[blocks]]
kind = "real_or_restored"
name = "real"
faces = 6
practice = 4

[[blocks]]
kind = "real_or_restored"
name = "single"
design = "single"
faces = 6
practice = 0

[[blocks]]
kind = "pair"
name = "preference"
faces = 6
show_masked = true

[[blocks]]
kind = "expression"
name = "expression"
faces = 8

[[blocks]]
kind = "same_person"
name = "same"
faces = 5
"""


def every_kind() -> Plan:
    """One block of every kind."""
    return parse_plan(EVERY_KIND)


def faces(num: int, *, expressions: bool = True) -> dict[str, FaceLabel]:
    """Faces with expressions in turn and no identities."""
    return {
        f"f{i:03d}": FaceLabel(expression=EXPRESSIONS[i % len(EXPRESSIONS)] if expressions else "")
        for i in range(num)
    }


def new_store(place: str | Path, *, simulated: bool = False) -> Store:
    """A database of a new study of `EVERY_KIND`, at a URL or in an SQLite file."""
    url = sqlite_url(place) if isinstance(place, Path) else place
    return Store.create(url, EVERY_KIND, faces(NUM_FACES), simulated=simulated)
