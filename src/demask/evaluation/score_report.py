"""From scored pictures to what is printed and written: means, intervals, counts, JSON, CSV."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from demask.csv_text import csv_text
from demask.evaluation.aggregate import Record, Summary, number, of_system
from demask.evaluation.metrics.distributions import SetDistance
from demask.evaluation.metrics.metric_catalogue import heading_of, metric_of
from demask.evaluation.pairs import Matched
from demask.evaluation.scorer import MASKED, RESTORED, Row

_LIBRARIES = ("demask", "numpy", "opencv-python-headless", "onnxruntime", "Pillow")


def summarise(rows: Sequence[Row], columns: Sequence[str], *, seed: int = 0) -> Summary:
    """Every figure over all pictures, ready for JSON.

    A NaN never enters a mean; how many there were, and why, stands in the line.

    Args:
        rows: All pictures; failed ones count nowhere.
        columns: Which figures.
        seed: Of the bootstrap.

    Returns:
        By column: `heading`, `better`, `mean` of the restored pictures with its interval (`num` says how many
        had a number), `num_missing`, `reasons` with how many each, and with masked inputs `masked`, their mean,
        and `difference`, restored minus masked on the same pictures.
    """
    done = [row for row in rows if row.error is None]
    records: dict[str, list[Record]] = {
        RESTORED: [{"face_id": row.pair.name, "error": None, "figures": row.figures} for row in done],
        MASKED: [
            {"face_id": row.pair.name, "error": None, "figures": {**dict.fromkeys(columns), **row.masked}}
            for row in done
        ],
    }
    facts = {
        name: of_system(found, records[MASKED], figures=columns, seed=seed) for name, found in records.items()
    }
    summary: Summary = {}
    for column in columns:
        reasons = dict(Counter(row.reasons[column] for row in done if column in row.reasons))
        summary[column] = {
            "heading": heading_of(column),
            "better": metric_of(column).better,
            "mean": facts[RESTORED]["mean"][column],
            "num_missing": sum(reasons.values()),
            "reasons": reasons,
        }
        if facts[MASKED]["mean"][column]["num"]:
            summary[column]["masked"] = facts[MASKED]["mean"][column]
            summary[column]["difference"] = facts[RESTORED]["against_base"][column]
    return summary


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that the figures rest on."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # Another build of the same library, such as plain opencv-python.
            found[name] = "not installed under this name"
    return found


def as_json(
    rows: Sequence[Row],
    summary: Summary,
    *,
    command: Sequence[str],
    sets: Mapping[str, Mapping[str, SetDistance]],
    feature_network: str | None,
    missing: Mapping[str, str],
    weights: Mapping[str, str],
    matched: Matched,
) -> bytes:
    """The whole report as JSON; numbers that do not exist are null.

    Args:
        rows: All pictures.
        summary: From `summarise`.
        command: The command line.
        sets: From `Scorer.set_distances`.
        feature_network: Name of the network behind `sets`.
        missing: Metrics that could not be taken and why.
        weights: The sha256 of the networks' files, by file name.
        matched: What was found in the folders.
    """
    report = {
        "command": list(command),
        "versions": versions(),
        "weights": dict(weights),
        "num_pictures": len(rows),
        "num_failed": sum(row.error is not None for row in rows),
        "summary": summary,
        "sets": {
            name: {
                "heading": heading_of(name),
                "network": feature_network,
                **{side: _set(distance) for side, distance in sides.items()},
            }
            for name, sides in sets.items()
        },
        "not_taken": dict(missing),
        "only_restored": [str(path) for path in matched.only_restored],
        "only_truth": [str(path) for path in matched.only_truth],
        "no_hole": list(matched.no_hole),
        "no_masked": list(matched.no_masked),
        "pictures": [row_record(row) for row in rows],
    }
    # Pure ASCII: a file name may hold bytes that no encoding can print.
    return (json.dumps(report, indent=2, allow_nan=False) + "\n").encode()


def row_record(row: Row) -> dict[str, Any]:
    """One picture, ready for JSON."""
    return {
        "name": row.pair.name,
        "restored": str(row.pair.restored),
        "truth": str(row.pair.truth),
        "hole": _path(row.pair.hole),
        "masked": _path(row.pair.masked),
        "size": None if row.size is None else list(row.size),
        "error": row.error,
        "figures": {column: number(value) for column, value in row.figures.items()},
        "masked_figures": {column: number(value) for column, value in row.masked.items()},
        "reasons": row.reasons,
    }


def as_csv(rows: Sequence[Row], columns: Sequence[str]) -> bytes:
    """One line per picture; a number that does not exist is an empty field.

    Figures of masked inputs follow those of the restored pictures, with `masked_` before their names.
    """
    floors = [column for column in columns if any(column in row.masked for row in rows)]
    head = ["name", "restored", "truth", "width", "height", "error"]
    body = [
        [
            *(row.pair.name, row.pair.restored, row.pair.truth, *(row.size or (None, None)), row.error),
            *(number(row.figures.get(column)) for column in columns),
            *(number(row.masked.get(column)) for column in floors),
        ]
        for row in rows
    ]
    text = csv_text([*head, *columns, *(f"masked_{column}" for column in floors)], body)
    return text.encode("utf-8", "surrogateescape")


def _set(distance: SetDistance) -> dict[str, Any]:
    return {
        "value": number(distance.value),
        "num": list(distance.num),
        "num_left_out": distance.num_left_out,
        "num_dims": distance.num_dims,
        "few_pictures": distance.few,
    }


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)
