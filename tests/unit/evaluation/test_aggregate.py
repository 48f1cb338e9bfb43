"""From records to tables: means, differences, ratios over the same faces, and what the tables say of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from demask.evaluation.aggregate import aggregate, of_system
from demask.evaluation.figure_tables import all_tables, markdown
from demask.evaluation.metrics.comparison import FIGURES


def record(slice: str, face: int, value: float, **more: Any) -> dict[str, Any]:
    traits = {"turn": "frontal", "skin": "light" if face else "dark", "source": "drawn", "kind": "cloth"}
    facts = {"restored": face > 0, "hole_iou": 0.9 if slice == "seen" else 0.45, "hole_reached": 1.0}
    return {
        "slice": slice,
        "face_id": str(face),
        "setting": "found",
        "error": None,
        "figures": dict.fromkeys(FIGURES, value),
        "traits": traits,
        "hole_extra": 0.0,
        **facts,
        **more,
    }


@pytest.fixture
def by_system() -> dict[str, list[dict[str, Any]]]:
    def records(offset: float) -> list[dict[str, Any]]:
        seen = [record("seen", face, 10.0 + face + offset) for face in range(4)]
        return seen + [record("unseen_types", face, 20.0 + 2 * face + offset) for face in range(4)]

    return {"ours": records(0.0), "theirs": records(5.0)}


def test_the_summary_says_what_the_records_say(by_system: dict[str, list[dict[str, Any]]]) -> None:
    summary = aggregate(by_system, base="theirs")
    seen = summary["slices"]["found"]["seen"]
    assert seen["ours"]["num"] == 4
    assert seen["ours"]["restored"]["value"] == 0.75
    assert seen["ours"]["mean"]["psnr"]["value"] == pytest.approx(11.5)
    gain = seen["ours"]["against_base"]["hole_psnr"]
    assert (gain["value"], gain["low"], gain["high"], gain["verdict"]) == (-5, -5, -5, "worse")
    assert summary["unseen"]["found"]["unseen_types"]["ours"]["hole_psnr"]["value"] == 2
    assert summary["unseen"]["found"]["unseen_types"]["ours"]["hole_iou"]["value"] == 0.5
    groups = summary["groups"]["found"]
    assert groups["kind"]["cloth"]["ours"]["num"] == 8
    assert {name: facts["ours"]["num"] for name, facts in groups["skin"].items()} == {"dark": 1, "light": 3}
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_what_failed_is_in_no_mean_and_is_listed(by_system: dict[str, list[dict[str, Any]]]) -> None:
    by_system["ours"][0] |= {"error": "too | hard", "figures": None}
    summary = aggregate(by_system, base="theirs")
    facts = summary["slices"]["found"]["seen"]["ours"]
    assert (facts["num"], facts["num_failed"]) == (3, 1)
    assert summary["common"]["found"]["seen"]["mean"]["theirs"]["psnr"]["value"] == 17
    assert summary["failures"] == [
        {"system": "ours", "setting": "found", "slice": "seen", "face_id": "0", "error": "too | hard"}
    ]


def test_any_figures_can_be_aggregated() -> None:
    ours = [
        {"face_id": name, "error": None, "figures": {"mse": value}} for name, value in (("a", 1), ("b", None))
    ]
    facts = of_system(ours, ours, figures=("mse",))
    assert facts["mean"]["mse"]["num"] == 1
    assert facts["against_base"]["mse"]["verdict"] == "same"
    assert "hole_iou" not in facts


def test_every_table_of_a_report_is_whole(by_system: dict[str, list[dict[str, Any]]]) -> None:
    by_system["ours"][0] |= {"error": "too | hard"}
    report = {
        "command": "demask benchmark",
        "frozen_set": {"sha256": "0" * 64, "slices": {"seen": 4, "unseen_types": 4}},
        "systems": {
            name: {"version": "1", "paper": "none", "pictures": {"seen": 4}, "subset": None}
            for name in by_system
        },
        "base": "theirs",
        "settings": ["found"],
        "limit": None,
        "seed": 0,
        **aggregate(by_system, base="theirs"),
    }
    names = {table.name for table in all_tables(report)}
    assert {"figures", "common", "holes", "differences", "wins", "unseen", "failures", "systems"} <= names
    for table in all_tables(report):
        assert all(len(line.cells) + 1 == len(table.head) for line in table.lines), table.name
    text = markdown(report)
    assert "| ours | found | seen | 3 | 1 |" in text
    assert "too \\| hard" in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({line.replace("\\|", "").count("|") for line in block.splitlines()}) == 1
