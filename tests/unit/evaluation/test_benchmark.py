"""The benchmark: what is measured, what is kept, what restorers may do wrong, what the tables say."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest

from demask.errors import ConfigError, DatasetError, OutputError, OutputExists, UsageError
from demask.evaluation.benchmark.benchmark_plan import BenchmarkConfig, make_plan, parse_settings
from demask.evaluation.benchmark.benchmark_run import SPEED, TABLES, report_of, run_benchmark
from demask.evaluation.benchmark.git_guard import refuse_where_git_looks
from demask.evaluation.benchmark.record_store import Store
from demask.evaluation.benchmark.systems import System, parse_systems
from demask.evaluation.figure_tables import markdown
from demask.evaluation.metrics.comparison import FIGURES
from frozen_drawn import freeze_drawn, open_moody


@pytest.fixture(scope="module")
def frozen(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return freeze_drawn(shards, tmp_path_factory.mktemp("frozen") / "set")


# Restorers run in processes of their own; starting them takes a second each on a calm machine.
pytestmark = pytest.mark.timeout(1800)


def system(name: str, version: str = "1") -> System:
    return System(name=name, source=name, version=version, paper="none")


def config(frozen: Path, *names: str, **more: object) -> BenchmarkConfig:
    return BenchmarkConfig(data=frozen, systems=tuple(map(system, names)), **more)  # type: ignore[arg-type]


# What is measured.


def test_every_system_gets_every_picture_under_every_hole(frozen: Path) -> None:
    plan = make_plan(config(frozen, "a", "b"))
    assert plan.taken("a") == {"seen": 6, "unseen_colours": 6, "unseen_types": 6, "portrait": 2}
    assert len(plan.jobs["b"]) == 2 * 20
    assert len({job.key for jobs in plan.jobs.values() for job in jobs}) == 80


def test_a_subset_is_drawn_by_the_seed_and_smaller_ones_lie_in_larger_ones(frozen: Path) -> None:
    def faces(count: int, seed: int, name: str) -> set[str]:
        plan = make_plan(config(frozen, "fast", "slow", subset={"slow": count}, seed=seed))
        return {job.face_id for job in plan.jobs["slow"] if job.slice == name}

    assert len(faces(3, 0, "seen")) == 3
    assert faces(3, 0, "seen") == faces(3, 0, "unseen_types") < faces(5, 0, "seen")
    assert any(faces(3, 0, "seen") != faces(3, seed, "seen") for seed in range(1, 6))


def test_limit_and_slices_and_whole_answers(frozen: Path) -> None:
    plan = make_plan(config(frozen, "a", limit=2, slices=("seen", "portrait"), settings=("raw", "whole")))
    assert plan.taken("a") == {"seen": 2, "portrait": 2}
    assert {(job.slice, job.setting) for job in plan.jobs["a"]} == {
        ("seen", "raw"),
        ("seen", "whole"),
        ("portrait", "raw"),
    }


def test_a_key_changes_with_version_and_set_but_not_with_company(
    frozen: Path, shards: Path, tmp_path: Path
) -> None:
    def keys(of: BenchmarkConfig) -> list[str]:
        return [job.key for job in make_plan(of).jobs["a"]]

    alone = config(frozen, "a")
    assert keys(alone) == keys(config(frozen, "b", "a", jobs=2, seed=3))
    other = dataclasses.replace(alone, systems=(system("a", "2"),))
    assert not set(keys(alone)) & set(keys(other))
    again = freeze_drawn(shards, tmp_path / "again", per_slice=5)
    assert not set(keys(alone)) & set(keys(config(again, "a")))


def test_a_network_is_known_by_its_bytes(tiny_weights: Path, tmp_path: Path, frozen: Path) -> None:
    copy = tmp_path / "elsewhere.onnx"
    copy.write_bytes((tiny_weights / "restorer.onnx").read_bytes())
    first, second = parse_systems([str(tiny_weights / "restorer.onnx"), f"mine={copy}"])
    assert (first.name, second.name) == ("restorer", "mine")
    jobs = make_plan(BenchmarkConfig(data=frozen, systems=(first, second))).jobs
    assert [job.key for job in jobs["restorer"]] == [job.key for job in jobs["mine"]]


def test_what_makes_no_sense_is_refused_with_advice(frozen: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'telea'"):
        parse_systems(["tela"])
    with pytest.raises(UsageError, match=r"twice; tell files apart as NAME=FILE\.onnx"):
        parse_systems(["telea", "telea"])
    with pytest.raises(UsageError, match=r"there is no file nowhere\.onnx"):
        parse_systems(["x=nowhere.onnx"])
    with pytest.raises(UsageError, match="names none"):
        parse_systems([""])
    with pytest.raises(ConfigError, match="no setting rwa; it is one or more of raw, pasted, found, whole"):
        parse_settings("rwa")
    with pytest.raises(ConfigError, match="'b' takes no part; the restorers are a"):
        config(frozen, "a", base="b")
    with pytest.raises(ConfigError, match="subset a is 0"):
        config(frozen, "a", subset={"a": 0})
    with pytest.raises(DatasetError, match="has no slice nowhere; it has"):
        make_plan(config(frozen, "a", slices=("nowhere",)))
    with pytest.raises(DatasetError, match="demask dataset freeze"):
        make_plan(config(tmp_path, "a"))


# What is kept.


def test_a_line_cut_short_is_dropped_and_the_file_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(3):
        store.add({"key": str(number), "error": None})
    store.close()
    whole = store.path.read_bytes()
    store.path.write_bytes(whole[:-5])
    again = Store(tmp_path)
    assert list(again.records) == ["0", "1"]
    again.add({"key": "2", "error": None})
    again.close()
    assert store.path.read_bytes() == whole


def test_two_benchmarks_do_not_write_one_folder(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(OutputError, match="another benchmark is writing"):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


def test_pictures_stay_out_of_git(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path / "repository"], check=True)
    (tmp_path / "repository" / ".gitignore").write_text("runs/\n")
    refuse_where_git_looks(tmp_path / "outside")
    refuse_where_git_looks(tmp_path / "repository" / "runs" / "benchmark")
    with pytest.raises(OutputError, match=r"pictures of people; .* or pass --no-pictures"):
        refuse_where_git_looks(tmp_path / "repository" / "docs" / "new")


# What restorers may do wrong.


def test_a_restorer_that_fails_costs_its_own_pictures(frozen: Path, tmp_path: Path) -> None:
    moods = {
        "raises": "ValueError: no idea what to draw",
        "shape": "the restorer gave uint8 [128, 128, 3]; a crop is uint8 [256, 256, 3]",
        "type": "the restorer gave float32 [256, 256, 3]; a crop is uint8 [256, 256, 3]",
        "nothing": "the restorer gave NoneType; a crop is uint8 [256, 256, 3]",
        "dies": "the process was ended by SIGSEGV while restoring",
        "sleeps": "no answer within 1 s while restoring",
        "spins": "no answer within 1 s while restoring",
    }
    asked = config(frozen, "telea", *moods, settings=("raw",), slices=("unseen_types",), jobs=2, deadline_s=1.0)
    outcome = run_benchmark(asked, tmp_path / "out", opener=open_moody)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    reasons: dict[str, set[str]] = {name: set() for name in moods}
    for failure in results["failures"]:
        reasons[failure["system"]].add(failure["error"])
    assert reasons == {mood: {reason} for mood, reason in moods.items()}
    faces = {mood: [f["face_id"] for f in results["failures"] if f["system"] == mood] for mood in moods}
    # All of them fail on the same pictures, and only on those.
    assert 0 < len(faces["raises"]) < 6
    assert all(found == faces["raises"] for found in faces.values())
    assert outcome.failures == {"telea": 0, **dict.fromkeys(moods, len(faces["raises"]))}
    seen = results["slices"]["raw"]["unseen_types"]
    for mood in moods:
        assert seen[mood]["num"] + seen[mood]["num_failed"] == 6
        # What they did restore, they restored as Telea does.
        assert seen[mood]["against_base"]["hole_psnr"]["value"] == 0
    tables = (tmp_path / "out" / "tables.md").read_text()
    assert all(reason in tables for reason in moods.values())


def test_a_restorer_that_cannot_be_opened_is_told_before_anything_is_measured(
    frozen: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="the restorer refuses cannot be opened: ValueError: out of order"):
        run_benchmark(config(frozen, "telea", "refuses"), tmp_path / "out", opener=open_moody)
    assert (tmp_path / "out" / "measured.jsonl").read_bytes() == b""


def test_results_are_taken_again_and_failures_only_when_asked(frozen: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = config(frozen, "telea", "raises", settings=("raw",), slices=("unseen_types",))
    first = run_benchmark(asked, out, opener=open_moody, pictures=False)
    tables = {name: (out / name).read_bytes() for name in TABLES}
    assert first.num_taken == 0
    with pytest.raises(OutputExists, match="--overwrite"):
        run_benchmark(asked, out, opener=open_moody, pictures=False)
    again = run_benchmark(asked, out, opener=open_moody, pictures=False, overwrite=True)
    assert again.num_taken == again.num == 12
    assert {name: (out / name).read_bytes() for name in TABLES} == tables
    retried = run_benchmark(
        dataclasses.replace(asked, retry_failed=True), out, opener=open_moody, pictures=False, overwrite=True
    )
    assert retried.num_taken == 12 - first.failures["raises"]
    assert {name: (out / name).read_bytes() for name in TABLES} == tables


# What the tables say.


def test_two_processes_give_the_tables_of_one(frozen: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        asked = config(frozen, "telea", "raises", jobs=jobs, limit=3, subset={"raises": 2})
        run_benchmark(asked, tmp_path / str(jobs), opener=open_moody)
    for name in TABLES:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name
    speed = json.loads((tmp_path / "1" / SPEED).read_text())["systems"]["telea"]
    assert 0 < speed["cpu_s"]["p10"] <= speed["cpu_s"]["median"] <= speed["cpu_s"]["max"] < 5
    assert speed["num"] >= 11  # Every picture with the true hole.


def record(face_id: str, hole_lpips: float, **more: object) -> dict[str, object]:
    traits = {"turn": "frontal", "skin": "light", "source": "photos", "kind": "cloth"}
    figures = {**dict.fromkeys(FIGURES, 1.0), "hole_lpips": hole_lpips}
    facts = {
        "restored": True,
        "hole_iou": None,
        "hole_reached": 1.0,
        "hole_extra": 0.0,
        "traits": traits,
        "figures": figures,
    }
    return {"face_id": face_id, "slice": "seen", "setting": "raw", "error": None, **facts, **more}


def test_differences_are_over_the_same_pictures_and_losses_are_told(frozen: Path) -> None:
    plan = make_plan(config(frozen, "base", "other", "half", slices=("seen",), settings=("raw",), base="base"))
    records = {}
    for name, offset in (("base", 0.0), ("other", -0.1), ("half", 0.2)):
        for number, job in enumerate(plan.jobs[name]):
            records[job.key] = record(job.face_id, number + offset)
            if name == "half" and number >= 3:
                records[job.key] = {**records[job.key], "error": "too hard"}
    summary = report_of(plan, records)
    seen = summary["slices"]["raw"]["seen"]
    assert seen["half"]["num"] == 3
    assert seen["half"]["num_failed"] == 3
    assert seen["half"]["mean"]["hole_lpips"]["value"] == pytest.approx(1.2)
    half, other = seen["half"]["against_base"]["hole_lpips"], seen["other"]["against_base"]["hole_lpips"]
    assert (half["value"], half["num"], half["verdict"]) == (pytest.approx(0.2), 3, "worse")
    assert (other["value"], other["num"], other["verdict"]) == (pytest.approx(-0.1), 6, "better")
    assert (other["better_on"], other["worse_on"]) == (1, 0)
    assert seen["other"]["against_base"]["psnr"]["verdict"] == "same"
    assert summary["common"]["raw"]["seen"]["num"] == 3
    assert summary["common"]["raw"]["seen"]["mean"]["base"]["hole_lpips"]["value"] == pytest.approx(1)
    text = markdown(summary)
    lines = [line for line in text.splitlines() if line.startswith("| other | raw | seen")]
    assert sum("lost (0 %)" in line for line in lines) == 1
    assert text.count("too hard") == 3
