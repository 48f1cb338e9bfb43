"""Scripts that compare whole pipelines: every picture of a frozen set through each, in the setting found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import _common
from demask.dataset.frozen_set import load_frozen, read_info
from demask.evaluation.aggregate import Record, aggregate
from demask.evaluation.answers import Answering, Measuring, measure
from demask.types import Restorer

System = tuple[Answering, Restorer]


def measured(
    systems: Mapping[str, System], data: Path, *, slices: str | None, limit: int | None, threads: int | None
) -> tuple[dict[str, list[Record]], dict[str, Any]]:
    """Measure systems on the same pictures, one picture after the other.

    Args:
        systems: By name; the first is the base that the others are compared with.
        data: A frozen set.
        slices: Names with commas between them; None = all.
        limit: Only the first so many pictures of each slice; None = all.
        threads: Of the metrics' networks.

    Returns:
        The records of each system, and the report that `demask benchmark` would make of them.
    """
    info, measuring = read_info(data), Measuring(threads=threads)
    names: Sequence[str] = slices.split(",") if slices else list(info["slices"])
    total = sum(min(limit or info["slices"][name], info["slices"][name]) for name in names)
    records: dict[str, list[Record]] = {name: [] for name in systems}
    done = 0
    for name in names:
        for picture in islice(load_frozen(data, slices=[name]), limit):
            for system, record in measure(picture, "found", systems, measuring).items():
                records[system].append(record)
            done += 1
            _common.show_progress(done, total)
    base = next(iter(systems))
    report = {
        "frozen_set": {"sha256": info["sha256"], "split": info["config"].get("split")},
        "base": base,
        "own_holes": True,
        **aggregate(records, base=base),
    }
    return records, report
