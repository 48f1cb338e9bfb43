"""The committed reports, and what is written from them: tables and docs/quality.md."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from demask.evaluation.figure_tables import markdown

REPOSITORY = Path(__file__).parents[3]
MEASURED = REPOSITORY / "docs/measured"


@pytest.fixture
def readme_table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readme_table", REPOSITORY / "benchmarks/readme_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["benchmark", "quality"])
def test_the_tables_are_those_of_the_report(name: str) -> None:
    report = json.loads((MEASURED / name / "results.json").read_text())
    assert (MEASURED / name / "tables.md").read_text() == markdown(report)


def test_the_readme_holds_the_figures_of_the_committed_reports(readme_table: ModuleType) -> None:
    readme = (REPOSITORY / "docs/quality.md").read_text()
    assert readme_table.written(readme, readme_table.table()) == readme
    done = subprocess.run(
        [sys.executable, REPOSITORY / "benchmarks/readme_table.py", "--check"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_the_sentences_of_the_readme_say_what_was_measured() -> None:
    def read(name: str) -> dict:
        return json.loads((MEASURED / name).read_text())

    quality, photos, bare = read("quality/results.json"), read("real_photos.json"), read("bare_faces.json")
    eyes, found = read("by_eye.json"), quality["slices"]["found"]
    seen, unseen = (found[name]["network"]["hole_iou"]["value"] for name in ("seen", "unseen_types"))
    ratio = quality["unseen"]["found"]["unseen_types"]["network"]
    clear, shares = photos["clear"], eyes["fractions_of_restored"]
    false_faces = bare["backgrounds"]["nobody"]["false_faces_per_100"]["value"]
    seen_by_yunet = clear["of_restored"]["face_seen_by_yunet"]["value"]
    wanted = [
        f"Hole IoU: {seen:.2f} on mask types seen in training, {unseen:.2f} on two types never seen",
        f"LPIPS is {100 * (ratio['lpips']['value'] - 1):.0f} % worse there, PSNR the same",
        f"{photos['all']['num']} photographs of people really wearing masks",
        f"of {clear['num']} with one clear masked person {100 * clear['restored']['value']:.0f} % end as",
        f"in {100 * seen_by_yunet:.0f} % of those another detector",
        f"of {eyes['num'] - eyes['untouched']} looked at, one of us found {shares['convincing']['hits']}",
        f"{shares['flawed']['hits']} with a visible flaw and {shares['broken']['hits']} broken",
        f"Bare faces: {100 * bare['bare']['touched']['value']:.1f} % of {bare['bare']['num']:,} are touched",
        f"Pictures without people: {false_faces:.1f} false faces per 100",
    ]
    readme = " ".join((REPOSITORY / "docs/quality.md").read_text().split())
    assert abs(ratio["hole_psnr"]["value"] - 1) < 0.005
    assert [sentence for sentence in wanted if sentence not in readme] == []


def test_a_readme_with_another_figure_is_told(readme_table: ModuleType) -> None:
    readme = (REPOSITORY / "docs/quality.md").read_text()
    figure = readme_table.table().splitlines()[-1].split(" | ")[1]
    assert readme_table.written(readme.replace(figure, "99.99"), readme_table.table()) != readme.replace(
        figure, "99.99"
    )


def test_reports_of_two_sets_do_not_stand_in_one_table(readme_table: ModuleType, tmp_path: Path) -> None:
    for name in ("benchmark", "quality"):
        report = json.loads((MEASURED / name / "results.json").read_text())
        report["frozen_set"]["sha256"] = name
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(json.dumps(report))
    with pytest.raises(SystemExit, match="different frozen sets"):
        readme_table.table(tmp_path)
