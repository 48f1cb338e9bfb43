"""What a benchmark measures: which system on which picture in which setting, and the key of each result."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from demask.dataset.frozen_set import PHOTO_SLICES, read_info, read_manifest
from demask.errors import ConfigError, DatasetError
from demask.evaluation.answers import SETTINGS, Setting
from demask.evaluation.benchmark.systems import System, file_sha256
from demask.evaluation.metrics.lpips_metric import FILES as LPIPS_FILES
from demask.evaluation.score_report import versions
from demask.faces.judge import JudgeSettings
from demask.photo.paste import PasteConfig
from demask.weights import registry

MEASURE_VERSION = 3
"""Goes up whenever the same answer of a restorer is measured otherwise; older results are then not taken."""

MEASURED_BY = ("finder", "hole", "landmarks", *LPIPS_FILES["squeeze"], "mobileface")
"""Networks that a result rests on, besides the restorer's own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkConfig:
    """What to compare, on what.

    Attributes:
        data: The frozen set.
        systems: Who takes part.
        settings: Of `answers.SETTINGS`.
        base: The system that the others are compared with; None takes `network`, else the first.
        slices: Only these; None = all.
        limit: Only so many pictures of each slice, the first of the manifest.
        subset: For slow systems: so many pictures of each slice, drawn by the seed.
        seed: Of the subset, the sample of pictures on the page, and the bootstrap.
        jobs: Processes that restore and measure.
        deadline_s: Processor seconds that a restorer may take for one picture; by the clock ten times as long.
        retry_failed: Try again what failed in an earlier run.
    """

    data: Path
    systems: tuple[System, ...]
    settings: tuple[Setting, ...] = ("raw", "found")
    base: str | None = None
    slices: tuple[str, ...] | None = None
    limit: int | None = None
    subset: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    jobs: int = 1
    deadline_s: float = 300.0
    retry_failed: bool = False

    def __post_init__(self) -> None:
        names = [system.name for system in self.systems]
        if not self.settings or len(set(self.settings)) < len(self.settings):
            raise ConfigError(
                f"settings is {self.settings}; name one or more of {', '.join(SETTINGS)}, each once"
            )
        for name in (*self.subset, *([self.base] if self.base else [])):
            if name not in names:
                raise ConfigError(f"{name!r} takes no part; the restorers are {', '.join(names)}")
        counts = {"limit": self.limit, "jobs": self.jobs, **{f"subset {k}": v for k, v in self.subset.items()}}
        for what, count in counts.items():
            if count is not None and count < 1:
                raise ConfigError(f"{what} is {count}; it must be 1 or more")
        if not self.deadline_s > 0:
            raise ConfigError(f"deadline is {self.deadline_s} s; it must be more than 0")

    @property
    def base_name(self) -> str:
        """The system that the others are compared with."""
        names = [system.name for system in self.systems]
        return self.base or ("network" if "network" in names else names[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One result to come.

    Attributes:
        key: Names the result whatever else is run beside it.
        index: Row of the manifest.
        slice: Slice of the picture.
        face_id: Picture of the slice.
        setting: See `answers`.
    """

    key: str
    index: int
    slice: str
    face_id: str
    setting: Setting


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Everything that will be measured.

    Attributes:
        config: What was asked for.
        info: The set's `set.json`.
        rows: Its manifest.
        measured_by: What all results rest on: checksums, versions, thresholds.
        jobs: By system, in the order of the manifest.
    """

    config: BenchmarkConfig
    info: dict[str, Any]
    rows: list[dict[str, Any]]
    measured_by: dict[str, Any]
    jobs: dict[str, list[Job]]

    def taken(self, system: str) -> dict[str, int]:
        """How many pictures of each slice a system is asked for."""
        counts: dict[str, set[str]] = defaultdict(set)
        for job in self.jobs[system]:
            counts[job.slice].add(job.face_id)
        return {name: len(faces) for name, faces in counts.items()}


def parse_settings(text: str) -> tuple[Setting, ...]:
    """Read `raw,found`.

    Raises:
        ConfigError: One is unknown; the message lists what there is.
    """
    asked = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := set(asked) - set(SETTINGS):
        raise ConfigError(
            f"there is no setting {', '.join(sorted(unknown))}; it is one or more of {', '.join(SETTINGS)}"
        )
    return tuple(name for name in SETTINGS if name in asked)


def make_plan(config: BenchmarkConfig) -> Plan:
    """Choose the pictures of every system.

    Raises:
        DatasetError: The folder is no frozen set, or a slice is unknown.
    """
    info = read_info(config.data)
    rows = read_manifest(config.data)
    if config.slices is not None and (unknown := set(config.slices) - info["slices"].keys()):
        raise DatasetError(
            f"{config.data} has no slice {', '.join(sorted(unknown))}; it has {', '.join(info['slices'])}"
        )
    places: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        if config.slices is None or row["slice"] in config.slices:
            places[row["slice"]].append(index)
    measured_by = facts_behind_figures()
    digest = _digest([info["sha256"], measured_by])
    jobs: dict[str, list[Job]] = {}
    for system in config.systems:
        jobs[system.name] = []
        for name, indices in places.items():
            chosen = indices[: config.limit]
            if system.name in config.subset:
                chosen = _drawn(chosen, rows, config.subset[system.name], config.seed)
            jobs[system.name] += [
                _job(system, digest, index, rows[index], setting)
                for index in chosen
                for setting in config.settings
                if setting != "whole" or name not in PHOTO_SLICES
            ]
    return Plan(config=config, info=info, rows=rows, measured_by=measured_by, jobs=jobs)


def facts_behind_figures() -> dict[str, Any]:
    """What a figure rests on besides picture and restorer: networks, thresholds, versions."""
    paths = {name: registry.locate(name) for name in MEASURED_BY}
    if (expression := registry.locate("expression")) is not None:  # Everyone's own; most have none.
        paths["expression"] = expression
    return {
        "measure_version": MEASURE_VERSION,
        "weights": {name: None if path is None else file_sha256(path) for name, path in paths.items()},
        **hole_and_paste(),
        "versions": versions(),
    }


def hole_and_paste() -> dict[str, Any]:
    """How holes are judged and faces pasted, as it is set here."""
    return {"hole": asdict(JudgeSettings()), "paste": asdict(PasteConfig())}


def _drawn(indices: Sequence[int], rows: Sequence[Mapping[str, Any]], count: int, seed: int) -> list[int]:
    """The faces of smallest hash: the same in every slice, and a larger subset holds the smaller one."""

    def order(index: int) -> bytes:
        return hashlib.blake2b(f"{seed}/benchmark/subset/{rows[index]['face_id']}".encode()).digest()

    return sorted(sorted(indices, key=order)[:count])


def _job(system: System, digest: str, index: int, row: Mapping[str, Any], setting: Setting) -> Job:
    # A file or gallery is known by its content alone, wherever it lies and whatever it is called.
    source = "onnx" if system.source.endswith(".onnx") else system.source.partition(":")[0]
    key = _digest([digest, row["slice"], row["face_id"], source, system.version, setting])
    return Job(key=key, index=index, slice=row["slice"], face_id=row["face_id"], setting=setting)


def _digest(facts: Any) -> str:
    text = json.dumps(facts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
